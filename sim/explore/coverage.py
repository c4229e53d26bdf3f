"""What a run has reached: role states, rows of the tables, messages and faults, out of its journal. Pure.

Rules
- A *feature* is something that happened in a state: a row of a role's table was taken, a message of some kind passed
  the broker or a fault struck while the master was in that state, an oracle came to an answer.
- What could be reached follows from the dialect's tables, the kinds of messages and the palette.
- States of modelled roles are in the journal as they are. A real program's are those that it announces.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.table import ANY, Table
from drycell.runtime.protocol.topics import Topics
from drycell.sim.faults.select import MessageName, kind_of
from drycell.sim.kernel import Event

_COMMAND = re.compile(r'"command": ?"(\w+)"')
_ANNOUNCED = re.compile(r'"state": ?"(\w+)"')
_NUMBER = re.compile(r"\d+$")
_SPOKEN = ("program-command", "control-command")
"""Kinds of messages that are known by the command in them."""


class Feature(NamedTuple):
    """``what`` happened in ``state`` of ``role``; ``group``: row, message, fault, said or answer."""

    group: str
    role: str
    state: str
    what: str


def features(events: Iterable[Event], topics: Topics, dialect: Dialect) -> set[Feature]:
    """The features of one journal; without the answers of the oracles (:func:`answers`)."""
    found: set[Feature] = set()
    kinds: dict[str, str] = {}
    master = dialect.tables["master"].initial
    for event in events:
        fields = event.fields
        if event.kind == "state":
            role = _NUMBER.sub("", event.actor)
            found.add(Feature("row", role, fields["from"], fields["event"]))
            if role == "master":
                master = fields["to"]
        elif event.kind == "message":
            topic, payload = fields["topic"], fields.get("payload", "")
            kind = kinds.get(topic) or kinds.setdefault(topic, kind_of(topics, topic))
            if kind in _SPOKEN:
                kind = next(iter(_COMMAND.findall(payload)), kind)
            elif kind == "status":
                found.update(Feature("said", "sequencer", state, "") for state in _ANNOUNCED.findall(payload)[:1])
            if kind:
                found.add(Feature("message", "master", master, kind))
        elif event.kind in ("fault", "effect"):
            found.add(Feature("fault", "master", master, str(fields.get("fault"))))
        elif event.kind == "operator":
            found.add(Feature("fault", "master", master, "operator"))
    return found


def answers(verdicts: Iterable[tuple[str, str]]) -> set[Feature]:
    """The features of the oracles' answers, given as (name, verdict)."""
    return {Feature("answer", "oracle", verdict, name) for name, verdict in verdicts}


def reachable(dialect: Dialect, faults: Sequence[str], oracles: Sequence[str]) -> set[Feature]:
    """All that any run could reach by the tables, the kinds of messages, ``faults`` and ``oracles``.

    Whether the peers ever get there is another question: the report says what nobody has seen yet.
    """
    master = dialect.tables["master"]
    announced = (table for table in dialect.tables.values() if table.published)
    found = {feature for table in announced for feature in _rows(table)}
    for state in master.states:
        found |= {Feature("message", "master", state, kind) for kind in get_args(MessageName) if kind not in _SPOKEN}
        found |= {Feature("fault", "master", state, fault) for fault in faults}
    said = {*dialect.tables["sequencer"].published.values(), *_ANNOUNCED.findall(json.dumps(dialect.program.will()))}
    found |= {Feature("said", "sequencer", state, "") for state in said}
    return found | {Feature("answer", "oracle", "holds", name) for name in oracles}


def _rows(table: Table) -> Iterator[Feature]:
    for row in table.transitions:
        states = (row.state,) if row.state != ANY else tuple(s for s in table.states if s not in table.final)
        for state in states:
            if table.find(state, row.event) is row:
                yield Feature("row", table.role, state, row.event)


@dataclass
class Coverage:
    """How often each feature was reached over many runs, of all that ``possible`` names."""

    possible: frozenset[Feature] = frozenset()
    runs: int = 0
    counts: Counter[Feature] = field(default_factory=Counter)

    def add(self, reached: Iterable[Feature]) -> int:
        """Count one run; returns how many of its features nobody had reached before."""
        self.runs += 1
        listed = list(reached)
        new = sum(1 for feature in listed if feature not in self.counts)
        self.counts.update(listed)
        return new

    def rarity(self, feature: Feature) -> float:
        """1 for what a single run has reached, towards 0 for what every run reaches."""
        return 1.0 / max(1, self.counts[feature])

    def missing(self, group: str) -> list[Feature]:
        """What was never reached, in order."""
        return sorted(feature for feature in self.possible - self.counts.keys() if feature.group == group)

    def to_json(self) -> dict[str, Any]:
        """Runs, and for each group what was reached how often and what never."""
        return {
            "runs": self.runs,
            "reached": len(self.counts),
            "groups": {group: self._group(group) for group in GROUPS},
        }

    def _group(self, group: str) -> dict[str, Any]:
        reached = sorted(feature for feature in self.counts if feature.group == group)
        possible = {feature for feature in self.possible if feature.group == group}
        return {
            "possible": len(possible),
            "reached": [{**_named(feature), "runs": self.counts[feature]} for feature in reached],
            "never": [_named(feature) for feature in self.missing(group)],
        }

    def sentences(self) -> list[str]:
        """The coverage for people: a line per group, and what was never reached as far as it fits into lines."""
        lines = []
        for group, name in GROUPS.items():
            possible = {feature for feature in self.possible if feature.group == group}
            seen = len(possible & self.counts.keys())
            lines.append(f"{name}: {seen} of {len(possible)}")
            never = _WHAT_IS_MISSING[group](self) if seen < len(possible) else []
            if never:
                lines.append(f"  never: {', '.join(never)}")
        return lines


def _missing_rows(coverage: Coverage) -> list[str]:
    by_role: dict[str, list[str]] = {}
    for feature in coverage.missing("row"):
        by_role.setdefault(feature.role, []).append(f"{feature.state}/{feature.what}")
    return [f"{role} {' '.join(rows)}" for role, rows in by_role.items()]


def _nowhere(group: str) -> Any:
    """What was reached in no state at all."""

    def find(coverage: Coverage) -> list[str]:
        reached = {feature.what for feature in coverage.counts if feature.group == group}
        return sorted({feature.what for feature in coverage.possible if feature.group == group} - reached)

    return find


GROUPS: Mapping[str, str] = {
    "row": "rows of the state tables",
    "said": "states announced by programs",
    "message": "kinds of messages, by state of the master",
    "fault": "faults, by state of the master",
    "answer": "oracles put to the test",
}
"""Group of features -> what it is called in a report."""
_WHAT_IS_MISSING: Mapping[str, Any] = {
    "row": _missing_rows,
    "said": lambda coverage: [feature.state for feature in coverage.missing("said")],
    "message": _nowhere("message"),
    "fault": _nowhere("fault"),
    "answer": _nowhere("answer"),
}


def _named(feature: Feature) -> dict[str, str]:
    return {key: value for key, value in feature._asdict().items() if value and key != "group"}
