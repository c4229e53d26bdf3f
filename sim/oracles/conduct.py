"""Promises of programs that only dialect ``specification`` makes: nothing after idle, teardowns, ``Shutdown``.

Rules: a program that does not announce its teardowns cannot be judged by them; whatever the scenario did to a site
excuses its program.
"""

from collections.abc import Iterator, Sequence

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.courses import COMMANDED, FRAGMENT, Course, Step, courses
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.results import ENDED

ONLY = ("specification",)
_TOLD_BY = ("status", "log", "stdf")
"""What programs send that these promises are about."""


def _excused(facts: Facts, course: Course, last: Event, first: Event | None = None) -> bool:
    """Whether the scenario did anything to this site from ``first`` (the launch of this program) to ``last``, or
    before that to what is said in its name, which may come as late as now."""
    if facts.fault_between((first or course.launch).seq, last.seq, course.site) or facts.held_up(course.site, last):
        return True
    return any(facts.struck(facts.topics.program(kind, course.site), last) for kind in _TOLD_BY)


def _tell_teardowns(facts: Facts) -> bool:
    return any(step.what.endswith("_teardown") for course in facts.once(courses) for step in course.steps)


def _nothing_after_idle(facts: Facts) -> Iterator[Case]:
    for course in facts.once(courses):
        state, since, begin = "", course.launch, course.launch
        for step in course.steps:
            if step.what == FRAGMENT:
                if state == "testing":
                    yield None
                elif not _excused(facts, course, step.event, begin):
                    text = f"{course.who} sent STDF while it was {state or 'not ready'}"
                    yield Breach(text, step.event, (since,))
            elif step.what in ("idle", "testing", "error", "Shutdown"):
                if step.what == "testing" or state != "idle":
                    since = step.event
                begin = step.event if step.what == "testing" else begin
                state = step.what


def _cycles(facts: Facts) -> Iterator[tuple[Course, Sequence[Step]]]:
    """What each program said from ``testing`` to the next ``idle``, both included."""
    for course in facts.once(courses):
        begin: int | None = None
        for index, step in enumerate(course.steps):
            if step.what == "testing" and begin is None:
                begin = index
            elif step.what == "idle" and begin is not None:
                yield course, course.steps[begin : index + 1]
                begin = None


def _cycle_teardowns(facts: Facts) -> Iterator[Case]:
    if not _tell_teardowns(facts):
        return
    for course, steps in _cycles(facts):
        idle = steps[-1].event
        whats = [step.what for step in steps]
        count = whats.count("cycle_teardown")
        if _excused(facts, course, idle, steps[0].event):
            continue
        if count != 1:
            yield Breach(f"{course.who} ran cycle_teardown {count} times for one device, idle", idle, _of(steps))
        elif FRAGMENT in whats[whats.index("cycle_teardown") :]:
            text = f"{course.who} ran cycle_teardown before it had sent its whole result, idle"
            yield Breach(text, idle, _of(steps))
        else:
            yield None


def _of(steps: Sequence[Step]) -> tuple[Event, ...]:
    return (steps[0].event, *(step.event for step in steps if step.what == "cycle_teardown"))


def _program_teardowns(facts: Facts) -> Iterator[Case]:
    if not _tell_teardowns(facts):
        return
    for course in facts.once(courses):
        ran = [step for step in course.steps if step.what == "program_teardown"]
        at = course.index_of("program_teardown")
        if ran and _excused(facts, course, ran[-1].event):
            continue
        if len(ran) > 1:
            yield Breach(f"{course.who} ran program_teardown {len(ran)} times", ran[1].event, (ran[0].event,))
        elif at is not None:
            yield _teardown_in_place(facts, course, at)


def _teardown_in_place(facts: Facts, course: Course, at: int) -> Case:
    """After Terminate or a start-up error, and nothing but ``Shutdown`` or ``error`` is said after it."""
    step, before, after = course.steps[at], course.steps[:at], course.steps[at + 1 :]
    was_ready = any(one.what == "idle" for one in before)
    if not any(one.what == (COMMANDED if was_ready else "error") for one in before):
        return Breach(f"{course.who} ran program_teardown although nobody had told it to terminate", step.event)
    late = next((one for one in after if one.what in ("testing", "idle", FRAGMENT)), None)
    if late is not None and not _excused(facts, course, late.event):
        return Breach(f"{course.who} said {late.what} after its program_teardown", late.event, (step.event,))
    return None


