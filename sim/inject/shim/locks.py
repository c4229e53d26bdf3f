"""Locks, thread start and the queue of the C layer, on the scheduler.

Rules: release hands the lock directly to the first waiter, so order is first come, first served; nothing here blocks
except through ``baton.wait``. ``SimpleQueue.put`` never blocks: destructors and weak reference callbacks call it.
"""

from __future__ import annotations

from collections import deque

from . import baton, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_S = 9223372036.0


def to_ns(seconds: float) -> int:
    """Whole nanoseconds of a duration in seconds."""
    return round(seconds * 1e9) if isinstance(seconds, float) else int(seconds * 1_000_000_000)


def _check(blocking: bool, timeout: float) -> bool:
    """Validate as the interpreter does; True if the call may block."""
    if not blocking:
        if timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        return False
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > MAX_S:
        raise OverflowError("timeout value is too large")
    return timeout != 0


class Lock:
    """``_thread.lock`` on the scheduler."""

    __slots__ = ("__weakref__", "_held", "_waiters")

    def __init__(self) -> None:
        self._held = False
        self._waiters: deque[baton.Strand] | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._held:
            if timeout != -1:
                _check(blocking, timeout)
            self._held = True
            return True
        if not _check(blocking, timeout):
            baton.polled()
            return False
        waiters = self._waiters
        if waiters is None:
            waiters = self._waiters = deque()
        me = baton.current
        waiters.append(me)
        deadline = -1 if timeout == -1 else baton.clock + to_ns(timeout)
        try:
            got: bool = baton.wait("a lock", deadline)
        except BaseException:
            self._withdraw(me)
            raise
        if not got:
            self._withdraw(me)
        return got

    def _withdraw(self, me: baton.Strand) -> None:
        waiters = self._waiters
        if waiters is not None and me in waiters:
            waiters.remove(me)

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("release unlocked lock")
        heir = baton.first_waiting(self._waiters) if self._waiters else None
        if heir is None:
            self._held = False
        else:
            baton.wake(heir)

    def locked(self) -> bool:
        return self._held

    def _at_fork_reinit(self) -> None:
        self._held = False
        self._waiters = None

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked
    __enter__ = acquire

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._held else "unlocked"
        return f"<{state} _thread.lock object at {id(self):#x}>"


class RLock:
    """``_thread.RLock`` on the scheduler."""

    __slots__ = ("__weakref__", "_count", "_owner", "_waiters")

    def __init__(self) -> None:
        self._owner: baton.Strand | None = None
        self._count = 0
        self._waiters: deque[baton.Strand] | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = baton.current
        if self._owner is None:
            if timeout != -1:
                _check(blocking, timeout)
            self._owner = me
            self._count = 1
            return True
        if self._owner is me:
            self._count += 1
            return True
        if not _check(blocking, timeout):
            baton.polled()
            return False
        return self._wait(me, -1 if timeout == -1 else baton.clock + to_ns(timeout))

    def _wait(self, me: baton.Strand, deadline: int) -> bool:
        waiters = self._waiters
        if waiters is None:
            waiters = self._waiters = deque()
        waiters.append(me)
        try:
            got: bool = baton.wait("a re-entrant lock", deadline)
        except BaseException:
            if me in waiters:
                waiters.remove(me)
            raise
        if not got and me in waiters:
            waiters.remove(me)
        return got

    def release(self) -> None:
        if self._owner is not baton.current:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._hand_on()

    def _hand_on(self) -> None:
        self._owner = heir = baton.first_waiting(self._waiters) if self._waiters else None
        if heir is not None:
            self._count = 1
            baton.wake(heir)

    __enter__ = acquire

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self._owner is baton.current

    def _recursion_count(self) -> int:
        return self._count if self._owner is baton.current else 0

    def _release_save(self) -> tuple[int, Any]:
        if self._owner is not baton.current:
            raise RuntimeError("cannot release un-acquired lock")
        count, self._count = self._count, 0
        self._hand_on()
        return count, None

    def _acquire_restore(self, state: tuple[int, Any]) -> None:
        self.acquire()
        self._count = state[0]

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    def __repr__(self) -> str:
        state = "locked" if self._owner else "unlocked"
        owner = self._owner.ident if self._owner else 0
        return f"<{state} _thread.RLock object owner={owner} count={self._count} at {id(self):#x}>"


