"""The scheduler of one process: exactly one thread runs at a time, and time passes only when none can.

Rules:
1. A thread gives the baton on only inside a replaced blocking call (``wait``, ``give_way``) or at its end.
2. Wake-ups go to one first-in first-out queue. Only when that is empty are descriptors looked at, in the order in
   which threads began to wait for them, and only when nothing is readable either is the kernel told (``idle``).
3. Timers that are due together fire by (deadline, order of the waits).
4. The clock never goes backwards: at RUN(now) it becomes max(clock, now); every reading adds one tick first.

The state below needs no lock, since only the holder of the baton touches it.
"""

from __future__ import annotations

from _heapq import heapify, heappop, heappush
from collections import deque

from . import real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NEVER = -1
FREE_POLLS = 20_000  # polls without blocking before a polling loop begins to cost simulated time
POLLS_PER_COST = 100
POLL_COST_NS = 1_000_000
NO_FDS: list[tuple[int, int]] = []
INTERRUPTED = object()
NOTHING = object()


class Strand:
    """One thread of the program and what it waits for."""

    __slots__ = (
        "deadline", "early", "exits", "fds", "gate", "held", "ident", "name", "number", "polls", "result", "timer",
        "waiting", "what",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"thread {number}"
        self.ident = 0
        self.gate = real.allocate_lock()
        self.gate.acquire()
        self.waiting = False
        self.held = False  # a signal handler runs; the wait goes on after it
        self.early: Any = NOTHING
        self.what = ""
        self.deadline = NEVER
        self.timer = 0
        self.result: Any = None
        self.fds: list[tuple[int, int]] = []
        self.polls = 0
        self.exits: list[Callable[[], object]] = []


main = Strand(0)
main.name = "main thread"
main.ident = real.get_ident()
current = main
strands: dict[int, Strand] = {0: main}
ready: deque[Strand] = deque()
timers: list[tuple[int, int, Strand]] = []
fd_waiters: dict[Strand, None] = {}
pending_signals: deque[int] = deque()

now = 0  # the kernel's instant of the last RUN, or a later one reached by sleeping below the horizon
clock = 0  # what the program reads: now plus the ticks of its readings
tick = 0
reads = 0
ran = True  # some thread ran since the last RUN
_serial = 0
_threads = 0
_stale = 0


def idle() -> None:
    """Tell the kernel that nothing can run, and wait until something can; control.py puts the real one here."""
    raise RuntimeError("the lockstep shim is not attached to a kernel")


def look(fds: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which of ``fds`` (descriptor, events) are ready now; polling.py puts the real one here."""
    return []


def read_clock() -> int:
    """One reading of the clock, in ns since the start of the simulated world; costs one tick."""
    global clock, reads
    clock += tick
    reads += 1
    me = current
    me.polls += 1
    if me.polls > FREE_POLLS:
        pay_for_polling()
    return clock


def polled() -> None:
    """Count a look that found nothing (``acquire(False)``, ``select(..., 0)``, ``sleep(0)``)."""
    current.polls += 1
    if current.polls > FREE_POLLS:
        pay_for_polling()


def pay_for_polling() -> None:
    """A polling loop costs 1 ms of simulated time per 100 polls once 20,000 polls went by without blocking."""
    me = current
    if me.polls % POLLS_PER_COST == 0:
        polls = me.polls
        wait("poll", clock + POLL_COST_NS)
        me.polls = polls


def wake(strand: Strand, result: Any = True) -> None:
    """Let ``strand`` return from its wait with ``result``, after all that are ready already."""
    global _stale
    if strand.waiting:
        strand.waiting = False
        strand.result = result
        if strand.timer:
            strand.timer = 0
            _stale += 1
        if strand.fds:
            fd_waiters.pop(strand, None)
        ready.append(strand)
    elif strand.held:
        strand.early = result


def first_waiting(waiters: deque[Strand]) -> Strand | None:
    """Take the first of ``waiters`` that has not timed out in the meantime."""
    while waiters:
        strand = waiters.popleft()
        if strand.waiting or strand.held:
            return strand
    return None


def wait(what: str, deadline: int = NEVER, fds: list[tuple[int, int]] | None = None) -> Any:
    """Block the current thread until it is woken (the waker's result) or the clock reaches ``deadline`` (False)."""
    me = current
    me.what = what
    me.deadline = deadline
    me.fds = fds or NO_FDS
    me.polls = 0
    _sleep(me)
    if pending_signals and me is main:
        _serve_signals(me)
    return me.result


def _sleep(me: Strand) -> None:
    """Enter the wait that is described in ``me``."""
    global _serial
    me.waiting = True
    if me.deadline >= 0:
        _serial += 1
        me.timer = _serial
        heappush(timers, (me.deadline, _serial, me))
    if me.fds:
        fd_waiters[me] = None
    switch(me)


def _serve_signals(me: Strand) -> None:
    """Run pending handlers; if only a signal ended the wait, go back to it."""
    wish = me.what, me.deadline, me.fds
    while pending_signals:
        result = me.result
        me.early, me.held = NOTHING, result is INTERRUPTED
        try:
            deliver_signals()
        finally:
            me.held = False
        me.what, me.deadline, me.fds = wish
        me.result = result if me.early is NOTHING else me.early
        if me.result is INTERRUPTED:
            _sleep(me)


def pause_until_signal() -> None:
    """Let the main thread wait until handlers of a signal have run."""
    main.what, main.deadline, main.fds = "a signal", NEVER, NO_FDS
    while not pending_signals:
        _sleep(main)
    deliver_signals()


def interrupt() -> None:
    """Wake the main thread for its pending signals."""
    if main.waiting:
        wake(main, INTERRUPTED)


def switch(me: Strand) -> None:
    """Pass the baton to the next thread that can run and sleep until it comes back."""
    global current
    following = choose()
    if following is not me:
        current = following
        following.gate.release()
        me.gate.acquire()


def give_way() -> None:
    """Let every other ready thread run before this one goes on (``sleep(0)``)."""
    polled()
    if ready:
        me = current
        me.what = "its turn"
        ready.append(me)
        switch(me)


def choose() -> Strand:
    """The next thread to run: ready ones in order, then those whose descriptors are ready, else after the kernel."""
    global ran
    while not ready:
        if not (fd_waiters and look_for_waiters()):
            idle()
    ran = True
    return ready.popleft()


def look_for_waiters() -> bool:
    """Wake the threads whose descriptors are ready, in the order in which they began to wait."""
    for strand in list(fd_waiters):
        found = look(strand.fds)
        if found:
            wake(strand, found)
    return bool(ready)


def earliest() -> int:
    """The next deadline of any waiting thread, or NEVER."""
    global _stale
    if _stale > 256 and _stale * 2 > len(timers):
        timers[:] = [entry for entry in timers if entry[2].timer == entry[1]]
        heapify(timers)
        _stale = 0
    while timers:
        deadline, serial, strand = timers[0]
        if strand.timer == serial:
            return deadline
        heappop(timers)
        _stale -= 1
    return NEVER


def reach(instant: int) -> None:
    """The clock reaches ``instant``: wake what its descriptors allow, then the timers that are due."""
    global now, clock
    now = instant
    clock = max(clock, instant)
    if fd_waiters:
        look_for_waiters()
    while NEVER < earliest() <= now:
        strand = heappop(timers)[2]
        strand.timer = 0
        wake(strand, False)


def deliver_signals() -> None:
    """Run the handlers of pending signals, on the main thread, which holds the baton."""
    while pending_signals:
        real.raise_signal(pending_signals.popleft())


def start(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Strand:
    """Start a thread; it runs when its turn comes."""
    global _threads
    _threads += 1
    strand = Strand(_threads)
    strand.what = "its start"
    strand.ident = real.start_new_thread(_bootstrap, (strand, function, args, kwargs))
    strands[strand.number] = strand
    ready.append(strand)
    return strand


def _bootstrap(
    strand: Strand, function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    strand.gate.acquire()
    try:
        function(*args, **kwargs)
    except SystemExit:
        pass
    except BaseException:
        import sys

        sys.excepthook(*sys.exc_info())
    finally:
        del function, args, kwargs
        finish(strand)


def finish(strand: Strand) -> None:
    """The end of a thread: release those who wait for it and pass the baton on."""
    global current
    while strand.exits:
        strand.exits.pop()()
    strands.pop(strand.number, None)
    following = choose()
    current = following
    following.gate.release()


def only_this_thread() -> None:
    """After fork: the other threads do not exist in this process."""
    global current
    me = current
    strands.clear()
    strands[me.number] = me
    ready.clear()
    timers.clear()
    fd_waiters.clear()
    current = me
