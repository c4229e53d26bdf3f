"""State tables: the rules of one role as data.

Rules
- A table maps (state, event) to (next state, actions); nothing else decides.
- ``ANY`` as state stands for every state that has no row of its own for that event.
- A timeout is a property of a state: entering the state arms it, leaving the state takes it back.
- ``final`` states have no way out: rows for ``ANY`` do not apply there.
- ``published`` names a state as the protocol shows it; a state without a name there is internal and never announced.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

ANY = "*"


@dataclass(frozen=True, slots=True)
class Transition:
    """In ``state``, ``event`` leads to ``next`` after the named ``actions`` have run in order."""

    state: str
    event: str
    next: str
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeout:
    """Whoever stays in ``state`` for ``seconds`` gets ``event``; ``name`` is the key to override the duration by.

    ``renewed_by``: events that begin the waiting anew although they do not leave the state.
    """

    state: str
    name: str
    seconds: float
    event: str
    message: str
    renewed_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """The whole behaviour of one role. Raises ValueError on construction when rows contradict each other."""

    role: str
    initial: str
    transitions: tuple[Transition, ...]
    timeouts: tuple[Timeout, ...] = ()
    published: Mapping[str, str] = field(default_factory=dict)
    final: frozenset[str] = frozenset()
    _rows: Mapping[tuple[str, str], Transition] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows: dict[tuple[str, str], Transition] = {}
        for row in self.transitions:
            if (row.state, row.event) in rows:
                raise ValueError(f"{self.role}: two rows for event {row.event!r} in state {row.state!r}")
            rows[row.state, row.event] = row
        object.__setattr__(self, "_rows", MappingProxyType(rows))
        strangers = {t.state for t in self.timeouts} | set(self.published) | self.final
        if strangers - set(self.states):
            raise ValueError(f"{self.role}: unknown states {sorted(strangers - set(self.states))}")

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, the initial one first, in order of appearance."""
        names = [self.initial]
        for row in self.transitions:
            names += [name for name in (row.state, row.next) if name != ANY]
        return tuple(dict.fromkeys(names))

    @cached_property
    def events(self) -> tuple[str, ...]:
        """Every event the role knows, in order of appearance."""
        return tuple(dict.fromkeys(row.event for row in self.transitions))

    def find(self, state: str, event: str) -> Transition | None:
        """The row for ``event`` in ``state``, or None when the event is illegal there."""
        row = self._rows.get((state, event))
        if row is None and state not in self.final:
            row = self._rows.get((ANY, event))
        return row

    def timeout(self, state: str) -> Timeout | None:
        """The timeout that entering ``state`` arms."""
        return self._armed.get(state)

    @cached_property
    def _armed(self) -> Mapping[str, Timeout]:
        return {timeout.state: timeout for timeout in reversed(self.timeouts)}

    def successors(self, state: str) -> set[str]:
        """States that one event can lead to from ``state``."""
        return {row.next for event in self.events if (row := self.find(state, event)) is not None}

    @cached_property
    def published_steps(self) -> Mapping[str, set[str]]:
        """For each announced state, the announced states that may follow it, internal states passed over.

        Staying in the same announced state is always among them: a state may be announced again on reconnection.
        """
        steps: dict[str, set[str]] = {name: {name} for name in self.published.values()}
        for state, name in self.published.items():
            steps[name] |= _announced(self, self.successors(state))
        return steps

    @cached_property
    def first_published(self) -> set[str]:
        """The announced states that may come first."""
        return _announced(self, {self.initial})


def _announced(table: Table, states: Iterable[str]) -> set[str]:
    """The announced names of ``states``; an internal state stands for what follows it."""
    found: set[str] = set()
    seen: set[str] = set()
    pending = list(states)
    while pending:
        state = pending.pop()
        if state in seen:
            continue
        seen.add(state)
        if state in table.published:
            found.add(table.published[state])
        else:
            pending += table.successors(state)
    return found