def _shutdown(facts: Facts) -> Iterator[Case]:
    """Who ends well has announced Shutdown, after its program teardown and as its last state."""
    tells = _tell_teardowns(facts)
    for course in facts.once(courses):
        at = course.index_of("Shutdown")
        if course.exit is None and at is None:
            continue
        last = course.exit or course.steps[-1].event
        end = max(last, course.steps[-1].event, key=lambda event: event.seq) if course.steps else last
        if _excused(facts, course, end) or last.fields.get("wanted"):
            continue
        if at is None:
            code = last.fields["exit_code"]
            yield Breach(f"{course.who} ended with exit code 0 without Shutdown", last) if code == 0 else None
            continue
        said = course.steps[at].event
        later = next((one for one in course.steps[at + 1 :] if one.what not in (COMMANDED,)), None)
        if tells and "program_teardown" not in [one.what for one in course.steps[:at]]:
            yield Breach(f"{course.who} announced Shutdown before its program_teardown had run,", said)
        elif later is not None:
            yield Breach(f"{course.who} said {later.what} after Shutdown", later.event, (said,))
        else:
            yield None


def _has_error(facts: Facts) -> Iterator[Case]:
    ended = {result.event.seq: any(test.flag & ENDED for test in result.tests) for result in facts.results}
    for course, steps in _cycles(facts):
        idle = steps[-1].event
        if idle.seq not in ended or _excused(facts, course, idle, steps[0].event):
            continue
        for step in steps:
            if step.what != "cycle_teardown" or step.has_error is None:
                continue
            if step.has_error == ended[idle.seq]:
                yield None
            else:
                happened = "an exception ended a test" if ended[idle.seq] else "no exception ended a test"
                text = f"{course.who} told cycle_teardown has_error {step.has_error} although {happened},"
                yield Breach(text, step.event, (idle,))


def _start_up(facts: Facts) -> Iterator[Case]:
    for course in facts.once(courses):
        end = course.exit
        if end is None or end.fields["exit_code"] == 0 or end.fields.get("wanted"):
            continue
        if course.index_of("idle") is None and not _excused(facts, course, end):
            text = (
                f"{course.who} ended with exit code {end.fields['exit_code']} before it was ready, without a report"
            )
            yield None if course.index_of("error") is not None else Breach(text, end, (course.launch,))


CONDUCT_ORACLES = (
    Oracle(
        "nothing after idle",
        "A program sends STDF only while it tests: never before testing, never after idle.",
        cases(_nothing_after_idle, held="{count} fragments came while their program tested", unknown="no STDF came"),
        "a fragment",
        dialects=ONLY,
    ),
    Oracle(
        "cycle teardown follows every device",
        "A program runs cycle_teardown once for each device: after its whole result, before idle.",
        cases(
            _cycle_teardowns,
            held="{count} devices were followed by one cycle teardown",
            unknown="no program that announces its teardowns tested a device",
        ),
        "a device, by a program that announces its teardowns",
        dialects=ONLY,
    ),
    Oracle(
        "program teardown is the end",
        "A program runs program_teardown once at most, after Terminate or a start-up error, and tests no more.",
        cases(
            _program_teardowns,
            held="{count} programs tore down once and then ended",
            unknown="no program announced its program teardown",
        ),
        "a program teardown",
        dialects=ONLY,
    ),
    Oracle(
        "Shutdown follows the teardown",
        "A program that ends well has run program_teardown, then announced Shutdown, and nothing after it.",
        cases(
            _shutdown,
            held="{count} programs ended, those that ended well with Shutdown as their last word",
            unknown="no program ended by itself",
        ),
        "a program ended by itself",
        dialects=ONLY,
    ),
    Oracle(
        "has_error means an exception",
        "cycle_teardown is told has_error exactly when an exception ended a test of this device.",
        cases(
            _has_error,
            held="{count} times has_error was right",
            unknown="no program told what its cycle teardown was told",
        ),
        "a device whose program says what its cycle teardown was told",
        dialects=ONLY,
    ),
    Oracle(
        "start-up errors are reported",
        "A program that cannot start announces an error before it ends.",
        cases(
            _start_up,
            held="{count} programs reported why they could not start",
            unknown="every program could start",
        ),
        "a program ended by itself before it was ready",
        dialects=ONLY,
    ),
)
