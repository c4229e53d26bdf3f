"""Promises about devices: each is tested, gets one result, and goes into the bin its program gave it."""

from collections.abc import Iterator
from typing import Any

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Answer, Oracle, at
from drycell.sim.oracles.facts import Facts, Heard


def _lot_completes(facts: Facts) -> Answer:
    binned = {(event.fields["lot"], event.fields["device"]) for event in facts.of_kind("sorted")}
    finished = list(facts.of_kind("lot"))
    if finished and all(
        len([1 for lot, _ in binned if lot == event.fields["lot"]]) >= event.fields["devices"] for event in finished
    ):
        return Answer("holds", f"{len(binned)} devices were sorted and the lot was unloaded")
    cause = [*facts.of_kind("problem")] or [*_soft_errors(facts)]
    if cause:
        first = cause[0]
        reason = first.fields.get("text") or first.fields.get("message") or "a soft error"
        text = f"{len(binned)} of {facts.lot_size} devices were sorted; {reason} {at(first)}"
        return Answer("violated", text, (first.seq,))
    last = facts.events[-1] if facts.events else None
    proof = () if last is None else (last.seq,)
    return Answer("violated", f"{len(binned)} of {facts.lot_size} devices were sorted when the run ended", proof)


def _soft_errors(facts: Facts) -> Iterator[Event]:
    return (
        event for event in facts.of_kind("state") if event.actor == "master" and event.fields["to"] == "softerror"
    )


def _result_part(heard: Heard) -> dict[str, Any]:
    records = (heard.content or {}).get("payload")
    parts = (
        [r for r in records if isinstance(r, dict) and r.get("type") == "PRR"] if isinstance(records, list) else []
    )
    return parts[0] if len(parts) == 1 else {}


def _one_result_per_contact(facts: Facts) -> Answer:
    """Between two contacts of a site there is exactly one result from it, and it names the device in contact."""
    results = {heard.event.seq: heard for heard in facts.program("testresult")}
    contact: dict[str, tuple[str, Event]] = {}
    answered: dict[str, Heard] = {}
    count = 0
    for event in facts.events:
        if event.kind == "contact":
            contact = {entry["site"]: (entry["part"], event) for entry in event.fields["sites"]}
            answered = {}
        elif event.seq in results:
            heard = results[event.seq]
            part = str(_result_part(heard).get("PART_ID"))
            expected = contact.get(heard.site)
            if expected is None:
                return Answer(
                    "violated", f"site {heard.site} sent a result without a device {at(event)}", (event.seq,)
                )
            if heard.site in answered:
                first = answered[heard.site].event
                text = f"site {heard.site} sent a second result for part {part} {at(event)}"
                return Answer("violated", text, (first.seq, event.seq))
            if part != expected[0]:
                text = f"site {heard.site} reported part {part} while part {expected[0]} touched it {at(event)}"
                return Answer("violated", text, (expected[1].seq, event.seq))
            answered[heard.site] = heard
            count += 1
    if not count:
        return Answer("unknown", "no device was tested")
    return Answer("holds", f"{count} results, one for each device in contact")


def _bins_agree(facts: Facts) -> Answer:
    """The handler sorts each part into the hard bin that its program reported last."""
    reported: dict[str, tuple[int, Event]] = {}
    results = {heard.event.seq: heard for heard in facts.program("testresult")}
    count = 0
    for event in facts.events:
        if event.seq in results:
            part = _result_part(results[event.seq])
            if part:
                reported[str(part["PART_ID"])] = (part["HARD_BIN"], event)
        elif event.kind == "sorted":
            said = reported.get(event.fields["part"])
            if said is None or said[0] != event.fields["hard_bin"]:
                told = "nothing" if said is None else f"bin {said[0]}"
                text = (
                    f"part {event.fields['part']} went into bin {event.fields['hard_bin']}, its program said {told}"
                )
                proof = (event.seq,) if said is None else (said[1].seq, event.seq)
                return Answer("violated", f"{text} {at(event)}", proof)
            count += 1
    return Answer("holds", f"{count} devices are in the bin their program reported") if count else _NOTHING_SORTED


_NOTHING_SORTED = Answer("unknown", "no device was sorted")


def _programs_end_well(facts: Facts) -> Answer:
    launched: dict[str, Event] = {}
    ended = 0
    for event in facts.of_kind("launch", "exit"):
        if event.kind == "launch":
            launched[event.actor] = event
        else:
            launched.pop(event.actor, None)
            ended += 1
            if event.fields["exit_code"] != 0 and not event.fields.get("wanted", False):
                text = f"{event.actor} ended with exit code {event.fields['exit_code']} {at(event)}"
                return Answer("violated", text, (event.seq,))
    for actor, event in launched.items() if [*facts.of_kind("lot")] else ():
        return Answer("violated", f"{actor}, started {at(event)}, was still running at the end", (event.seq,))
    if not ended:
        return Answer("unknown", "no program was started")
    return Answer("holds", f"{ended} programs ended as they should")


LOT_ORACLES = (
    Oracle("lot completes", "Every device of the lot is tested and sorted, and the lot is unloaded.", _lot_completes),
    Oracle(
        "one result per device",
        "Each device in contact gets exactly one result, from its own site and under its own part id.",
        _one_result_per_contact,
    ),
    Oracle("bins agree", "Every device goes into the hard bin that its program reported.", _bins_agree),
    Oracle(
        "programs end well",
        "Every test program ends, with exit code 0 unless somebody killed it.",
        _programs_end_well,
    ),
)
