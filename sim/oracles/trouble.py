"""Promises about trouble: deadlines hold, crashes end in soft error, soft errors say why, and the cell comes back.

Rules: the master's and the handler's states are those of their tables; a deadline is the timeout of the scenario,
else that of the table; :data:`SLACK_S` more is granted to cells that run in real time.
"""

from collections.abc import Iterator
from typing import NamedTuple

from drycell.runtime.protocol.table import Table
from drycell.sim.cell.result import DONE
from drycell.sim.kernel import Event
from drycell.sim.kernel.clock import NS_PER_S
from drycell.sim.oracles.base import Answer, Breach, Case, Oracle, at, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.interference import cuts_off
from drycell.sim.oracles.states import CRASH
from drycell.sim.oracles.touchdowns import Touchdown

SLACK_S = 0.25
REACTION_S = 1.0
"""How long the master may take to act on a message: the table grants no time, a real process needs some."""
BY_HAND = ("load", "next", "unload")
"""What the handler commands, and an operator may between its commands."""
LOADED = ("loading", "ready", "testing")
"""What the master announces while a program must not end."""
ALERT = (*LOADED, "unloading")
"""What the master announces while a crash matters."""


class Span(NamedTuple):
    """A role in one state. ``begin`` and ``end``: the events that entered and left it, None at the ends of the run.

    ``cut``: it did not end by the table; the role died and began anew.
    """

    state: str
    begin: Event | None
    begin_ns: int
    begin_seq: int
    end: Event | None
    cut: bool = False


def spans(facts: Facts, table: Table) -> list[Span]:
    """The states of ``table``'s role, in order, from the start of the run. Staying in a state is one span."""
    found: list[Span] = []
    role, state, begin, begin_ns, begin_seq = table.role, table.initial, None, 0, 0
    for event in facts.of_kind("state"):
        seq, t_ns, actor, _, fields = event
        if actor == role and fields["to"] != fields["from"]:
            found.append(Span(state, begin, begin_ns, begin_seq, event, fields["from"] != state))
            state, begin, begin_ns, begin_seq = fields["to"], event, t_ns, seq
    return [*found, Span(state, begin, begin_ns, begin_seq, None)] if found else []


def master_spans(facts: Facts) -> list[Span]:
    """The states of the master."""
    return spans(facts, facts.dialect.tables["master"])


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


# deadlines ---------------------------------------------------------------------------------------------------------


def _deadlines(facts: Facts) -> Iterator[Case]:
    for role in ("master", "handler"):
        table = facts.dialect.tables[role]
        for span in facts.once(master_spans) if role == "master" else spans(facts, table):
            timeout = table.timeout(span.state)
            if timeout is None or span.cut:
                continue
            limit_s = facts.timeout_s(timeout.name)
            took_s = ((span.end.t_ns if span.end else facts.end_ns) - span.begin_ns) / NS_PER_S
            if took_s > limit_s + SLACK_S:
                event = span.end or facts.events[-1]
                text = f"the {table.role} stayed {took_s:g} s in {span.state}, {timeout.name} is {limit_s:g} s"
                yield Breach(f"{text}; left", event, (span.begin,) if span.begin else ())
            else:
                yield None


def _results_in_time(facts: Facts) -> Iterator[Case]:
    """All sites say testing within ``testing_s`` of next, and send their results within ``results_s`` of that."""
    testing_s, results_s = facts.timeout_s("testing_s"), facts.timeout_s("results_s")
    for touchdown in facts.story.touchdowns:
        if touchdown.asked is None:
            continue
        begin = touchdown.asked.event
        late = [
            s for s in touchdown.parts if _is_late(facts, touchdown, s, begin, testing_s, touchdown.testing.get(s))
        ]
        if late:
            yield from _late(facts, touchdown, late[0], f"did not say testing within {testing_s:g} s of next", begin)
            continue
        if any(site not in touchdown.testing for site in touchdown.parts):
            continue
        together = max(touchdown.testing[site] for site in touchdown.parts)
        for site in touchdown.parts:
            last = touchdown.testing[site] if facts.dialect.stdf.fragments else together
            first = next(iter(touchdown.results.get(site, ())), None)
            if _is_late(facts, touchdown, site, last, results_s, first.event if first else None):
                whom = "it had" if facts.dialect.stdf.fragments else "all sites had"
                text = f"sent no result within {results_s:g} s after {whom} begun to test"
                yield from _late(facts, touchdown, site, text, last)
            elif first is not None:
                yield None


