"""What could pass time, or send signals, beside the simulated clock: found and named, or put on the clock.

Rules: ``alarm`` and ``setitimer`` run on the simulated clock; semaphores shared between processes are looked at again
whenever this process is run; a real sleep or clock that a module has kept from before the shim is reported once.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import sys

from . import baton, links, locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOREIGN_LOOPS = {"uvloop", "gevent", "eventlet", "grpc", "zmq"}
_said: set[str] = set()
_alarm_serial = 0
_alarm_due = 0
_alarm_every = 0


def say_once(text: str) -> None:
    """Report an escape, each text once."""
    if text not in _said:
        _said.add(text)
        links.report("escape", text)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "time.sleep":
        say_once("a real time.sleep was called, kept by a module imported before the shim; it cost wall time")
    elif event == "import" and args[0] in FOREIGN_LOOPS:
        say_once(f"{args[0]} waits in C, beside the simulated clock; run this program at pace real")


def captured(replaced: dict[int, str]) -> list[str]:
    """Modules that hold one of the real functions ``replaced`` (id -> name), imported before the shim."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith("drycell_shim") or name in ("time", "_thread", "posix", "select", "_socket", "builtins"):
            continue
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if id(value) in replaced:
                found.append(f"{name}.{key} is the real {replaced[id(value)]}")
    return found


# -- alarms


def _ring(serial: int) -> None:
    global _alarm_due
    while serial == _alarm_serial and _alarm_due:
        baton.wait("an alarm", _alarm_due)
        if serial != _alarm_serial:
            return
        _alarm_due = _alarm_due + _alarm_every if _alarm_every else 0
        baton.pending_signals.append(_signal.SIGALRM)
        baton.interrupt()


def _left() -> float:
    return max(0, _alarm_due - baton.clock) / 1e9 if _alarm_due else 0.0


def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> tuple[float, float]:
    """``signal.setitimer`` on the simulated clock (ITIMER_REAL; processor time costs none, so others never ring)."""
    global _alarm_serial, _alarm_due, _alarm_every
    before = _left(), _alarm_every / 1e9
    if which != _signal.ITIMER_REAL:
        return 0.0, 0.0
    _alarm_serial += 1
    _alarm_every = locks.to_ns(interval)
    _alarm_due = baton.clock + locks.to_ns(seconds) if seconds else 0
    if _alarm_due:
        baton.start(_ring, (_alarm_serial,), {})
    return before


def getitimer(which: int, /) -> tuple[float, float]:
    """``signal.getitimer``."""
    return (_left(), _alarm_every / 1e9) if which == _signal.ITIMER_REAL else (0.0, 0.0)


def alarm(seconds: int, /) -> int:
    """``signal.alarm``."""
    return int(-(-setitimer(_signal.ITIMER_REAL, float(seconds))[0] // 1))


def pause() -> None:
    """``signal.pause``: until the next signal that the simulator delivers."""
    me = baton.current
    if me is baton.main:
        baton.pause_until_signal()
    else:
        baton.wait("a signal")


# -- semaphores between processes

watched: dict[baton.Strand, Callable[[], bool]] = {}


def look_again() -> None:
    """Wake the threads whose shared semaphore has become free; called at every RUN."""
    for strand, free in list(watched.items()):
        if free():
            del watched[strand]
            baton.wake(strand)


def install_semaphores() -> None:
    """Put ``multiprocessing``'s semaphores on the scheduler."""
    try:
        import _multiprocessing  # type: ignore[import-not-found]
    except ImportError:
        return

    class SemLock(_multiprocessing.SemLock):  # type: ignore[misc]
        """A semaphore shared between processes that never blocks for real."""

        def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
            if super().acquire(False):
                return True
            if not block or (timeout is not None and timeout <= 0):
                baton.polled()
                return False
            deadline = -1 if timeout is None else baton.clock + locks.to_ns(timeout)
            while True:
                me = baton.current
                watched[me] = lambda: not self._is_zero()
                woken = baton.wait("a semaphore shared between processes", deadline)
                watched.pop(me, None)
                if super().acquire(False):
                    return True
                if not woken:
                    return False

        def release(self) -> None:
            links.acted = True
            super().release()
            look_again()

        __enter__ = acquire

        def __exit__(self, *exc: object) -> None:
            self.release()

    _multiprocessing.SemLock = SemLock


def install_alarms() -> None:
    """Replace alarms; call before ``signal`` is imported."""
    ours: dict[str, Any] = {"setitimer": setitimer, "getitimer": getitimer, "alarm": alarm, "pause": pause}
    for name, function in ours.items():
        if hasattr(_signal, name):
            setattr(_signal, name, staticmethod(function))


def install(replaced: dict[int, str]) -> None:
    """Watch for escapes; replace shared semaphores."""
    install_semaphores()
    for text in captured(replaced):
        say_once(f"{text}, imported before the shim")
    sys.addaudithook(_audit)