class SimpleQueue:
    """``_queue.SimpleQueue`` on the scheduler."""

    __slots__ = ("__weakref__", "_items", "_waiters")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters: deque[baton.Strand] = deque()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        heir = baton.first_waiting(self._waiters) if self._waiters else None
        if heir is None:
            self._items.append(item)
        else:
            baton.wake(heir, (item,))

    def put_nowait(self, item: Any) -> None:
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self._items:
            return self._items.popleft()
        if timeout is not None and timeout < 0 and block:
            raise ValueError("'timeout' must be a non-negative number")
        if not block or timeout == 0:
            baton.polled()
            raise self._empty()
        me = baton.current
        self._waiters.append(me)
        try:
            got = baton.wait("a queue", -1 if timeout is None else baton.clock + to_ns(timeout))
        except BaseException:
            if me in self._waiters:
                self._waiters.remove(me)
            raise
        if got is False:
            if me in self._waiters:
                self._waiters.remove(me)
            raise self._empty()
        return got[0]

    def get_nowait(self) -> Any:
        return self.get(False)

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)

    @staticmethod
    def _empty() -> Exception:
        from _queue import Empty

        return Empty()

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        from types import GenericAlias

        return GenericAlias(cls, item)


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, /
) -> int:
    """``_thread.start_new_thread``."""
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    return baton.start(function, args, kwargs or {}).ident


def set_sentinel() -> Lock:
    """``_thread._set_sentinel`` (to 3.12): a lock that is released when the current thread ends."""
    lock = Lock()
    baton.current.exits.append(lambda: lock.release() if lock.locked() else None)
    return lock


class ThreadHandle:
    """``_thread._ThreadHandle`` (3.13): identity and end of one thread."""

    __slots__ = ("__weakref__", "_done", "_ident", "_joiners", "_strand")

    def __init__(self) -> None:
        self._ident: int | None = None
        self._done = False
        self._strand: baton.Strand | None = None
        self._joiners: list[baton.Strand] = []

    @property
    def ident(self) -> int | None:
        return self._ident

    def is_done(self) -> bool:
        return self._done

    def _set_done(self) -> None:
        self._done = True
        for strand in self._joiners:
            baton.wake(strand)
        self._joiners.clear()
        _joinable.pop(self, None)

    def join(self, timeout: float | None = None, /) -> None:
        if self._ident is None:
            raise RuntimeError("thread not started")
        if self._done:
            return
        if self._strand is baton.current:
            raise RuntimeError("Cannot join current thread")
        forever = timeout is None or timeout < 0
        if timeout == 0:
            baton.polled()
            return
        me = baton.current
        self._joiners.append(me)
        try:
            baton.wait("the end of a thread", -1 if forever else baton.clock + to_ns(timeout or 0))
        finally:
            if me in self._joiners:
                self._joiners.remove(me)


_joinable: dict[ThreadHandle, None] = {}


def start_joinable_thread(
    function: Callable[..., object], handle: ThreadHandle | None = None, daemon: bool = True
) -> ThreadHandle:
    """``_thread.start_joinable_thread`` (3.13)."""
    if handle is None:
        handle = ThreadHandle()
    if handle._ident is not None:
        raise RuntimeError("thread already started")
    strand = baton.start(function, (), {})
    handle._strand, handle._ident = strand, strand.ident
    strand.exits.append(handle._set_done)
    if not daemon:
        _joinable[handle] = None
    return handle


def make_thread_handle(ident: int, /) -> ThreadHandle:
    """``_thread._make_thread_handle`` (3.13): the handle of a thread that runs already."""
    handle = ThreadHandle()
    handle._ident = ident
    handle._strand = next((s for s in baton.strands.values() if s.ident == ident), None)
    return handle


def shutdown() -> None:
    """``_thread._shutdown`` (3.13): join every thread that is not a daemon."""
    while _joinable:
        next(iter(_joinable)).join()


LOCKS: dict[str, Any] = {
    "allocate_lock": Lock,
    "allocate": Lock,
    "LockType": Lock,
    "RLock": RLock,
    "start_new_thread": staticmethod(start_new_thread),
    "start_new": staticmethod(start_new_thread),
}
TO_312: dict[str, Any] = {"_set_sentinel": staticmethod(set_sentinel)}
FROM_313: dict[str, Any] = {
    "lock": Lock,
    "start_joinable_thread": staticmethod(start_joinable_thread),
    "_ThreadHandle": ThreadHandle,
    "_make_thread_handle": staticmethod(make_thread_handle),
    "_shutdown": staticmethod(shutdown),
    "_get_main_thread_ident": staticmethod(lambda: baton.main.ident),
}


def install() -> None:
    """Replace the C layer of threads; call before ``threading`` is imported."""
    import _queue
    import _thread
    import sys

    names = LOCKS | (FROM_313 if sys.version_info >= (3, 13) else TO_312)
    for name, value in names.items():
        setattr(_thread, name, value)
    _queue.SimpleQueue = SimpleQueue  # type: ignore[assignment, misc]
    baton.main.ident = real.get_ident()
