"""Every role announces only states that its table allows, in an order that its table allows."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts, Heard

CRASH = "crash"
"""The state a last will announces; it may come after any state, and only a new start may follow."""

Place = tuple[str, str, tuple[str, ...]]
"""Where a role announces its state, what to call it, and the keys that lead to the state."""

_PLACES: dict[str, Place] = {
    "master": ("Master/status", "the master", ("state",)),
    "control": ("Control/status", "the control of site {site}", ("payload", "state")),
    "sequencer": ("TestApp/status", "the test program of site {site}", ("state",)),
    "handler": ("Handler/status", "the handler", ("payload", "state")),
}


def _state(heard: Heard, path: tuple[str, ...]) -> str:
    value: object = heard.content
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value)


def announcements(facts: Facts, role: str) -> Iterator[tuple[Event, str, str]]:
    """Every announcement of a role (``sequencer``: the programs): the event, its site ("" for none), the state."""
    place, _, path = _PLACES[role]
    return ((heard.event, heard.site, _state(heard, path)) for heard in facts.heard(place))


def _starts(facts: Facts) -> dict[str, list[int]]:
    """When the programs of each site were started: event numbers."""
    found: dict[str, list[int]] = {}
    for event in facts.of_kind("launch"):
        found.setdefault(event.actor.removeprefix("program"), []).append(event.seq)
    return found


def _follows(role: str) -> Callable[[Facts], Iterator[Case]]:
    place, who, path = _PLACES[role]
    of_sites = "{site}" in who

    def find(facts: Facts) -> Iterator[Case]:
        table = facts.dialect.tables[role]
        steps, first = table.published_steps, table.first_published
        fresh = {CRASH, *(table.published.get(state, state) for state in table.final)}
        starts = _starts(facts) if role == "sequencer" else {}
        last: dict[str, tuple[str, Heard]] = {}
        for heard in facts.heard(place):
            if of_sites and not heard.site:
                continue  # on nobody's topic: that is another promise
            state, before = _state(heard, path), last.get(heard.site)
            last[heard.site] = (state, heard)
            if before is not None and _restarted(starts, before[1], heard):
                before = None
            allowed = first if before is None or before[0] in fresh else steps.get(before[0], first)
            if state == CRASH or state in allowed or _excused(facts, before, heard):
                yield None
                continue
            came = f"after {before[0]}" if before else "first"
            others = () if before is None else (before[1].event,)
            yield Breach(f"{who.format(site=heard.site)} announced {state} {came}", heard.event, others)

    return find


def _restarted(starts: Mapping[str, Sequence[int]], before: Heard, after: Heard) -> bool:
    seqs = starts.get(after.site)
    return seqs is not None and any(before.event.seq < seq < after.event.seq for seq in seqs)


def _excused(facts: Facts, before: tuple[str, Heard] | None, heard: Heard) -> bool:
    """Whether the scenario tampered with an announcement before, which may come later than this one, again, or never;
    or with this site since its last announcement or in this touchdown."""
    if facts.struck(heard.topic, heard.event):
        return True
    if not heard.site:
        return False
    seq = before[1].event.seq if before else 0
    begin = next((t.event.seq for t in reversed(facts.story.touchdowns) if t.event.seq < heard.event.seq), seq)
    return facts.fault_between(min(seq, begin), heard.event.seq, heard.site)


STATE_ORACLES = tuple(
    Oracle(
        f"{role} states follow the table",
        f"Every state that a {role} announces may follow the one before, by the table of its role.",
        cases(
            _follows(role),
            held="{count} announcements follow the table",
            unknown="no state was announced",
        ),
        f"a {role} announced a state",
    )
    for role in ("master", "control", "sequencer", "handler")
)
