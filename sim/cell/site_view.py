"""One test program as the master of dialect ``specification`` sees it: its state, its deadline, its STDF so far."""

from collections.abc import Callable
from dataclasses import dataclass

from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.machine import Cancel, Machine
from drycell.runtime.protocol.table import Table, Timeout, Transition
from drycell.sim.cell.port import Port
from drycell.sim.kernel import NS_PER_S, ns

TICK_S = 1 / NS_PER_S


@dataclass(slots=True)
class _Deadline:
    """When something must have come, and what is done when it has not."""

    at_ns: int
    missed: Callable[[], None]
    timer: Cancel
    forget: Callable[[], None]

    def cancel(self) -> None:
        self.timer.cancel()
        self.forget()


class SiteView:
    """Executes the table of ``site``.

    ``take_result(site)`` is called when all of its STDF is there, ``on_late(text)`` when it has not kept a deadline,
    ``on_change(site)`` after every event.
    """

    def __init__(
        self,
        port: Port,
        site: str,
        table: Table,
        *,
        timeouts_s: dict[str, float],
        take_result: Callable[[str], None],
        on_late: Callable[[str], None],
        on_change: Callable[[str], None],
    ) -> None:
        self.site = site
        self.pieces: list[bytes] = []
        self._port = port
        self._size = 0
        self._spoilt = False
        self._take_result, self._on_late, self._on_change = take_result, on_late, on_change
        self._late = ""
        self._fragment = b""
        self._deadline: _Deadline | None = None
        self.machine = Machine(
            table,
            actions={
                "begin_result": self._begin,
                "keep_fragment": self._keep,
                "take_result": self._take,
                "report_late": lambda: on_late(self._late),
            },
            later=self._later,
            on_change=self._changed,
            on_timeout=self._timed_out,
            overrides=timeouts_s,
        )

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self.machine.state

    def fire(self, event: str) -> None:
        """Take ``event``, or find that the deadline was missed. Raises IllegalEventError when there is no row."""
        if self._deadline is not None and self._port.now_ns > self._deadline.at_ns:
            self._deadline.missed()
        else:
            self.machine.fire(event)

    def hear_fragment(self, payload: bytes) -> None:
        """A fragment came. Raises IllegalEventError outside a test, ValueError for what is none and for more than a
        device can have; there is no result of this device then, whatever else comes of it."""
        try:
            self._fragment = spec.read_fragment(payload)
            if self._size + len(self._fragment) > spec.MAX_RESULT_BYTES:
                raise ValueError(f"more than {spec.MAX_RESULT_BYTES} bytes of STDF for one device")
        except ValueError:
            self._spoilt = True
            raise
        self.fire("fragment")

    def _begin(self) -> None:
        self.pieces, self._size, self._spoilt = [], 0, False

    def _take(self) -> None:
        if not self._spoilt:
            self._take_result(self.site)

    def _keep(self) -> None:
        self.pieces.append(self._fragment)
        self._size += len(self._fragment)

    def _later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        """What comes in the very instant of a deadline is in time."""
        self._deadline = _Deadline(
            self._port.now_ns + ns(delay_s), action, self._port.later(delay_s + TICK_S, action), self._no_deadline
        )
        return self._deadline

    def _no_deadline(self) -> None:
        self._deadline = None

    def _timed_out(self, timeout: Timeout, seconds: float) -> None:
        self._late = f"the test program of site {self.site} {timeout.message} within {seconds:g} s"
        self._port.record(
            "timeout", state=timeout.state, name=timeout.name, after_s=seconds, site=self.site, message=self._late
        )

    def _changed(self, before: str, row: Transition) -> None:
        self._on_change(self.site)
