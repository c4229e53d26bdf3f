"""The interpreter's own primitives, kept before anything is replaced. The shim itself uses only these to block."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import _thread
import posix
import select
import time

allocate_lock = _thread.allocate_lock
get_ident = _thread.get_ident
start_new_thread = _thread.start_new_thread
monotonic = time.monotonic
sleep = time.sleep
poll = select.poll
POLLIN, POLLOUT, POLLPRI = select.POLLIN, select.POLLOUT, select.POLLPRI
POLLERR, POLLHUP, POLLNVAL = select.POLLERR, select.POLLHUP, select.POLLNVAL
POLLRDHUP = getattr(select, "POLLRDHUP", 0)
Socket = _socket.socket
socketpair = _socket.socketpair
getaddrinfo = _socket.getaddrinfo
gethostbyname = _socket.gethostbyname
read = posix.read
waitpid = posix.waitpid
fork = posix.fork
kill = posix.kill
getpid = posix.getpid
getppid = posix.getppid
urandom = posix.urandom
raise_signal = _signal.raise_signal


def wait_fd(fd: int, events: int, timeout_s: float) -> bool:
    """Block for real until ``fd`` shows one of ``events``; False after ``timeout_s`` seconds of wall time."""
    poller = poll()
    poller.register(fd, events)
    return bool(poller.poll(timeout_s * 1000))
