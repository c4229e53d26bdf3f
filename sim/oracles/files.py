"""Promises about what is kept of a lot: the test summaries and the STDF file tell what happened, even after a crash.

Rules: the master writes each well-formed result at once, in the order they came; a lot that is loaded again after an
error goes on in the same file; the file is judged against the results of the lot that its MIR names.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Answer, Breach, Case, Oracle, at, cases
from drycell.sim.oracles.facts import Facts, objects
from drycell.sim.oracles.interference import FILE_FAULTS
from drycell.sim.oracles.programs import lives
from drycell.sim.oracles.results import ENDED, PartResult
from drycell.sim.oracles.stdf_facts import RETEST, Part, StdfFacts

NO_FILE = Answer("unknown", "the run left no STDF file")


def _summaries(facts: Facts) -> Iterator[Case]:
    """A program's summary counts the executions and failures of each output since it was started."""
    everybody = facts.once(lives)
    for heard in facts.program("testsummary"):
        records = (heard.content or {}).get("payload")
        life = next(
            (life for life in reversed(everybody) if life.site == heard.site and life.launch.seq < heard.event.seq),
            None,
        )
        if life is None or not isinstance(records, list):
            continue
        if facts.tampered(heard.site, heard.event.seq):
            continue
        executed, failed = _counts(facts, heard.site, life.launch.seq, heard.event.seq)
        for record in objects(records):
            number = record.get("TEST_NUM")
            if not isinstance(number, int):
                yield Breach(f"the summary of site {heard.site} has a record without TEST_NUM", heard.event)
                continue
            for name, counts in (("EXEC_CNT", executed), ("FAIL_CNT", failed)):
                if record.get(name) != counts[number]:
                    text = f"the summary of site {heard.site} says {name} {record.get(name)} for test {number}, "
                    yield Breach(f"{text}its results make {counts[number]};", heard.event)
        yield None


def _counts(facts: Facts, site: str, first: int, last: int) -> tuple[Counter[int], Counter[int]]:
    outputs = [
        output
        for result in facts.results
        if result.site == site and first < result.event.seq < last
        for test in result.tests
        if not test.flag & ENDED
        for output in test.outputs
    ]
    return Counter([one.number for one in outputs]), Counter([one.number for one in outputs if not one.inside])


# the STDF file -----------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """A result that belongs into the file; ``maybe``: the master may have had reason not to write it."""

    part: Part
    result: PartResult
    maybe: bool


def _written(facts: Facts, lot: str) -> list[Written]:
    """What belongs into the file of ``lot``, in order.

    A result may be missing when it is malformed or of another device, was tampered with, or came while writing was
    hindered; in dialect specification also when it came, perhaps too late, after a system error.
    """
    hindered = [strike for strike in facts.strikes if strike.name in FILE_FAULTS]
    found = [Written(_part(stray), stray, True) for stray in facts.story.strays if stray.has_part]
    for touchdown in facts.story.touchdowns:
        if touchdown.lot != lot:
            continue
        for site, results in touchdown.results.items():
            disturbed = touchdown.disturbed(site)
            for result in results:
                if not result.has_part:
                    continue
                kept_out = facts.dialect.stdf.fragments and _came_after(touchdown.failed, result)
                refused = kept_out or bool(result.fault) or touchdown.parts.get(site) != result.part
                lost = any(strike.lasts_at(result.event) for strike in hindered)
                found.append(Written(_part(result), result, disturbed or refused or lost))
    return sorted(found, key=lambda one: one.result.event.seq)


def _came_after(failed: Event | None, result: PartResult) -> bool:
    return failed is not None and failed.seq < result.event.seq


def _file_fault(facts: Facts) -> bool:
    return any(strike.name in FILE_FAULTS for strike in facts.strikes)


def _stdf_agrees(facts: Facts) -> Answer:
    """Part by part the file holds the results in their order, and at its end the right counts."""
    stdf = facts.stdf
    if stdf is None:
        return NO_FILE
    if not stdf.finished:
        return Answer("unknown", "the lot was not finished: its STDF file has no MRR")
    if stdf.gaps:
        return Answer("violated", f"the STDF file of lot {stdf.lot} is damaged: {stdf.gaps[0]}", _end(facts))
    if stdf.strange:
        return Answer("violated", f"in the STDF file of lot {stdf.lot} {stdf.strange}", _end(facts))
    if _file_fault(facts):
        return Answer("unknown", "the scenario hindered the writing of the STDF file")
    results = _written(facts, stdf.lot)
    text, event = _first_difference(stdf, results)
    if text:
        return Answer("violated", text, (event.seq,) if event is not None else _end(facts))
    wrong = _wrong_counts(stdf) or _missing_summaries(facts, stdf)
    if wrong:
        return Answer("violated", f"in the STDF file of lot {stdf.lot} {wrong}", _end(facts))
    if not results:
        return Answer("unknown", "no device was tested")
    return Answer("holds", f"{len(results)} results stand in the STDF file, and its summaries count them right")


def _end(facts: Facts) -> tuple[int, ...]:
    return (facts.events[-1].seq,) if facts.events else ()


def _first_difference(stdf: StdfFacts, written: list[Written]) -> tuple[str, Event | None]:
    """Where the file and the results part, "" for nowhere; what may be missing may be passed over."""
    places = {0}
    for number, part in enumerate(stdf.parts, start=1):
        following = {after for place in places for after in _places_after(part, written, place)}
        if not following:
            return _difference(number, part, written, max(places))
        places = following
    if any(all(one.maybe for one in written[place:]) for place in places):
        return "", None
    missing = next(one.result for one in written[max(places) :] if not one.maybe)
    text = f"the STDF file holds {len(stdf.parts)} of {len(written)} results; missing is part {missing.part} of site"
    return f"{text} {missing.site}, which came {at(missing.event)}", missing.event


