"""Descriptors and child processes: ``os.read``, pipes as files, ``waitpid``, ``fork`` and ``fork_exec``.

Rules: nothing here blocks for real. A live child is reported in every IDLE; until it ends or says HELLO itself, the
kernel holds time still and lets this process look again from time to time.
"""

from __future__ import annotations

import _posixsubprocess
import builtins
import io
import os
import posix
import stat

from . import baton, control, links, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

alive: dict[int, None] = {}
_waiters: list[baton.Strand] = []
_real_close, _real_pipe, _real_pipe2 = posix.close, posix.pipe, posix.pipe2
_real_waitid, _real_wait4 = posix.waitid, posix.wait4
_real_open = io.open
_real_fork_exec = _posixsubprocess.fork_exec


def live() -> list[int]:
    """Children that have not ended; those that have, wake whoever waits for a child."""
    ended = False
    for pid in list(alive):
        try:
            info = _real_waitid(posix.P_PID, pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
        except OSError:
            info = True  # type: ignore[assignment]
        if info is not None:
            del alive[pid]
            ended = True
    if ended:
        waiting, _waiters[:] = _waiters[:], []
        for strand in waiting:
            baton.wake(strand)
    return list(alive)


def _await_child() -> None:
    if live():
        _waiters.append(baton.current)
        baton.wait("a child process")
    else:
        baton.polled()


def waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """``os.waitpid``."""
    return wait4(pid, options)[:2]


def wait() -> tuple[int, int]:
    """``os.wait``."""
    return wait4(-1, 0)[:2]


def wait3(options: int) -> tuple[int, int, Any]:
    """``os.wait3``."""
    return wait4(-1, options)


def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """``os.wait4``."""
    while True:
        found = _real_wait4(pid, options | posix.WNOHANG)
        if found[0]:
            alive.pop(found[0], None)
            return found
        if options & posix.WNOHANG:
            baton.polled()
            return found
        _await_child()


def waitid(idtype: int, ident: int, options: int, /) -> Any:
    """``os.waitid``."""
    while True:
        found = _real_waitid(idtype, ident, options | posix.WNOHANG)
        if found is not None or options & posix.WNOHANG:
            return found
        _await_child()


def fork_exec(*args: Any) -> int:
    """``_posixsubprocess.fork_exec``."""
    control.catch_up()
    pid = _real_fork_exec(*args)
    alive[pid] = None
    links.acted = True
    links.note_children()
    return pid


def posix_spawn(*args: Any, **kwargs: Any) -> int:
    """``os.posix_spawn``."""
    control.catch_up()
    pid = _real_posix_spawn(*args, **kwargs)
    alive[pid] = None
    links.acted = True
    links.note_children()
    return pid


_real_posix_spawn = posix.posix_spawn


def fork() -> int:
    """``os.fork``: the child becomes a process of its own in the simulated world."""
    control.catch_up()
    links.note_children()
    links.acted = True
    pid = real.fork()
    if pid:
        alive[pid] = None
        return pid
    alive.clear()
    links.leave_to_parent()
    baton.only_this_thread()
    baton.main = baton.current
    baton.main.ident = real.get_ident()
    environ = os.environ
    control.connect(environ["DRYCELL_LOCKSTEP"], environ.get("DRYCELL_TOKEN", ""), "fork")
    control.first_run()
    return 0


def read(fd: int, length: int, /) -> bytes:
    """``os.read``: waits as the scheduler waits."""
    wait_until(fd, real.POLLIN, "read")
    return real.read(fd, length)


def wait_until(fd: int, events: int, what: str) -> None:
    """Wait until ``fd`` is ready, unless it does not block anyway."""
    wish = [(fd, events)]
    if not baton.look(wish) and posix.get_blocking(fd):
        baton.wait(f"{what} on descriptor {fd}", fds=wish)


def pipe() -> tuple[int, int]:
    """``os.pipe``; both ends are in this process until it starts a child."""
    ends = _real_pipe()
    links.internal.update(ends)
    return ends


def pipe2(flags: int, /) -> tuple[int, int]:
    """``os.pipe2``."""
    ends = _real_pipe2(flags)
    links.internal.update(ends)
    return ends


def close(fd: int) -> None:
    """``os.close``."""
    _real_close(fd)
    links.released(fd)


class PipeFile(io.FileIO):
    """A pipe, socket or terminal as a raw file whose reads wait as the scheduler waits."""

    def readinto(self, buffer: Any, /) -> Any:
        wait_until(self.fileno(), real.POLLIN, "read")
        return super().readinto(buffer)

    def read(self, size: int | None = -1, /) -> Any:
        if size is None or size < 0:
            return self.readall()
        wait_until(self.fileno(), real.POLLIN, "read")
        return super().read(size)

    def readall(self) -> Any:
        parts: list[Any] = []
        while True:
            part = self.read(65536)
            if not part:
                return b"".join(parts) if parts or part is not None else None
            parts.append(part)

    def write(self, data: Any, /) -> Any:
        wait_until(self.fileno(), real.POLLOUT, "write")
        view = memoryview(data).cast("B")
        return super().write(view[:4096] if len(view) > 4096 else data)

    def close(self) -> None:
        if not self.closed:
            fd = self.fileno()
            super().close()
            links.released(fd)


def open_file(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
    """``open``: as always, but descriptors and names of pipes become PipeFile."""
    if not _is_stream(file):
        return _real_open(file, mode, buffering, *args, **kwargs)
    binary = "b" in mode
    raw = PipeFile(file, mode.replace("b", "").replace("t", "") or "r", closefd=kwargs.pop("closefd", True))
    if buffering == 0:
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    kind: Callable[..., Any] = io.BufferedRWPair if "+" in mode else io.BufferedWriter
    buffered: Any = io.BufferedReader(raw, size) if "r" in mode and "+" not in mode else kind(raw, size)
    if binary:
        return buffered
    text: Any = io.TextIOWrapper(buffered, *args, **kwargs)
    if buffering == 1:
        text.reconfigure(line_buffering=True)
    text.mode = mode
    return text


def _is_stream(file: Any) -> bool:
    try:
        kind = (posix.fstat(file) if isinstance(file, int) else posix.stat(file)).st_mode
    except (OSError, TypeError, ValueError):
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)


def leave(status: int) -> None:
    """``os._exit``, at the right instant."""
    control.catch_up()
    _real_exit(status)


_real_exit = posix._exit


def system(command: str) -> int:
    """``os.system``, as a child that the scheduler waits for."""
    return waitpid(posix_spawn("/bin/sh", ["sh", "-c", command], os.environ), 0)[1]


POSIX: dict[str, Any] = {
    "read": read,
    "close": close,
    "pipe": pipe,
    "pipe2": pipe2,
    "waitpid": waitpid,
    "wait": wait,
    "wait3": wait3,
    "wait4": wait4,
    "waitid": waitid,
    "fork": fork,
    "_exit": leave,
    "system": system,
    "posix_spawn": posix_spawn,
}


def install() -> None:
    """Replace the process and pipe functions of ``os``; call before ``subprocess`` is imported."""
    for name, function in POSIX.items():
        setattr(posix, name, staticmethod(function))
        setattr(os, name, staticmethod(function))
    _posixsubprocess.fork_exec = staticmethod(fork_exec)
    io.open = builtins.open = staticmethod(open_file)
    control.children = live
    import atexit

    atexit.register(control.catch_up)
