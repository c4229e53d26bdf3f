"""An asyncio event loop whose time is the simulated clock.

The loop is asyncio's own but for its turn and its selector. It calls ``select()`` when it has run everything that was
ready, and that call is where simulated time passes. The order of simultaneous events, written down once:

1. data before time: whatever a socket or an attached process has ready is handled before the clock moves;
2. at one instant: asyncio timers (broker, instruments), then SimPy events one by one in SimPy's order (time,
   priority, insertion), each followed by all asyncio callbacks it made ready, then attached processes by launch rank.

Threads have no place here: ``run_in_executor`` is refused, because a thread's answer would arrive at no defined
simulated instant.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any, Protocol, TypeVar

from drycell.sim.kernel.clock import NS_PER_S, Clock
from drycell.sim.kernel.pace import Pace, WallClock

_OWN_DESCRIPTORS = 1
"""asyncio's own: the pipe that threads and signal handlers wake the loop by, of which there are none here."""
_S = TypeVar("_S", bound=selectors.BaseSelector)


class StuckError(Exception):
    """Nothing is scheduled and nobody is left who could cause an event: the run would wait for ever."""


class Attached(Protocol):
    """Real processes in lockstep with the clock (see drycell.sim.lockstep)."""

    def settle(self) -> bool:
        """Let processes run and deliver what they sent. True when something happened, False when all are idle."""

    def next_ns(self) -> int | None:
        """The earliest deadline of any attached process, None when there is none."""

    def fire(self, now_ns: int) -> None:
        """Run the processes that are due at ``now_ns``, in launch order."""


class _Selector(selectors.BaseSelector):
    """Polls real descriptors without waiting; when all is quiet, steps the simulation instead.

    ``before_moving`` is called before the clock moves or the wall clock is waited for.
    """

    def __init__(self, clock: Clock, pace: Pace, before_moving: Callable[[], object]) -> None:
        self._real: selectors.BaseSelector = selectors.DefaultSelector()
        self._registered = 0
        self._clock = clock
        self._before_moving = before_moving
        self._wall = None if pace.factor is None else WallClock(pace.factor)
        self.loop: KernelLoop
        self.attached: Attached | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._real.register(fileobj, events, data)
        self._registered += 1
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._real.unregister(fileobj)
        self._registered -= 1
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def interpose(self, make: Callable[[selectors.BaseSelector], _S]) -> _S:
        """Put what ``make`` returns between this selector and the one that polls, which ``make`` is given."""
        self._real = made = make(self._real)
        return made

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._wall is not None:
            return self._paced(self._wall, timeout)
        ready = self._real.select(0) if self._registered > _OWN_DESCRIPTORS else []
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.attached is not None and self.attached.settle():
            return self._real.select(0)
        timer_ns, event_ns = self.loop.next_timer_ns(), self._clock.next_ns()
        instant = self._first(timer_ns, event_ns)
        if instant is None:
            raise StuckError("nothing is scheduled and nobody is left who could send anything")
        self._run_instant(instant, timer_ns, event_ns)
        return []

    def _paced(self, wall: WallClock, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(0)
        self._before_moving()
        timer_ns, event_ns = self.loop.next_timer_ns(), self._clock.next_ns()
        instant = self._first(timer_ns, event_ns)
        ready = self._real.select(None if instant is None else wall.wait_s(instant))
        now_ns = max(self._clock.now_ns, wall.now_ns())
        if instant is None or now_ns < instant:
            self._clock.advance_to(now_ns)
            return ready
        if ready:
            self._clock.advance_to(instant)  # late: the event keeps its instant, data goes first
            return ready
        self._run_instant(instant, timer_ns, event_ns)
        return []

    def next_ns(self) -> int | None:
        """When anything happens next: a timer, an event of the clock, or something in an attached process."""
        return self._first(self.loop.next_timer_ns(), self._clock.next_ns())

    def _first(self, timer_ns: int | None, event_ns: int | None) -> int | None:
        own_ns = _earlier(timer_ns, event_ns)
        return own_ns if self.attached is None else _earlier(own_ns, self.attached.next_ns())

    def _run_instant(self, instant: int, timer_ns: int | None, event_ns: int | None) -> None:
        """Move to ``instant`` and run what is first there; the loop comes back for the rest."""
        clock = self._clock
        if instant != clock.now_ns:
            self._before_moving()
            clock.advance_to(instant)
        if timer_ns == instant:
            return
        while event_ns == instant:
            clock.step()
            if self.loop.has_ready():
                return
            event_ns = clock.next_ns()
        if self.attached is not None and self.attached.next_ns() == instant:
            self.attached.fire(instant)


def _earlier(one: int | None, other: int | None) -> int | None:
    return one if other is None or (one is not None and one <= other) else other


class _Callback(asyncio.Handle):
    """A callback that is due; asyncio's own asks besides whether it is to be debugged."""

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: "KernelLoop", context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A timer that comes after those of the same instant that were armed before it; asyncio's own forget that."""

    number = 0
    at_ns = 0
    _scheduled: bool

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.at_ns, self.number) < (other.at_ns, other.number)


class KernelLoop(asyncio.SelectorEventLoop):
    """asyncio's selector loop on a :class:`Clock`. ``time()`` is in simulated seconds, exact to the nanosecond."""

    _ready: Any
    _scheduled: Any
    _stopping: bool
    _closed: bool

    def __init__(self, clock: Clock, pace: Pace, before_moving: Callable[[], object]) -> None:
        self.selector = _Selector(clock, pace, before_moving)
        self.selector.loop = self
        self._clock = clock
        self.on_socket: Callable[[socket.socket], object] | None = None
        super().__init__(self.selector)
        self._timers = 0

    def time(self) -> float:
        return self._clock.now_ns / NS_PER_S

    def call_at(  # type: ignore[override]  # its variadic generics add nothing here
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        at_ns = round(when * NS_PER_S)
        timer = _Timer(at_ns / NS_PER_S, callback, args, self, context)
        timer.at_ns = at_ns
        self._timers += 1
        timer.number = self._timers
        heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        if self._closed:
            self._check_closed()  # type: ignore[attr-defined]
        handle = _Callback(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _run_once(self) -> None:
        """One turn: what arrived, or what is first at the next instant; then the timers that are due; then all that
        is ready. asyncio's own, less what simulated time has no use for: waiting, and noticing slow callbacks."""
        ready, scheduled = self._ready, self._scheduled
        busy = ready or self._stopping or self.next_timer_ns() == self._clock.now_ns
        arrived = self.selector.select(0 if busy else None)
        if arrived:
            self._process_events(arrived)  # type: ignore[attr-defined]
        now_ns = self._clock.now_ns
        while scheduled and scheduled[0].at_ns <= now_ns:
            timer = heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        """asyncio's own, after ``on_socket`` has seen the stream socket."""
        if self.on_socket is not None:
            self.on_socket(sock)
        return super()._make_socket_transport(sock, *args, **kwargs)  # type: ignore[misc]  # asyncio's own name for it

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("no threads on the kernel's loop: their answers would come at no defined simulated time")

    def next_timer_ns(self) -> int | None:
        """The instant of the earliest live asyncio timer; in the past means now."""
        scheduled: list[_Timer] = self._scheduled  # a heap: the head is the earliest
        while scheduled and scheduled[0]._cancelled:
            heappop(scheduled)._scheduled = False
        return max(self._clock.now_ns, scheduled[0].at_ns) if scheduled else None

    def has_ready(self) -> bool:
        """Whether callbacks wait to run at the present instant."""
        return bool(self._ready)
