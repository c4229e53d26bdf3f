"""Timers, delays and the order of work, all on the running loop's clock.

Rules that hold here:
* Times are integer nanoseconds; the one conversion to the loop's seconds is in ``Clock.at``.
* ``Exchange`` is first in, first out: whatever a callback causes happens after what was caused before it. No
  callback is ever entered from within another.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

_WORK_PER_TURN = 1000


class Clock:
    """Timers on simulated time; ``now_ns()`` gives that time in ns."""

    __slots__ = ("loop", "now_ns")

    def __init__(self, now_ns: Callable[[], int], loop: asyncio.AbstractEventLoop) -> None:
        self.now_ns = now_ns
        self.loop = loop

    def at(self, at_ns: int, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call ``callback(*args)`` at ``at_ns``, or soon when that is past."""
        remaining_ns = max(0, at_ns - self.now_ns())
        return self.loop.call_at(self.loop.time() + remaining_ns / 1e9, callback, *args)


class Deadline:
    """One moving deadline. Moving it later costs nothing: the timer looks again when it fires."""

    __slots__ = ("_at_ns", "_callback", "_clock", "_timer")

    def __init__(self, clock: Clock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._at_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at_ns: int) -> None:
        """Set or move the deadline."""
        if self._timer is not None and at_ns < self._at_ns:
            self.clear()
        self._at_ns = at_ns
        if self._timer is None:
            self._timer = self._clock.at(at_ns, self._fire)

    def clear(self) -> None:
        """Forget the deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._clock.now_ns() < self._at_ns:
            self._timer = self._clock.at(self._at_ns, self._fire)
        else:
            self._callback()


class Exchange:
    """The broker's list of work to do at this instant, done by one callback of the loop."""

    __slots__ = ("_clock", "_scheduled", "_work")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._work: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._scheduled = False

    def post(self, callback: Callable[[Any], object], argument: Any = None) -> None:
        """Call ``callback(argument)`` after all work posted before, at this instant."""
        self._work.append((callback, argument))
        if not self._scheduled:
            self._scheduled = True
            self._clock.loop.call_soon(self._run)

    @property
    def idle(self) -> bool:
        """Whether no work is waiting."""
        return not self._work

    def _run(self) -> None:
        work = self._work
        try:
            for _ in range(_WORK_PER_TURN):
                if not work:
                    break
                callback, argument = work.popleft()
                callback(argument)
        finally:
            self._scheduled = bool(work)
            if work:
                self._clock.loop.call_soon(self._run)

    def clear(self) -> None:
        """Drop all work (the broker stops)."""
        self._work.clear()


class DelayLine:
    """Hands items on in order, each not before its delay has passed; without delay at once."""

    __slots__ = ("_clock", "_items", "_release", "_timer")

    def __init__(self, clock: Clock, release: Callable[[Any], object]) -> None:
        self._clock = clock
        self._release = release
        self._items: deque[tuple[int, Any]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def push(self, delay_ns: int, item: Any) -> None:
        """Hand ``item`` on ``delay_ns`` from now, but never before an item pushed earlier."""
        if delay_ns <= 0 and not self._items:
            self._release(item)
            return
        self._items.append((self._clock.now_ns() + delay_ns, item))
        if self._timer is None:
            self._timer = self._clock.at(self._items[0][0], self._fire)

    def clear(self) -> None:
        """Drop everything that is under way."""
        self._items.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        while self._items and self._items[0][0] <= self._clock.now_ns():
            self._release(self._items.popleft()[1])
        if self._items and self._timer is None:
            self._timer = self._clock.at(self._items[0][0], self._fire)
