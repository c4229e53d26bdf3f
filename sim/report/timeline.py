"""The timeline of a report: every event of a run in columns that are small when written as JSON.

Rules
- An event is (time step, template, arguments). Its template holds what repeats: kind, lane, receivers, state, marks
  and the text with a gap for every number; the arguments are those numbers.
- Times are whole steps of the largest unit that divides all of them, as differences to the event before.
- Free text that never repeats may not blow the file up: beyond ``MOST_TEMPLATES`` an event says its kind only, and
  where to read it.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event
from drycell.sim.report.lanes import in_order

GAP = "\x1f"
MOST_TEMPLATES = 6000
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PIECES = re.compile(f"({GAP})")
_BAD_KINDS = frozenset({"problem", "timeout", "refused", "dropped"})
BAD_STATES = frozenset({"softerror", "error", "crash"})
FAULT, BAD, STDF_WRITE, STATE, EFFECT = 1, 2, 4, 8, 16


class Row(NamedTuple):
    """One event as a timeline tells it."""

    seq: int
    t_ns: int
    kind: str
    lane: str
    to: tuple[str, ...]
    state: str
    marks: int
    text: str


_Key = tuple[str, str, tuple[str, ...], str, int, str]


def marks_of(event: Event, state: str, *, to_stdf: bool) -> int:
    """What stands out about an event, as bits: FAULT, EFFECT of one, BAD, STDF_WRITE, STATE (of its lane)."""
    marks = STATE if state else 0
    if event.kind == "fault":
        marks |= FAULT
    elif event.kind == "effect" and not event.fields.get("missed"):
        marks |= EFFECT
    ended_badly = event.kind == "exit" and event.fields.get("exit_code") != 0 and not event.fields.get("wanted")
    if event.kind in _BAD_KINDS or state in BAD_STATES or ended_badly or event.fields.get("will"):
        marks |= BAD
    return marks | STDF_WRITE if to_stdf else marks


@dataclass(slots=True)
class Timeline:
    """Feed it with :meth:`add`; :meth:`packed` is what the page gets."""

    first_seq: int = 1
    times_ns: list[int] = field(default_factory=list)
    _rows: list[int] = field(default_factory=list)
    _arguments: list[str] = field(default_factory=list)
    _templates: dict[_Key, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times_ns)

    def add(self, event: Event, lane: str, to: tuple[str, ...], text: str, *, state: str, marks: int) -> None:
        """Append ``event``. Raises DrycellError when the journal's numbers are not consecutive."""
        if not self.times_ns:
            self.first_seq = event.seq
        elif event.seq != self.first_seq + len(self.times_ns):
            expected = self.first_seq + len(self.times_ns)
            raise DrycellError(f"the journal is damaged: event {event.seq} stands where event {expected} should be")
        numbers = _NUMBER.findall(text)
        key = (event.kind, lane, to, state, marks, _NUMBER.sub(GAP, text) if numbers else text)
        row = self._templates.get(key)
        if row is None:
            if len(self._templates) >= MOST_TEMPLATES and not marks & (FAULT | BAD | EFFECT):
                key, numbers = (event.kind, lane, to, state, marks, f"{event.kind} …"), []
            row = self._templates.setdefault(key, len(self._templates))
        self.times_ns.append(event.t_ns)
        self._rows.append(row)
        self._arguments.append(" ".join(numbers))

    def time_of(self, seq: int) -> int | None:
        """When event ``seq`` happened; None when there is no such event."""
        index = seq - self.first_seq
        return self.times_ns[index] if 0 <= index < len(self.times_ns) else None

    def lane_of(self, seq: int) -> str:
        """The lane of event ``seq``; empty when there is no such event."""
        index = seq - self.first_seq
        return list(self._templates)[self._rows[index]][1] if 0 <= index < len(self._rows) else ""

    def rows(self) -> Iterator[Row]:
        """All events again, in order."""
        keys = list(self._templates)
        for index, (t_ns, row) in enumerate(zip(self.times_ns, self._rows, strict=True)):
            kind, lane, to, state, marks, text = keys[row]
            numbers = iter(self._arguments[index].split(" "))
            told = "".join(piece if piece != GAP else next(numbers) for piece in _PIECES.split(text))
            yield Row(self.first_seq + index, t_ns, kind, lane, to, state, marks, told)

    def lanes(self, also: tuple[str, ...] = ()) -> list[str]:
        """All lanes in their order; ``also``: some that may have no event."""
        return in_order(
            [*also, *(key[1] for key in self._templates), *(to for key in self._templates for to in key[2])]
        )

    def packed(self, lanes: list[str]) -> dict[str, Any]:
        """The columns: ``t`` and ``e`` lists of integers, ``a`` one text with a line per event."""
        unit = math.gcd(*self.times_ns) or 1
        before, steps = 0, []
        for time in self.times_ns:
            steps.append((time - before) // unit)
            before = time
        place = {lane: index for index, lane in enumerate(lanes)}
        kinds = list(dict.fromkeys(key[0] for key in self._templates))
        kind_place = {kind: index for index, kind in enumerate(kinds)}
        templates = [
            [kind_place[kind], place[lane], [place[name] for name in to], state, marks, text]
            for kind, lane, to, state, marks, text in self._templates
        ]
        return {
            "first": self.first_seq,
            "unit_ns": unit,
            "lanes": lanes,
            "kinds": kinds,
            "templates": templates,
            "t": steps,
            "e": self._rows,
            "a": "\n".join(self._arguments),
        }
