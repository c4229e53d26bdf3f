"""Clocks on simulated time: ``time``, and ``datetime`` where it reads a clock.

Rules: every reading costs one tick (``baton.read_clock``); wall time is epoch + clock, monotonic time is uptime +
clock; processor time is the sum of all ticks, since computing is free.
"""

from __future__ import annotations

import time

from . import baton, locks, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

epoch_ns = 0
uptime_ns = 0
read = baton.read_clock


def wall() -> float:
    return (epoch_ns + read()) / 1_000_000_000  # int by int: rounded once, so that whole microseconds stay whole


def wall_ns() -> int:
    return epoch_ns + read()


def monotonic() -> float:
    return (uptime_ns + read()) / 1_000_000_000


def monotonic_ns() -> int:
    return uptime_ns + read()


def busy_ns() -> int:
    read()
    return baton.reads * baton.tick


def busy() -> float:
    return busy_ns() / 1e9


def sleep(seconds: float, /) -> None:
    """``time.sleep``: nothing but the wait."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        seconds = seconds.__index__() if hasattr(seconds, "__index__") else float(seconds)
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    ns = locks.to_ns(seconds)
    if ns:
        baton.wait("sleep", baton.clock + ns)
    else:
        baton.give_way()


_WALL = {getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name)}
_BUSY = {
    getattr(time, name) for name in ("CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID") if hasattr(time, name)
}


def clock_gettime_ns(clk_id: int, /) -> int:
    if clk_id in _WALL:
        return wall_ns()
    if clk_id in _BUSY:
        return busy_ns()
    return monotonic_ns()


def clock_gettime(clk_id: int, /) -> float:
    return clock_gettime_ns(clk_id) / 1e9


_localtime, _gmtime, _ctime, _asctime, _strftime = (
    time.localtime,
    time.gmtime,
    time.ctime,
    time.asctime,
    time.strftime,
)


def localtime(seconds: float | None = None, /) -> time.struct_time:
    return _localtime(wall() if seconds is None else seconds)


def gmtime(seconds: float | None = None, /) -> time.struct_time:
    return _gmtime(wall() if seconds is None else seconds)


def ctime(seconds: float | None = None, /) -> str:
    return _ctime(wall() if seconds is None else seconds)


def asctime(when: Any = None, /) -> str:
    return _asctime(localtime() if when is None else when)


def strftime(layout: str, when: Any = None, /) -> str:
    return _strftime(layout, localtime() if when is None else when)


TIME: dict[str, Any] = {
    "time": wall,
    "time_ns": wall_ns,
    "monotonic": monotonic,
    "monotonic_ns": monotonic_ns,
    "perf_counter": monotonic,
    "perf_counter_ns": monotonic_ns,
    "process_time": busy,
    "process_time_ns": busy_ns,
    "thread_time": busy,
    "thread_time_ns": busy_ns,
    "sleep": sleep,
    "clock_gettime": clock_gettime,
    "clock_gettime_ns": clock_gettime_ns,
    "localtime": localtime,
    "gmtime": gmtime,
    "ctime": ctime,
    "asctime": asctime,
    "strftime": strftime,
}


def install() -> None:
    """Replace the clocks of ``time``; a staticmethod, because a builtin does not bind as a method either."""
    for name, function in TIME.items():
        if hasattr(time, name):
            setattr(time, name, staticmethod(function))


def install_datetime() -> None:
    """Replace ``now`` and ``utcnow`` inside the datetime class itself, so that every reference to it is covered.

    The class is written in C and closed to assignment; its dictionary is reached through the garbage collector. That
    keeps identity, pickling and ``isinstance`` as they are, which a replacement class could not.
    """
    import datetime
    import gc
    import sys

    kind = datetime.datetime

    def moment(cls: Any, tz: Any) -> Any:
        seconds, ns = divmod(wall_ns(), 1_000_000_000)
        return cls.fromtimestamp(seconds, tz).replace(microsecond=ns // 1000)

    def now(cls: Any, tz: Any = None) -> Any:
        """The current simulated date and time, optionally in a time zone."""
        return moment(cls, tz)

    def utcnow(cls: Any) -> Any:
        """The current simulated date and time in UTC, without a time zone."""
        return moment(cls, datetime.timezone.utc).replace(tzinfo=None)

    (members,) = (d for d in gc.get_referents(kind.__dict__) if isinstance(d, dict))
    members["now"] = classmethod(now)
    members["utcnow"] = classmethod(utcnow)
    if hasattr(sys, "_clear_type_cache"):
        sys._clear_type_cache()
    read_real = real.monotonic()  # proves that the kept clock is still the real one
    assert read_real != kind.now().timestamp()
