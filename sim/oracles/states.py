"""Every role announces only states that its table allows, in an order that its table allows."""

from collections.abc import Callable, Iterator

from drycell.runtime.protocol.semi_ate import CONTROL, HANDLER, MASTER, SEQUENCER
from drycell.runtime.protocol.table import Table
from drycell.sim.oracles.base import Answer, Oracle, at
from drycell.sim.oracles.facts import Facts, Heard

CRASH = "crash"
"""The state a last will announces; it may come after any state, and only a new start may follow."""

Announcements = Iterator[tuple[str, str, Heard]]
"""(whose, state, message)"""


def _programs(facts: Facts) -> Announcements:
    for heard in facts.program("status"):
        yield f"the test program of site {heard.site}", _state(heard, "state"), heard


def _controls(facts: Facts) -> Announcements:
    start = f"ate/{facts.device_id}/Control/status/"
    for heard in facts.messages:
        if heard.topic.startswith(start):
            yield f"the control of site {heard.site}", _state(heard, "payload", "state"), heard


def _master(facts: Facts) -> Announcements:
    for heard in facts.messages:
        if heard.topic == facts.topics.master_status:
            yield "the master", _state(heard, "state"), heard


def _handler(facts: Facts) -> Announcements:
    for heard in facts.messages:
        if heard.topic == facts.topics.handler_status:
            yield "the handler", _state(heard, "payload", "state"), heard


def _state(heard: Heard, *path: str) -> str:
    value: object = heard.content
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value)


def _follows(table: Table, announcements: Callable[[Facts], Announcements]) -> Callable[[Facts], Answer]:
    steps, first = table.published_steps(), table.first_published()

    def check(facts: Facts) -> Answer:
        last: dict[str, tuple[str, Heard]] = {}
        count = 0
        for who, state, heard in announcements(facts):
            count += 1
            before = last.get(who)
            if before is None or before[0] in (CRASH, *table.final):
                allowed = first
            else:
                allowed = steps[before[0]]
            if state != CRASH and state not in allowed:
                came = f"after {before[0]}" if before else "first"
                proof = (heard.event.seq,) if before is None else (before[1].event.seq, heard.event.seq)
                return Answer("violated", f"{who} announced {state} {came} {at(heard.event)}", proof)
            last[who] = (state, heard)
        if not count:
            return Answer("unknown", "no state was announced")
        return Answer("holds", f"{count} announcements follow the table")

    return check


STATE_ORACLES = tuple(
    Oracle(
        f"{table.role} states follow the table",
        f"Every state that a {table.role} announces may follow the one before, by the table of its role.",
        _follows(table, announcements),
    )
    for table, announcements in (
        (MASTER, _master),
        (CONTROL, _controls),
        (SEQUENCER, _programs),
        (HANDLER, _handler),
    )
)
