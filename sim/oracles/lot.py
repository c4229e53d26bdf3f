"""Promises about devices: each is tested once per contact, gets one result and one bin, and all of it is its own."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Answer, Breach, Case, Oracle, at, cases
from drycell.sim.oracles.facts import Facts, objects
from drycell.sim.oracles.interference import MULTIPLYING
from drycell.sim.oracles.results import PartResult
from drycell.sim.oracles.touchdowns import Touchdown


def _lot_completes(facts: Facts) -> Answer:
    if not facts.events:
        return Answer("unknown", "the run never began")
    binned = {(event.fields["lot"], event.fields["device"]) for event in facts.of_kind("sorted")}
    finished = list(facts.of_kind("lot"))
    if finished and all(
        len([1 for lot, _ in binned if lot == event.fields["lot"]]) >= event.fields["devices"] for event in finished
    ):
        return Answer("holds", f"{len(binned)} devices were sorted and the lot was unloaded")
    so_far = f"{len(binned)} of {facts.lot_size} devices were sorted"
    cause = [*facts.of_kind("problem")] or [*_soft_errors(facts)]
    if cause:
        first = cause[0]
        reason = first.fields.get("text") or first.fields.get("message") or "a soft error"
        return Answer("violated", f"{so_far}; {reason} {at(first)}", (first.seq,))
    return Answer("violated", f"{so_far} when the run ended", (facts.events[-1].seq,))


def _soft_errors(facts: Facts) -> Iterator[Event]:
    return (
        event for event in facts.of_kind("state") if event.actor == "master" and event.fields["to"] == "softerror"
    )


# one result each ---------------------------------------------------------------------------------------------------


def _one_result(facts: Facts) -> Iterator[Case]:
    pressed = next((e.seq for e in facts.of_kind("operator") if e.fields.get("command") == "next"), facts.end_seq)
    for stray in facts.story.strays:
        if stray.event.seq < pressed and not facts.fault_between(0, stray.event.seq, stray.site):
            yield Breach(f"site {stray.site} sent a result before any device touched it", stray.event)
    for touchdown in facts.story.touchdowns:
        for site in (*touchdown.parts, *(s for s in touchdown.results if s not in touchdown.parts)):
            if touchdown.disturbed(site):
                continue
            results = touchdown.results.get(site, ())
            if results or touchdown.answers:
                yield _one_result_of(touchdown, site, results)


def _one_result_of(touchdown: Touchdown, site: str, results: Sequence[PartResult]) -> Case:
    part = touchdown.parts.get(site)
    if part is None:
        text = f"site {site} sent a result although no device touched it"
        return Breach(text, results[0].event, (touchdown.event,))
    if not results:
        text = f"the master binned the touchdown although site {site} had sent no result for part {part}"
        return Breach(text, touchdown.answers[0].event, (touchdown.event,))
    for result in results:
        if result.part != part:
            text = f"site {site} reported part {result.part} while part {part} touched it"
            return Breach(text, result.event, (touchdown.event,))
    if len(results) > 1:
        return Breach(f"site {site} sent a second result for part {part}", results[1].event, (results[0].event,))
    return None


def _sent_once(facts: Facts) -> Iterator[Case]:
    """No program sends more results for a part than it was asked for; a lost connection is no reason (MQTT, QoS 2).

    Judged until the scenario meddles with what programs say or hear.
    """
    meddled = (s.event.seq for s in facts.strikes if "/TestApp/" in s.topic or s.name in MULTIPLYING)
    until = next(meddled, facts.end_seq)
    asked: Counter[tuple[str, str]] = Counter()
    results = {result.event.seq: result for result in facts.results if result.has_part}
    commands = {heard.event.seq: heard for heard in facts.heard("TestApp/cmd")}
    for seq in sorted(seq for seq in (*results, *commands) if seq < until):
        if seq in commands:
            asked.update(_asked_for(commands[seq].content or {}))
            continue
        key = results[seq].site, results[seq].part
        asked[key] -= 1
        text = f"site {key[0]} sent more results for part {key[1]} than it was asked for"
        yield Breach(text, results[seq].event) if asked[key] < 0 else None


def _asked_for(command: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    job = command.get("job_data") if command.get("command") == "next" else None
    for info in objects(job.get("sites_info")) if isinstance(job, dict) else ():
        yield str(info.get("siteid")), str(info.get("partid"))


# the right devices -------------------------------------------------------------------------------------------------


def _next_matches(facts: Facts) -> Iterator[Case]:
    for touchdown in facts.story.touchdowns:
        asked = touchdown.asked
        if asked is None or touchdown.disturbed(""):
            continue
        infos = objects(touchdown.job.get("sites_info"))
        named = {str(info.get("siteid")): str(info.get("partid")) for info in infos}
        sites = (asked.content or {}).get("sites")
        if named != touchdown.parts:
            text = f"the master's next names {_pairs(named)} while {_pairs(touchdown.parts)} were in contact"
            yield Breach(text, asked.event, (touchdown.event,))
        elif not isinstance(sites, list) or sorted(map(repr, sites)) != sorted(map(repr, touchdown.parts)):
            text = f"the master sent next to sites {sites} while devices touched sites {sorted(touchdown.parts)}"
            yield Breach(text, asked.event, (touchdown.event,))
        else:
            yield None


def _pairs(parts: object) -> str:
    found = parts.items() if isinstance(parts, dict) else ()
    return ", ".join(f"part {part} on site {site}" for site, part in found) or "no device"


# bins --------------------------------------------------------------------------------------------------------------


def _bins_agree(facts: Facts) -> Iterator[Case]:
    """Result, the master's answer and the handler's bin are the same, device by device, within one touchdown."""
    for touchdown in facts.story.touchdowns:
        told = _told(touchdown)
        for event in touchdown.sorted:
            if facts.struck(facts.topics.master_response, event):
                return  # the handler may have been told anything
            yield _bin_agrees(touchdown, event, told)


def _told(touchdown: Touchdown) -> dict[tuple[str, str], tuple[object, Event]]:
    found: dict[tuple[str, str], tuple[object, Event]] = {}
    for answer in touchdown.answers:
        payload = (answer.content or {}).get("payload")
        for entry in objects(payload.get("sites")) if isinstance(payload, dict) else ():
            found[str(entry.get("siteid")), str(entry.get("partid"))] = (entry.get("binning"), answer.event)
    return found


def _bin_agrees(touchdown: Touchdown, event: Event, told: dict[tuple[str, str], tuple[object, Event]]) -> Case:
    site, part, bin_ = str(event.fields["site"]), str(event.fields["part"]), event.fields["hard_bin"]
    said = [r for r in touchdown.results.get(site, ()) if r.part == part and r.event.seq < event.seq]
    if not said:
        return Breach(f"the handler put part {part} into bin {bin_} without a result from site {site}", event)
    if said[0].hard_bin != bin_:
        master = told.get((site, part))
        whose = "the handler" if master is not None and master[0] == said[0].hard_bin else "the master"
        text = (
            f"part {part} of site {site} went into bin {bin_}, its program said bin {said[0].hard_bin}: {whose} erred"
        )
        return Breach(text, event, (said[0].event, *((master[1],) if master else ())))
    return None


def _none_lost(facts: Facts) -> Iterator[Case]:
    """A lot is unloaded when every device of it has a bin, or the handler has said why it could not sort one."""
    binned: dict[str, set[object]] = {}
    problem = next((event.seq for event in facts.of_kind("problem") if event.actor == "handler"), facts.end_seq)
    for event in facts.of_kind("sorted", "lot"):
        lot = str(event.fields["lot"])
        if event.kind == "sorted":
            binned.setdefault(lot, set()).add(event.fields["device"])
            continue
        count, size = len(binned.get(lot, ())), event.fields["devices"]
        text = f"the handler finished the lot although only {count} of its {size} devices had been sorted"
        yield Breach(text, event) if count < size and event.seq < problem else None


def _sorted_once(facts: Facts) -> Iterator[Case]:
    """After a touchdown each device in contact is sorted exactly once, or the master is in soft error; or the handler
    could not use the answer to a next that the scenario had changed."""
    touchdowns = facts.story.touchdowns
    ends = [*(touchdown.event.seq for touchdown in touchdowns[1:]), facts.end_seq]
    refused = [event.seq for event in facts.of_kind("problem") if event.actor == "handler"]
    for touchdown, end_seq in zip(touchdowns, ends, strict=False):  # no touchdown, no end
        extra = _sorted_extra(touchdown)
        if extra is not None:
            yield extra
            continue
        left = set(touchdown.parts) - {str(event.fields["site"]) for event in touchdown.sorted}
        if left and touchdown.failed is None and touchdown.given_up is None:
            is_last = touchdown is touchdowns[-1]
            was_refused = any(touchdown.event.seq < seq < end_seq for seq in refused)
            if (is_last and facts.stopped) or (touchdown.disturbed("") and (is_last or was_refused)):
                continue
            sites = ", ".join(sorted(left))
            text = f"the touchdown ended with neither bin nor soft error for site {sites}; it began"
            yield Breach(text, touchdown.event, (facts.events[-1],) if is_last else ())
        else:
            yield None


def _sorted_extra(touchdown: Touchdown) -> Case:
    seen: dict[str, Event] = {}
    for event in touchdown.sorted:
        site, part = str(event.fields["site"]), str(event.fields["part"])
        if touchdown.parts.get(site) != part or event.fields["lot"] != touchdown.lot:
            there = touchdown.parts.get(site, "none")
            whose = f"part {part} of lot {event.fields['lot']}"
            text = f"the handler sorted {whose} from site {site}, where part {there} was"
            return Breach(text, event, (touchdown.event,))
        if site in seen:
            return Breach(f"the handler sorted part {part} of site {site} twice", event, (seen[site],))
        seen[site] = event
    return None


LOT_ORACLES = (
    Oracle(
        "lot completes",
        "Every device of the lot is tested and sorted, and the lot is unloaded.",
        _lot_completes,
        "the run began",
    ),
    Oracle(
        "one result per device",
        "Each device in contact gets exactly one result, from its own site and under its own part id.",
        cases(_one_result, held="{count} results, one for each device in contact", unknown="no device was tested"),
        "a result, or a touchdown that the master answered",
    ),
    Oracle(
        "results are sent once",
        "No program sends more results for a device than it was asked for, also after a lost connection.",
        cases(
            _sent_once,
            held="{count} results had been asked for",
            unknown="no result came before the scenario meddled",
        ),
        "a result, in a scenario that so far has not meddled with messages of programs",
    ),
    Oracle(
        "next matches the contact",
        "The master's next goes to the sites in contact and names the devices that touch them.",
        cases(
            _next_matches,
            held="{count} times next named the devices in contact",
            unknown="the master sent no next to a device in contact",
        ),
        "a next after a contact",
    ),
    Oracle(
        "bins agree",
        "Every device goes into the hard bin that its program reported in the same touchdown.",
        cases(
            _bins_agree,
            held="{count} devices are in the bin their program reported",
            unknown="no device was sorted",
        ),
        "a device was sorted",
    ),
    Oracle(
        "no device is lost",
        "When the handler finishes a lot, it has sorted every device of it, or said which one it cannot sort.",
        cases(_none_lost, held="{count} lots were finished and no device forgotten", unknown="no lot was finished"),
        "the handler finished a lot",
    ),
    Oracle(
        "touchdowns end in bins or a soft error",
        "After a contact every device in it is sorted exactly once, or the master goes to soft error.",
        cases(
            _sorted_once,
            held="{count} touchdowns ended in one bin per device or in a soft error",
            unknown="no touchdown came to its end",
        ),
        "a contact that was not cut off by the end of the run",
    ),
)