def _places_after(part: Part, written: list[Written], place: int) -> Iterator[int]:
    """Where one can be in ``written`` after ``part`` was found at ``place`` or behind results that may be missing."""
    while place < len(written):
        if written[place].part == part:
            yield place + 1
        if not written[place].maybe:
            return
        place += 1


def _difference(number: int, part: Part, written: list[Written], place: int) -> tuple[str, Event | None]:
    said = f"device {number} of the STDF file is {_words(part)}"
    due = next((one for one in written[place:] if not one.maybe), None)
    if due is None:
        return f"{said}, for which no result ever came", None
    return f"{said}; the result was {_words(due.part)} {at(due.result.event)}", due.result.event


def _part(result: PartResult) -> Part:
    flag = result.part_flag & ~RETEST
    return Part(result.told_site, result.part, result.hard_bin, result.soft_bin, flag, result.test_records)


def _words(part: Part) -> str:
    bins = f"bins {part.soft_bin}/{part.hard_bin}, PART_FLG {part.part_flag}"
    return f"part {part.part} of site {part.site} ({bins}, {part.tests} test records)"


def _wrong_counts(stdf: StdfFacts) -> str:
    if stdf.counted != len(stdf.parts):
        return f"PART_CNT over all sites is {stdf.counted}, but there are {len(stdf.parts)} PRR"
    for name, said, found in (
        ("HBR", stdf.hard_bins, Counter(part.hard_bin for part in stdf.parts)),
        ("SBR", stdf.soft_bins, Counter(part.soft_bin for part in stdf.parts)),
    ):
        for number in sorted({*said, *found}):
            if said[number] != found[number]:
                return f"{name} counts {said[number]} devices in bin {number}, but {found[number]} PRR name it"
    return ""


def _missing_summaries(facts: Facts, stdf: StdfFacts) -> str:
    """Which summary that came since the lot was loaded last has no TSR in the file."""
    loaded = max((heard.event.seq for heard in facts.heard("Control/cmd")), default=0)
    for heard in facts.program("testsummary"):
        counts = heard.event.seq > loaded and (heard.content or {}).get("payload")
        if counts and heard.site not in stdf.summed_up and not facts.tampered(heard.site, heard.event.seq):
            return f"there is no TSR of site {heard.site}, whose program sent its summary"
    return ""


def _stdf_recoverable(facts: Facts) -> Answer:
    """After a crash the file is readable to its last byte, and holds every result that came."""
    trouble = _first_trouble(facts)
    if trouble is None:
        return Answer("unknown", "nothing went wrong")
    stdf = facts.stdf_read_thoroughly
    if stdf is None:
        return NO_FILE
    proof = (trouble.seq,)
    if stdf.first[:2] != ("FAR", "MIR"):
        return Answer("violated", f"the STDF file does not begin with FAR and MIR {_after(trouble)}", proof)
    if stdf.gaps and not _file_fault(facts):
        return Answer("violated", f"the STDF file is damaged {_after(trouble)}: {stdf.gaps[0]}", proof)
    if stdf.strange or stdf.open_parts:
        text = stdf.strange or f"{stdf.open_parts} devices have a PIR and no PRR"
        return Answer("violated", f"the STDF file is out of order {_after(trouble)}: {text}", proof)
    results = _written(facts, stdf.lot)
    text, event = _first_difference(stdf, results)
    if text:
        seqs = {*proof, *((event.seq,) if event is not None else ())}
        return Answer("violated", f"{text}; the trouble began {at(trouble)}", tuple(sorted(seqs)))
    if not results:
        return Answer("unknown", f"no result had come when the trouble began {at(trouble)}")
    return Answer(
        "holds",
        f"the STDF file holds {len(stdf.parts)} of {len(results)} results, all that could be "
        f"written, although there was trouble {at(trouble)}",
    )


def _after(trouble: Event) -> str:
    return f"after the trouble {at(trouble)}"


def _first_trouble(facts: Facts) -> Event | None:
    """The first fault, crash, problem or soft error."""
    found = [
        *(strike.event for strike in facts.strikes),
        *facts.of_kind("problem"),
        *(e for e in facts.of_kind("exit") if e.fields["exit_code"] != 0),
        *(e for e in facts.of_kind("state") if e.actor == "master" and e.fields["to"] == "softerror"),
    ]
    return min(found, key=lambda event: event.seq, default=None)


FILE_ORACLES = (
    Oracle(
        "summaries count the results",
        "The summary of a program counts the executions and failures of each output since the program was started.",
        cases(
            _summaries,
            held="{count} summaries count what their programs had reported",
            unknown="no program sent a summary",
        ),
        "a test summary",
        dialects=("semi-ate",),
    ),
    Oracle(
        "stdf agrees",
        "The STDF file of a finished lot holds every result once, in order, and all summaries, which count right.",
        _stdf_agrees,
        "a finished STDF file and a result",
    ),
    Oracle(
        "stdf is recoverable",
        "Whatever went wrong, the STDF file is readable to its end and holds every result that came.",
        _stdf_recoverable,
        "a fault, a problem, a crash or a soft error, a result, and an STDF file",
    ),
)