def _is_late(facts: Facts, touchdown: Touchdown, site: str, begin: Event, limit_s: float, came: Event | None) -> bool:
    """Whether ``came`` is missing at the deadline, while the master was still waiting for it."""
    deadline_ns = begin.t_ns + _ns(limit_s + SLACK_S)
    if came is not None:
        return came.t_ns > deadline_ns
    failed = touchdown.failed
    if failed is not None and failed.t_ns < begin.t_ns + _ns(limit_s):
        return False
    return facts.end_ns >= begin.t_ns + _ns(limit_s)


def _late(facts: Facts, touchdown: Touchdown, site: str, text: str, begin: Event) -> Iterator[Case]:
    if touchdown.disturbed(site) or (touchdown.asked is not None and _cut_off(facts, site, touchdown.asked.event)):
        return
    failed = touchdown.failed
    yield Breach(f"the program of site {site} {text}", begin, (failed,) if failed else ())


def _cut_off(facts: Facts, site: str, then: Event) -> bool:
    """Whether a fault had cut the program's connection, and it had not subscribed again."""
    cuts = (s.event.seq for s in facts.strikes if cuts_off(s) and s.concerns(site) and s.event.seq < then.seq)
    last_seq = max(cuts, default=None)
    return last_seq is not None and not any(last_seq < seq < then.seq for seq in facts.subscribed(site))


# crashes -----------------------------------------------------------------------------------------------------------


def _crashes(facts: Facts) -> Answer:
    """Every sign of a crash while programs are loaded is followed by a soft error within the master's deadline."""
    states = facts.once(master_spans)
    slowest_ns, count = 0, 0
    for event, what in _signs(facts):
        limit_ns = _limit_ns(facts, states, event)
        failed = next((s.begin for s in states if s.state == "softerror" and s.begin_seq > event.seq), None)
        if master_died(facts, event, limit_ns) or (failed is None and facts.end_ns < limit_ns):
            continue
        if failed is None or failed.t_ns > limit_ns:
            when = "never" if failed is None else f"only {(failed.t_ns - event.t_ns) / NS_PER_S:g} s later"
            limit_s = (limit_ns - event.t_ns) / NS_PER_S
            text = f"{what} {at(event)}, and the master went to soft error {when}"
            proof = (event.seq,) if failed is None else (event.seq, failed.seq)
            return Answer("violated", f"{text}; {limit_s:g} s were left", proof)
        count += 1
        slowest_ns = max(slowest_ns, failed.t_ns - event.t_ns)
    if not count:
        return Answer("unknown", "no program crashed while it was loaded")
    return Answer("holds", f"soft error at most {slowest_ns / NS_PER_S:.3f} s after a crash (signs of one: {count})")


def _signs(facts: Facts) -> Iterator[tuple[Event, str]]:
    found: list[tuple[Event, str]] = []
    for event in facts.of_kind("exit"):
        state, code = announced_by_master(facts, event), event.fields["exit_code"]
        if state in LOADED or (state == "unloading" and code != 0):
            found.append(
                (event, f"the program of site {event.actor.removeprefix('program')} ended (exit code {code})")
            )
    for heard in facts.program("status"):
        said = (heard.content or {}).get("state")
        if said in ("crash", "error") and announced_by_master(facts, heard.event) in ALERT:
            found.append((heard.event, f"the program of site {heard.site} announced {said}"))
    return iter(sorted(found, key=lambda sign: sign[0].seq))


def _span_at(states: list[Span], event: Event) -> Span | None:
    return next((span for span in reversed(states) if span.begin_seq <= event.seq), None)


def announced_by_master(facts: Facts, event: Event) -> str:
    """What the master announced last before ``event``."""
    span = _span_at(facts.once(master_spans), event)
    return "" if span is None else facts.dialect.tables["master"].published.get(span.state, span.state)


def master_died(facts: Facts, event: Event, until_ns: int) -> bool:
    """Whether the master died after ``event`` and by ``until_ns``: whatever it owed then, nobody owes any more."""
    return any(
        (s.state == CRASH and event.seq < s.begin_seq and s.begin_ns <= until_ns)
        or (s.cut and s.begin_seq <= event.seq and s.end is not None and event.seq < s.end.seq)
        for s in facts.once(master_spans)
    )


