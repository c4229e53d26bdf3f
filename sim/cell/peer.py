"""The common part of master, control and handler: a state machine that journals and announces its states."""

from collections.abc import Callable, Mapping
from typing import Any

from drycell.runtime.protocol.machine import Machine
from drycell.runtime.protocol.table import Table, Timeout, Transition
from drycell.sim.cell.port import Port


class Peer:
    """Runs ``table`` on ``port``; ``announce(state, message)`` sends a published state."""

    def __init__(
        self,
        port: Port,
        table: Table,
        *,
        actions: Mapping[str, Callable[[], None]],
        announce: Callable[[str, str], None],
        timeouts_s: Mapping[str, float],
    ) -> None:
        self.port = port
        self._announce = announce
        self._announced: tuple[str, str] | None = None
        self.message = ""
        self.machine = Machine(
            table,
            actions=actions,
            later=port.later,
            on_change=self._entered,
            on_timeout=self._timed_out,
            overrides=timeouts_s,
        )

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self.machine.state

    def fire(self, event: str, message: str = "") -> None:
        """Take ``event``; ``message`` goes out with the state it leads to."""
        self.message = message
        self.machine.fire(event)

    def announce(self, *, again: bool = False) -> None:
        """Send the present state if it is a published one and news, or in any case when ``again``."""
        name = self.machine.table.published.get(self.state)
        if name is None:
            self._announced = None  # whatever follows an internal state is news
            return
        if not again and (name, self.message) == self._announced:
            return
        self._announced = (name, self.message)
        self._announce(name, self.message)

    def _entered(self, before: str, row: Transition) -> None:
        extra: dict[str, Any] = {"message": self.message} if self.message else {}
        self.port.record("state", **{"from": before, "to": row.next, "event": row.event}, **extra)
        self.announce()

    def _timed_out(self, timeout: Timeout, seconds: float) -> None:
        self.message = f"{timeout.message} within {seconds:g} s"
        self.port.record("timeout", state=timeout.state, name=timeout.name, after_s=seconds, message=self.message)
