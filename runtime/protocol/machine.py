"""The one executor of state tables. No clock and no I/O of its own: both come in through the port."""

from collections.abc import Callable, Mapping
from typing import Protocol

from drycell.runtime.protocol.table import Table, Timeout, Transition


class Cancel(Protocol):
    """Something that can be taken back."""

    def cancel(self) -> None: ...


class IllegalEventError(Exception):
    """The table has no row for this event in the present state."""

    def __init__(self, role: str, state: str, event: str) -> None:
        super().__init__(f"{role}: event {event!r} is not allowed in state {state!r}")
        self.role = role
        self.state = state
        self.event = event


class Machine:
    """Runs one :class:`Table`.

    ``actions``: the table's action names -> what they do. They run before the new state is entered, so that a
    command leaves before the state change it causes is announced.
    ``later(seconds, action)``: arms a timer. ``on_change(transition)``: told after a state was entered.
    ``on_timeout(timeout)``: told before the timeout's event is fired; ``overrides``: timeout name -> seconds.
    """

    def __init__(
        self,
        table: Table,
        *,
        actions: Mapping[str, Callable[[], None]],
        later: Callable[[float, Callable[[], None]], Cancel],
        on_change: Callable[[str, Transition], None],
        on_timeout: Callable[[Timeout, float], None],
        overrides: Mapping[str, float] | None = None,
    ) -> None:
        missing = {name for row in table.transitions for name in row.actions} - set(actions)
        if missing:
            raise ValueError(f"{table.role}: no code for actions {sorted(missing)}")
        self.table = table
        self.state = table.initial
        self._actions = actions
        self._later = later
        self._on_change = on_change
        self._on_timeout = on_timeout
        self._overrides = overrides or {}
        self._armed: Cancel | None = None
        self._arm()

    def can(self, event: str) -> bool:
        """Whether ``event`` is legal now."""
        return self.table.find(self.state, event) is not None

    def fire(self, event: str) -> None:
        """Take the row for ``event``. Raises IllegalEventError when there is none."""
        row = self.table.find(self.state, event)
        if row is None:
            raise IllegalEventError(self.table.role, self.state, event)
        before = self.state
        for name in row.actions:
            self._actions[name]()
        self.state = row.next
        if row.next != before or self._renews(event):
            self._arm()
        self._on_change(before, row)

    def stop(self) -> None:
        """Take the armed timer back: the role is gone."""
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None

    def _renews(self, event: str) -> bool:
        timeout = self.table.timeout(self.state)
        return timeout is not None and event in timeout.renewed_by

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        timeout = self.table.timeout(self.state)
        if timeout is None:
            return
        seconds = self._overrides.get(timeout.name, timeout.seconds)
        self._armed = self._later(seconds, lambda: self._expire(timeout, seconds))

    def _expire(self, timeout: Timeout, seconds: float) -> None:
        self._on_timeout(timeout, seconds)
        self.fire(timeout.event)
