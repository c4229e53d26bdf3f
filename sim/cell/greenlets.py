"""Blocking code on the kernel's thread: a program that waits lets simulated time pass, and nothing else runs in it.

Rules
- A fiber runs from one wait to the next in one go, within a callback of the kernel; so the order of fibers is the
  order of the kernel's events, and a run stays a pure function.
- Whatever would really block the thread (:data:`REALLY_BLOCKS`) is refused inside a fiber, naming the author's line.
- A fiber that is abandoned never goes on, as a process after SIGKILL: no ``except`` and no ``finally`` of it runs
  while the cell is alive.
"""

import functools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import greenlet

from drycell.sim.kernel import Kernel, Timer

REALLY_BLOCKS: tuple[tuple[Any, str, str], ...] = (
    (time, "sleep", "time.sleep would stop the whole simulation; use ctx.sleep"),
    (threading.Thread, "start", "a thread knows no simulated time; use rung process"),
    (
        socket.socket,
        "connect",
        "a socket knows no simulated time; use ctx.instrument, ctx.get_proxy or rung process",
    ),
    (subprocess.Popen, "__init__", "a child process knows no simulated time; use rung process"),
)


class ReallyBlocksError(BaseException):
    """Code in a fiber would block the thread. No ``Exception``: a test must not catch it as a failed measurement."""


class Fiber:
    """One piece of blocking code. ``home``: the folder of its author's files; ``on_end(error)``: it has ended.

    :meth:`wait` is called from inside, everything else from outside.
    """

    def __init__(
        self, kernel: Kernel, body: Callable[[], None], *, home: Path, on_end: Callable[[BaseException | None], None]
    ) -> None:
        self._kernel = kernel
        self._home = home
        self._on_end = on_end
        self._greenlet = greenlet.greenlet(self._run)
        self._body = body
        self._waiting = True
        self._alarm: Timer | None = None
        self._error: BaseException | None = None
        self._frozen = False
        self._held = False
        self._abandoned = False

    def wake(self) -> None:
        """Go on with the present wait, or begin: now, after what is already due at this instant."""
        self._set_alarm(0)

    def wait(self, delay_ns: int | None = None) -> None:
        """Let others run until :meth:`wake`, or for ``delay_ns`` (None: until then)."""
        self._waiting = True
        if delay_ns is not None:
            self._set_alarm(delay_ns)
        self._greenlet.parent.switch()

    def freeze(self) -> None:
        """Do not go on, whatever comes, until :meth:`thaw`."""
        self._frozen = True

    def thaw(self) -> None:
        """Go on; a wait that has ended meanwhile ends now."""
        self._frozen = False
        if self._held:
            self._held = False
            self.wake()

    def abandon(self) -> None:
        """Never go on."""
        self._abandoned = True
        if self._alarm is not None:
            self._alarm.cancel()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While the author's code runs: what would block the thread is refused."""
        outer, _current.fiber = getattr(_current, "fiber", None), self
        for owner, name, _, refusing in _GUARDS:
            setattr(owner, name, refusing)
        try:
            yield
        finally:
            for owner, name, real, _ in _GUARDS:
                setattr(owner, name, real)
            _current.fiber = outer

    def place(self) -> str:
        """The line of the author's files that is running, as ``file.py, line 3``."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if self._home in path.parents and "site-packages" not in path.parts:
                return f"{path.name}, line {frame.f_lineno}"
            frame = frame.f_back
        return "the program"

    def _set_alarm(self, delay_ns: int) -> None:
        if self._waiting and not self._abandoned:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._kernel.later(delay_ns, self._go_on)

    def _go_on(self) -> None:
        self._alarm = None
        if self._frozen:
            self._held = True
            return
        self._waiting = False
        self._greenlet.parent = greenlet.getcurrent()
        with self.guarded():
            self._greenlet.switch()
        if isinstance(self._error, KeyboardInterrupt):
            raise self._error
        if self._greenlet.dead:
            self._on_end(self._error)

    def _run(self) -> None:
        try:
            self._body()
        except BaseException as error:  # GreenletExit too: abandoned, and now forgotten
            self._error = error


_current = threading.local()


def _refusing(real: Callable[..., Any], advice: str) -> Callable[..., Any]:
    """``real`` outside of fibers: a module imported by one may keep this function for longer than the fiber lives."""

    @functools.wraps(real)
    def refuse(*arguments: Any, **named: Any) -> Any:
        fiber: Fiber | None = getattr(_current, "fiber", None)
        if fiber is None:
            return real(*arguments, **named)
        raise ReallyBlocksError(f"{fiber.place()}: {advice}")

    return refuse


_GUARDS = [
    (owner, name, real, _refusing(real, advice))
    for owner, name, advice in REALLY_BLOCKS
    for real in [getattr(owner, name)]
]
