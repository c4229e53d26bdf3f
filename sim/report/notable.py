"""The few events of a journal that stories are made of: faults, ends, soft errors, timeouts, operators.

Rules
- Of a kind that may come in masses the first ``MOST_OF_A_KIND`` are kept, of all others ``MOST``.
- What is regular (touchdowns, results, states of a lot that goes well) is not notable; the last contact and the last
  result of each site are remembered, because a story has to say who did not answer.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drycell.sim.kernel.journal import Event
from drycell.sim.report.lanes import MASTER
from drycell.sim.report.timeline import BAD, FAULT

MOST = 5000
MOST_OF_A_KIND = 1000
_ALWAYS = frozenset({"fault", "exit", "state", "timeout", "end", "lot"})
_KINDS = frozenset({"fault", "exit", "problem", "timeout", "operator", "refused", "dropped", "lot", "end", "effect"})


class Notable(NamedTuple):
    """One event in a story. ``state``: what its lane enters or announces, if it does."""

    seq: int
    t_ns: int
    lane: str
    kind: str
    state: str
    marks: int
    text: str
    fields: Mapping[str, Any]


class Contact(NamedTuple):
    """One touchdown. ``parts``: site -> part id."""

    seq: int
    touchdown: int
    parts: Mapping[str, str]


@dataclass(slots=True)
class NotableLog:
    """Feed it every event with :meth:`take`."""

    events: list[Notable] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    last: Notable | None = None
    logs: dict[str, list[Notable]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    contacts: list[Contact] = field(default_factory=list)
    sorted_at: list[int] = field(default_factory=list)

    def contact(self, event: Event) -> None:
        """Devices touch the sites."""
        parts = {str(entry["site"]): str(entry["part"]) for entry in event.fields.get("sites", ())}
        self.contacts.append(Contact(event.seq, int(event.fields["touchdown"]), parts))

    def contact_before(self, seq: int) -> "Contact | None":
        """The last contact not after event ``seq``."""
        index = bisect_right(self.contacts, seq, key=lambda contact: contact.seq)
        return self.contacts[index - 1] if index else None

    def sorted_before(self, seq: int) -> int:
        """How many devices were put into bins until event ``seq``, each time counted."""
        return bisect_right(self.sorted_at, seq)

    def take(self, event: Notable) -> None:
        """Keep ``event`` if it is notable."""
        self.last = event
        if event.lane == MASTER and event.kind == "state" and event.state == "ready":
            self.ready.append(event.seq)
        if event.kind == "message" and "/log/" in str(event.fields.get("topic")):
            lines = self.logs.setdefault(event.lane, [])
            lines.append(event)
            del lines[:-8]
            return
        if event.kind in _KINDS or event.marks & (FAULT | BAD):
            self.counts[event.kind] += 1
            if self.counts[event.kind] <= (MOST if event.kind in _ALWAYS else MOST_OF_A_KIND):
                self.events.append(event)

    def of_kind(self, *kinds: str) -> Iterator[Notable]:
        """Notable events of these kinds, in order."""
        return (event for event in self.events if event.kind in kinds)

    def between(self, first: int, last: int) -> list[Notable]:
        """Notable events numbered from ``first`` to ``last``."""
        return [event for event in self.events if first <= event.seq <= last]

    def ready_before(self, seq: int) -> int:
        """The last event before ``seq`` with which the master became ready; 0 for none."""
        index = bisect_right(self.ready, seq - 1)
        return self.ready[index - 1] if index else 0

    def ready_after(self, seq: int) -> int:
        """The first event after ``seq`` with which the master became ready; 0 for none."""
        index = bisect_right(self.ready, seq)
        return self.ready[index] if index < len(self.ready) else 0
