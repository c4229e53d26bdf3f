"""``select.select``, ``poll`` and ``epoll`` on the scheduler.

Rules: counted connections are judged by the counters, everything else by the operating system at this moment;
results keep the order of registration; timeouts are rounded up to the unit of the real call (1 us for select, 1 ms
otherwise).
"""

from __future__ import annotations

import errno
import math
import os
import select as _select

from . import baton, links, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

ALWAYS = real.POLLERR | real.POLLHUP | real.POLLNVAL
READ = real.POLLIN | real.POLLPRI


def look(fds: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which of ``fds`` are ready now, with their events, in the given order."""
    by_fd = links.by_fd
    found: list[tuple[int, int]] = []
    others = None
    for fd, events in fds:
        link = by_fd.get(fd)
        if link is not None:
            seen = link.events() & (events | ALWAYS)
            if seen:
                found.append((fd, seen))
        else:
            if others is None:
                others = real.poll()
            others.register(fd, events)
    if others is not None:
        seen_now = dict(others.poll(_patience(fds)))
        if seen_now:
            seen_now.update(found)
            return [(fd, seen_now[fd]) for fd, _ in fds if fd in seen_now]
    return found


def _patience(fds: list[tuple[int, int]]) -> int:
    """Wall milliseconds to wait: some only if a connection inside this process is known to arrive."""
    if links.arriving and any(links.arriving.get(links.listeners.get(fd, 0)) for fd, _ in fds):
        return 1000
    return 0


def _fd(target: Any) -> int:
    fd = target if isinstance(target, int) else target.fileno()
    if not isinstance(fd, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def _wait(fds: list[tuple[int, int]], timeout_ns: int | None, what: str) -> list[tuple[int, int]]:
    """The ready ones of ``fds``, waiting up to ``timeout_ns`` (None: for ever)."""
    found = look(fds)
    if found:
        return found
    if timeout_ns is not None and timeout_ns <= 0:
        baton.polled()
        return found
    deadline = -1 if timeout_ns is None else baton.clock + timeout_ns
    return baton.wait(what, deadline, list(fds)) or []


def select(rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None, /) -> Any:
    """``select.select``."""
    wishes = [[(item, _fd(item)) for item in group] for group in (rlist, wlist, xlist)]
    masks: dict[int, int] = {}
    for group, events in zip(wishes, (real.POLLIN, real.POLLOUT, real.POLLPRI), strict=True):
        for _, fd in group:
            masks[fd] = masks.get(fd, 0) | events
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    timeout_ns = None if timeout is None else math.ceil(round(timeout * 1e6, 3)) * 1000
    found = dict(_wait(list(masks.items()), timeout_ns, "select"))
    if found and real.POLLNVAL in found.values():
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    ways = (real.POLLIN | real.POLLHUP | real.POLLERR, real.POLLOUT | real.POLLERR, real.POLLPRI)
    return tuple(
        [item for item, fd in group if found.get(fd, 0) & events] for group, events in zip(wishes, ways, strict=True)
    )


class _Registry:
    """What poll and epoll objects share: descriptors in order of registration."""

    def __init__(self) -> None:
        self._fds: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = real.POLLIN | real.POLLPRI | real.POLLOUT) -> None:
        self._fds[_fd(fd)] = eventmask

    def unregister(self, fd: Any) -> None:
        del self._fds[_fd(fd)]


class Poll(_Registry):
    """``select.poll()``."""

    def modify(self, fd: Any, eventmask: int) -> None:
        number = _fd(fd)
        if number not in self._fds:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._fds[number] = eventmask

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        endless = timeout is None or timeout < 0
        return _wait(list(self._fds.items()), None if endless else math.ceil(timeout or 0) * 1_000_000, "poll")


class Epoll(_Registry):
    """``select.epoll()``, level triggered. Its own descriptor is real, so that it can be named and closed."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        super().__init__()
        self._real = _REAL_EPOLL()
        links.internal.add(self._real.fileno())

    def fileno(self) -> int:
        return int(self._real.fileno())

    @property
    def closed(self) -> bool:
        return bool(self._real.closed)

    def close(self) -> None:
        if not self._real.closed:
            links.released(self._real.fileno())
            self._real.close()

    def register(self, fd: Any, eventmask: int = real.POLLIN | real.POLLPRI | real.POLLOUT) -> None:
        number = _fd(fd)
        self._real.register(number, 0)  # refuses regular files, unknown and doubled descriptors as always
        self._fds[number] = eventmask

    def modify(self, fd: Any, eventmask: int) -> None:
        number = _fd(fd)
        if number not in self._fds:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._fds[number] = eventmask

    def unregister(self, fd: Any) -> None:
        number = _fd(fd)
        if self._fds.pop(number, None) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        try:
            self._real.unregister(number)
        except OSError:
            pass  # closed before; epoll forgets such descriptors by itself

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        if self._real.closed:
            raise ValueError("I/O operation on closed epoll object")
        endless = timeout is None or timeout < 0
        timeout_ns = None if endless else math.ceil(round((timeout or 0) * 1e3, 6)) * 1_000_000
        found = _wait(list(self._fds.items()), timeout_ns, "epoll")
        return found[:maxevents] if maxevents > 0 else found

    def __enter__(self) -> Epoll:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_REAL_EPOLL: Any = getattr(_select, "epoll", None)


def install() -> None:
    """Replace the functions of ``select``; call before ``selectors`` is imported."""
    _select.select = staticmethod(select)
    if hasattr(_select, "poll"):
        _select.poll = Poll  # type: ignore[assignment, misc]
    if _REAL_EPOLL is not None:
        _select.epoll = Epoll  # type: ignore[assignment, misc]
    for name in ("kqueue", "devpoll"):
        if hasattr(_select, name):
            delattr(_select, name)
    baton.look = look
