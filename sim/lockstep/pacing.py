"""Programs that compute for longer than the guard allows: until they are back, time passes as fast as on the wall.

Only with ``Settings(on_hang="pace")``. When such a program comes back is decided by the machine, so the run is no
longer deterministic; everybody else lives on as beside a real program that is busy.
"""

import select
import time
from collections.abc import Callable

from drycell.sim.kernel.clock import Clock
from drycell.sim.lockstep.process import Process

Heard = Callable[[Process, bytes], object]


class Pacer:
    """The programs that still compute. ``heard`` takes each message that one of them sends."""

    def __init__(self, clock: Clock, heard: Heard) -> None:
        self._clock = clock
        self._heard = heard
        self._processes: list[Process] = []

    def leave(self, process: Process) -> None:
        """Let time go on without ``process``, which runs."""
        process.computing = True
        self._processes.append(process)

    def busy(self) -> bool:
        """Whether any program still computes."""
        self._processes = [p for p in self._processes if p.computing]
        return bool(self._processes)

    def look(self) -> None:
        """Take what programs have sent meanwhile."""
        if self.busy():
            self._hear(self._speaking(0))

    def wait(self, instant_ns: int | None) -> bool:
        """Wait until the wall has reached ``instant_ns`` (None: for ever), or a program has spoken (True).

        In the latter case simulated time has moved as far as the wall, but not beyond ``instant_ns``.
        """
        now_ns, begin_ns = self._clock.now_ns, time.monotonic_ns()
        speaking = self._speaking(None if instant_ns is None else (instant_ns - now_ns) / 1e6)
        if speaking:
            reached_ns = now_ns + time.monotonic_ns() - begin_ns
            self._clock.advance_to(reached_ns if instant_ns is None else min(reached_ns, instant_ns))
        self._hear(speaking)
        return bool(speaking)

    def _speaking(self, timeout_ms: float | None) -> list[Process]:
        poller = select.poll()
        for process in self._processes:
            poller.register(process.control, select.POLLIN)
        seen = {fd for fd, _ in poller.poll(timeout_ms)}
        return [p for p in self._processes if p.control.fileno() in seen]

    def _hear(self, speaking: list[Process]) -> None:
        for process in sorted(speaking, key=lambda p: p.rank):
            message = process.receive()
            if message is not None:
                self._heard(process, message)
