"""Instruments of a cell for blocking code on the kernel's thread: the way of :class:`Transport`, without a socket."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from drycell.runtime.instruments.errors import InstrumentError, NotConnectedError
from drycell.runtime.instruments.transports import Transport
from drycell.sim.cell.line_server import Answers
from drycell.sim.cell.modelled_program import INSTRUMENT_TIMEOUT_S
from drycell.sim.kernel import ns

Put = Callable[[str, Callable[[Answers], None]], None]
"""Hand a line to an instrument and be told what it answers when it does."""


class Waits(Protocol):
    """Who waits: a fiber, in one way or another."""

    @property
    def now_ns(self) -> int: ...

    def wait_until(self, at_ns: int, told: Callable[[], bool] = ...) -> None:
        """Let others run until then, or until it was :meth:`tell` that made ``told`` true."""

    def tell(self) -> None:
        """Something has come that may be waited for."""


class LineTransport(Transport):
    """An instrument of the cell, asked without a socket."""

    def __init__(self, name: str, put: Put, world: Waits) -> None:
        self._name = name
        self._put = put
        self._world = world
        self._answers: deque[tuple[int, str]] = deque()  # instant at which it arrives, text
        self._connection = 0  # what was asked before the last timeout or disconnection is answered to nobody
        self._open = False

    @property
    def is_connected(self) -> bool:
        return self._open

    def connect(self) -> None:
        self._open = True

    def disconnect(self) -> None:
        self._open = False
        self._start_anew()

    def write(self, command: str) -> None:
        if not self._open:
            raise NotConnectedError(f"instrument {self._name} is not connected; call connect() first")
        connection = self._connection
        self._put(command, lambda answers: self._told(connection, answers))

    def _told(self, connection: int, answers: Answers) -> None:
        if isinstance(answers, str):
            answers = [(0, answers)] if answers else []
        if answers and connection == self._connection:
            now_ns = self._world.now_ns
            self._answers.extend((now_ns + delay_ns, text) for delay_ns, text in sorted(answers))
            self._world.tell()

    def _start_anew(self) -> None:
        self._connection += 1
        self._answers.clear()

    def read(self, timeout: float | None = None) -> str:
        wait_s = INSTRUMENT_TIMEOUT_S if timeout is None else timeout
        until_ns = self._world.now_ns + ns(wait_s)
        self._world.wait_until(until_ns, lambda: bool(self._answers))
        due_ns, text = self._answers.popleft() if self._answers else (until_ns, "")
        self._world.wait_until(min(due_ns, until_ns))
        if due_ns >= until_ns:
            self._start_anew()  # an answer that comes too late is none to the next question
            raise TimeoutError(f"instrument {self._name} did not answer within {wait_s:g} s")
        return text.strip()

    def read_block(self, timeout: float | None = None) -> bytes:
        text = self.read(timeout)
        if text[:1] != "#" or not text[1:2].isdigit():
            raise InstrumentError(f"instrument {self._name} answered {text[:20]!r} where a block should begin")
        return text[2 + int(text[1]) :].encode("latin-1")
