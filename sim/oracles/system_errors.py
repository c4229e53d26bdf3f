"""Promises of the master that only dialect ``specification`` makes: system errors, and actuators torn down.

Rule: nothing that a scenario does excuses the master, but its death.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from drycell.runtime.protocol.specification import TEARDOWN
from drycell.sim.kernel import Event, ns
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.courses import COMMANDED, FRAGMENT, Course, Step, courses
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.trouble import (
    ALERT,
    REACTION_S,
    SLACK_S,
    Span,
    announced_by_master,
    master_died,
    master_spans,
)

ONLY = ("specification",)


def _system_errors(facts: Facts) -> Iterator[Case]:
    """STDF outside a test, and a result that is not complete in time, put the master into error."""
    window = facts.dialect.tables["site"].timeout("testing")
    assert window is not None
    limit_s = facts.timeout_s(window.name)
    for course in facts.once(courses):
        state = ""
        for step, following in pairwise([*course.steps, None]):
            assert step is not None
            if step.what == FRAGMENT and state in ("idle", "Shutdown", ""):
                yield from _in_error(facts, step.event, ns(REACTION_S), f"{course.who} sent STDF out of turn")
            if step.what in ("idle", "testing", "error", "Shutdown"):
                state = step.what
            if step.what != "testing" and not (step.what == FRAGMENT and window.renewed_by):
                continue
            if not window.renewed_by:
                following = _end_of_test(course, step)
            came_ns = following.event.t_ns if following else (course.exit.t_ns if course.exit else None)
            if came_ns is None or came_ns > step.event.t_ns + ns(limit_s):
                text = f"{course.who} was not done within {limit_s:g} s of testing"
                yield from _in_error(facts, step.event, ns(limit_s + SLACK_S), text)


def _end_of_test(course: Course, begin: Step) -> Step | None:
    later = (step for step in course.steps if step.event.seq > begin.event.seq)
    return next((step for step in later if step.what not in (FRAGMENT, "cycle_teardown", COMMANDED)), None)


def _in_error(facts: Facts, event: Event, within_ns: int, what: str) -> Iterator[Case]:
    if announced_by_master(facts, event) not in ALERT:
        return
    failed = next((s.begin for s in _errors(facts) if s.begin is not None and s.begin.seq > event.seq), None)
    until_ns = event.t_ns + within_ns
    if master_died(facts, event, until_ns) or (failed is None and facts.end_ns < until_ns):
        return
    if failed is None or failed.t_ns > until_ns:
        when = "never" if failed is None else f"only {(failed.t_ns - event.t_ns) / 1e9:g} s later"
        yield Breach(f"{what}, and the master went into error {when};", event, (failed,) if failed else ())
    else:
        yield None


def _errors(facts: Facts) -> Iterator[Span]:
    return (span for span in facts.once(master_spans) if span.state == "softerror")


def _actuators(facts: Facts) -> Iterator[Case]:
    """Each time the master falls into error, and at the end of each lot, every actuator is torn down once.

    What happens in one instant is counted together: the next cause may come before the requests for the one before.
    """
    asked: dict[str, list[Event]] = {}
    for heard in facts.heard("Peripheral/request"):
        if (heard.content or {}).get("ioctl_name") == TEARDOWN:
            asked.setdefault(heard.peripheral, []).append(heard.event)
    causes = list(_causes(facts))
    at_once = [list(group) for _, group in groupby(causes, key=lambda cause: cause.t_ns)]
    for group, following in pairwise([*at_once, None]):
        assert group is not None
        first_seq, last_seq = group[0].seq, following[0].seq if following else facts.events[-1].seq
        if any(
            "/io-control/" in strike.topic for strike in facts.strikes if first_seq < strike.event.seq <= last_seq
        ):
            continue
        for actuator in facts.actuators:
            found = [event for event in asked.get(actuator, ()) if first_seq < event.seq <= last_seq]
            yield _torn_down(facts, actuator, group[-1], found, len(group))
    begin_seq = causes[0].seq if causes else facts.end_seq
    for events in asked.values():
        if events[0].seq < begin_seq:
            yield Breach("the master tore actuators down without a cause", events[0])


def _causes(facts: Facts) -> Iterator[Event]:
    before = ""
    for span in facts.once(master_spans):
        if span.begin is not None and (
            span.state == "parking" or (span.state == "softerror" and before != "parking")
        ):
            yield span.begin
        before = span.state


def _torn_down(facts: Facts, actuator: str, cause: Event, asked: Sequence[Event], times: int) -> Case:
    why = "after its error" if cause.fields["to"] == "softerror" else "at the end of the lot"
    if len(asked) != times:
        return Breach(
            f"the master asked actuator {actuator} for Teardown {len(asked)} times {why}", cause, tuple(asked)
        )
    if cause.fields["to"] == "parking":
        orphans = [strike for strike in facts.strikes if strike.name == "orphan"]
        there = (
            course
            for course in facts.once(courses)
            if course.launch.seq < asked[0].seq and not any(orphan.concerns(course.site) for orphan in orphans)
        )
        alive = next((c for c in there if c.exit is None or c.exit.seq > asked[0].seq), None)
        if alive is not None:
            text = f"the master tore actuator {actuator} down while {alive.who} still ran,"
            return Breach(text, asked[0], (alive.launch,))
    return None


SYSTEM_ERROR_ORACLES = (
    Oracle(
        "broken rules are system errors",
        "STDF outside a test, and a result that is not complete within its 15 s, put the master into error.",
        cases(
            _system_errors,
            held="{count} times the master went into error as it must",
            unknown="every program sent its STDF in turn and in time",
        ),
        "a fragment outside a test, or a result that came too late",
        dialects=ONLY,
    ),
    Oracle(
        "actuators are torn down",
        "The master asks every actuator for Teardown once for each error, and once when a lot's programs have ended.",
        cases(
            _actuators,
            held="{count} times an actuator was asked for Teardown, once each",
            unknown="there was neither an error nor the end of a lot, or no actuator",
        ),
        "an error or the end of a lot, in a cell with actuators",
        dialects=ONLY,
    ),
)