def _limit_ns(facts: Facts, states: list[Span], event: Event) -> int:
    """When the master must be in soft error: at once when it was told, else when the timeouts of its state are over.

    Without a timeout the next touchdown shows it: ``testing_s`` after that, or after the crash when none follows.
    """
    if event.kind == "message":
        return event.t_ns + _ns(REACTION_S)
    span = _span_at(states, event)
    timeout = None if span is None else facts.dialect.tables["master"].timeout(span.state)
    if span is None or timeout is None:
        begin_ns = span.end.t_ns if span is not None and span.end is not None else event.t_ns
        return begin_ns + _ns(facts.timeout_s("testing_s") + SLACK_S)
    seconds = facts.timeout_s(timeout.name)
    if span.state == "awaiting_testing":
        seconds += facts.timeout_s("results_s")
    return span.begin_ns + _ns(seconds + SLACK_S)


# soft errors -------------------------------------------------------------------------------------------------------


def _say_why(facts: Facts) -> Iterator[Case]:
    for heard in facts.heard("Master/status"):
        content = heard.content or {}
        if content.get("state") != facts.dialect.failed or facts.struck(heard.topic, heard.event):
            continue
        payload = content.get("payload")
        message = payload.get("message") if isinstance(payload, dict) else None
        yield None if message else Breach("the master announced a soft error without saying why", heard.event)


def _comes_back(facts: Facts) -> Answer:
    """After the last fault, or the first soft error when there is none, a reset leads to another sorted touchdown."""
    failed = (span.begin for span in facts.once(master_spans) if span.state == "softerror")
    cause = facts.strikes[-1].event if facts.strikes else next(failed, None)
    after = facts.reset_after_faults()
    if after is None or cause is None:
        return Answer("unknown", facts.why_no_reset if cause else "nothing went wrong")
    for event in facts.of_kind("sorted", "lot"):
        if event.seq > after.seq:
            took_s = (event.t_ns - after.t_ns) / NS_PER_S
            what = "a device was sorted" if event.kind == "sorted" else "the lot was unloaded"
            return Answer("holds", f"{what} {took_s:.3f} s after the operator's reset", (after.seq, event.seq))
    if facts.end == DONE:
        return Answer("unknown", "the lot was done before the operator's reset")
    by_hand = (e for e in facts.of_kind("operator") if e.seq > after.seq and e.fields["command"] in BY_HAND)
    if (deed := next(by_hand, None)) is not None:
        return Answer(
            "unknown", f"after the reset the operator commanded {deed.fields['command']} by hand {at(deed)}"
        )
    patience_s = sum(
        facts.timeout_s(name) for name in ("connecting_s", "loading_s", "testing_s", "results_s", "peripheral_s")
    )
    if facts.stopped and facts.end_ns - after.t_ns < _ns(patience_s):
        return Answer("unknown", "the run was stopped too soon after the operator's reset")
    text = f"no device was sorted any more after the operator's reset {at(after)}"
    return Answer("violated", text, (cause.seq, after.seq))


TROUBLE_ORACLES = (
    Oracle(
        "results in time",
        "Every program says testing and sends its result within the master's timeouts.",
        cases(
            _results_in_time,
            held="{count} results came before their deadline",
            unknown="no device was tested to its deadline",
        ),
        "a next whose result came, or whose deadline passed",
    ),
    Oracle(
        "deadlines are kept",
        "Master and handler never stay in a state longer than its timeout.",
        cases(_deadlines, held="{count} states with a deadline were left in time", unknown="no deadline was armed"),
        "master or handler entered a state with a timeout",
    ),
    Oracle(
        "crashes end in soft error",
        "Whenever a loaded program ends unasked, the master is in soft error before the timeout of its state is over "
        "(where it has none, of the next touchdown's); when a crash or an error is announced, within a second.",
        _crashes,
        "a program crashed while the master was loading, ready, testing or unloading",
    ),
    Oracle(
        "soft errors say why",
        "The master announces every soft error with a reason.",
        cases(_say_why, held="{count} soft errors came with a reason", unknown="there was no soft error"),
        "the master announced a soft error",
    ),
    Oracle(
        "the cell comes back",
        "When the faults have stopped and the operator has pressed reset, another touchdown is sorted.",
        _comes_back,
        "an operator's reset after the last fault, or after a soft error when the scenario has no fault",
    ),
)
