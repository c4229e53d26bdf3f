"""The one clock: a SimPy environment in integer nanoseconds, with timers that can be taken back.

Rules
- ``env.now`` is the only time of a run; it is an ``int`` count of nanoseconds since the run began.
- Only the kernel moves it, and never backwards.
- A cancelled timer is no event: it neither runs nor holds the clock.
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop
from typing import Any

import simpy
from simpy.events import NORMAL, Event, Timeout

NS_PER_S = 1_000_000_000


def ns(seconds: float) -> int:
    """``seconds`` as whole nanoseconds, rounded to nearest."""
    return round(seconds * NS_PER_S)


class Timer(Event):
    """A callback at a later instant. ``cancel()`` before that instant takes it back; afterwards it does nothing."""

    __slots__ = ("_action", "cancelled")

    def __init__(self, env: "Clock", delay_ns: int, action: Callable[[], Any]) -> None:
        self.env = env
        self.cancelled = False
        self._action = action
        self._ok = True
        self._value = None
        self.callbacks = [self._fire]
        env.schedule(self, NORMAL, delay_ns)

    def _fire(self, _event: Event) -> None:
        self._action()

    def cancel(self) -> None:
        """Take the timer back; idempotent."""
        self.cancelled = True


class Clock(simpy.Environment):
    """SimPy's environment with the two things the kernel adds: cancellable timers and a settable ``now``."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.read_ns: Callable[[], int] = partial(getattr, self, "_now")
        """Gives :attr:`now_ns`, for those who ask very often."""

    def event(self) -> Event:
        """An event that somebody will trigger. SimPy's own attribute makes a new bound class each time."""
        return Event(self)

    def timeout(self, delay: float = 0, value: Any = None) -> Timeout:
        """An event ``delay`` nanoseconds from now."""
        return Timeout(self, delay, value)

    @property
    def now_ns(self) -> int:
        """Simulated time in nanoseconds."""
        return self._now  # type: ignore[return-value]  # SimPy types it as a number; ours are all ints

    def later(self, delay_ns: int, action: Callable[[], Any]) -> Timer:
        """Call ``action`` after ``delay_ns`` (>= 0) nanoseconds. Raises ValueError for a negative delay."""
        if delay_ns < 0:
            raise ValueError(f"a timer cannot lie in the past: delay of {delay_ns} ns")
        return Timer(self, delay_ns, action)

    def next_ns(self) -> int | None:
        """The instant of the next event, or None when nothing is scheduled."""
        queue = self._queue
        while queue:
            at_ns, _, _, event = queue[0]
            if type(event) is not Timer or not event.cancelled:
                return at_ns  # type: ignore[return-value]
            heappop(queue)
        return None

    def advance_to(self, at_ns: int) -> None:
        """Move the clock; for the kernel alone. Raises ValueError when ``at_ns`` lies in the past."""
        if at_ns < self.now_ns:
            raise ValueError(f"the clock cannot go back from {self.now_ns} ns to {at_ns} ns")
        self._now = at_ns
