"""``_socket.socket`` on the scheduler: the descriptor never blocks, the timeout is simulated.

Rules: reads take only announced bytes and wait for real until these have arrived; sends stop at the window; a
connection to the simulator is opened only while this process runs alone, so that connections arrive in launch order.
"""

from __future__ import annotations

import _socket
import errno
import os

from . import baton, links, locks, real, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ARRIVAL_S = 20.0  # wall seconds after which announced bytes that do not arrive are an error
BUFFER_BYTES = 8 * wire.WINDOW_BYTES
_INET = (_socket.AF_INET, _socket.AF_INET6)
_LOOPBACK = {_socket.AF_INET: "127.0.0.1", _socket.AF_INET6: "::1"}
_HOMES = {"localhost", *_LOOPBACK.values()}
_FIXED_OPTIONS = {(_socket.SOL_SOCKET, _socket.SO_SNDBUF), (_socket.SOL_SOCKET, _socket.SO_RCVBUF)}
alone = False  # the kernel runs only this process
wants_alone: list[baton.Strand] = []


def refused(address: Any) -> OSError:
    """The error for a peer outside of the simulated world, after naming it to the kernel."""
    links.report("outside", f"connection to {address!r}, which is no simulated instrument; name it under hosts:")
    return OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


class Socket(_socket.socket):
    """A socket whose blocking calls are waits of the scheduler."""

    __slots__ = ("_v_peer", "_v_timeout", "_v_wish")

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        super().__init__(family, type, proto, fileno)
        self._v_peer: Any = None
        self._v_wish = ""
        self._v_timeout: float | None = _socket.getdefaulttimeout()
        if self.type & _socket.SOCK_NONBLOCK:
            self._v_timeout = 0.0
        super().setblocking(False)
        if self.family in _INET and self.type & 15 == _socket.SOCK_STREAM:
            if fileno is None:
                super().setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, BUFFER_BYTES)
                super().setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, BUFFER_BYTES)
                super().setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            else:
                self._adopt()

    def _adopt(self) -> links.Link | None:
        """Find the connection of a descriptor that was opened elsewhere (dup, detach)."""
        fd = self.fileno()
        if fd in links.by_fd:
            return links.by_fd[fd]
        try:
            peer, here = super().getpeername(), super().getsockname()
        except OSError:
            return None
        return links.opened(fd, here[1], peer[1])

    # -- timeouts
    def settimeout(self, value: float | None, /) -> None:
        if value is not None:
            value = float(value)
            if value < 0:
                raise ValueError("Timeout value out of range")
        self._v_timeout = value

    def gettimeout(self) -> float | None:
        return self._v_timeout

    def setblocking(self, flag: bool, /) -> None:
        self._v_timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        return self._v_timeout != 0.0

    timeout = property(gettimeout)

    def _deadline(self) -> int:
        return -1 if self._v_timeout is None else baton.clock + locks.to_ns(self._v_timeout)

    def _await(self, events: int, deadline: int, what: str) -> None:
        """Wait until the descriptor shows ``events``; raises as a socket does when it may not wait longer."""
        if self._v_timeout == 0.0:
            baton.polled()
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        fd = self.fileno()
        if fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if not baton.wait(f"{what} on {self._label()}", deadline, [(fd, events)]):
            raise TimeoutError("timed out")

    def _label(self) -> str:
        link = links.by_fd.get(self.fileno())
        return f"the connection to port {link.pport}" if link else f"descriptor {self.fileno()}"

    def _retry(self, call: Callable[..., Any], args: tuple[Any, ...], events: int, what: str) -> Any:
        """A call on a socket that no counter covers: repeat it whenever the descriptor is ready."""
        deadline = None
        while True:
            try:
                return call(*args)
            except BlockingIOError:
                deadline = self._deadline() if deadline is None else deadline
                self._await(events, deadline, what)

    # -- opening
    def connect(self, address: Any, /) -> None:
        if self.family not in _INET or self.type & 15 != _socket.SOCK_STREAM:
            self._connect_other(address)
            return
        target, port = self._target(address)
        links.catch_up()
        _run_alone(port)
        self._v_peer = address if target is not address else None
        try:
            super().connect(target)
        except BlockingIOError:
            real.wait_fd(self.fileno(), real.POLLOUT, ARRIVAL_S)
            code = super().getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None
        links.acted = True
        links.opened(self.fileno(), super().getsockname()[1], port)
        if port in links.listeners.values():
            links.arriving[port] = links.arriving.get(port, 0) + 1

    def _target(self, address: Any) -> tuple[Any, int]:
        """The real address behind ``address``, and its port; refuses what is not part of the simulated world."""
        found = links.resolve(address[0], address[1])
        target = address if found is None else found
        port = int(target[1])
        if port not in links.kernel_ports and port not in links.listeners.values():
            if str(target[0]) in ("127.0.0.1", "::1", "localhost", "", "0.0.0.0"):
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            raise refused(address)
        return target, port

    def _connect_other(self, address: Any) -> None:
        if self.family in _INET and not str(address[0]).startswith("127."):
            raise refused(address)
        self._retry(super().connect, (address,), real.POLLOUT, "connect")

    def connect_ex(self, address: Any, /) -> int:
        try:
            self.connect(address)
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    def bind(self, address: Any, /) -> None:
        """Never on a public address: what a program opens for others, a debug port perhaps, is open on loopback."""
        home = _LOOPBACK.get(self.family)
        if home is not None and str(address[0]) not in _HOMES:
            self._v_wish = ":".join(map(str, address[:2]))
            if self.type & 15 != _socket.SOCK_STREAM:
                self._report_wish()
            address = (home, *address[1:])
        super().bind(address)

    def _report_wish(self) -> None:
        if self._v_wish:
            links.report("outside", f"a port was to be opened at {self._v_wish}; it is open on loopback only")

    def listen(self, *args: int) -> None:
        super().listen(*args)
        self._report_wish()  # a socket that is bound and then connected opens nothing
        if self.family in _INET:
            links.listeners[self.fileno()] = super().getsockname()[1]

    def _accept(self) -> tuple[int, Any]:
        port = links.listeners.get(self.fileno(), 0)
        if links.arriving.get(port):
            real.wait_fd(self.fileno(), real.POLLIN, ARRIVAL_S)
            links.arriving[port] -= 1
        fd, peer = self._retry(super()._accept, (), real.POLLIN, "accept")  # type: ignore[misc]
        if port:
            links.opened(fd, port, peer[1])
        return fd, peer

    # -- reading
    def _take(self, count: int, what: str, take: Callable[[int], int]) -> int:
        """Read up to ``count`` announced bytes with ``take(n) -> bytes taken``; 0 at the end of the stream."""
        link = links.by_fd[self.fileno()]
        deadline = None
        while link.readable() <= 0 and not link.ended():
            deadline = self._deadline() if deadline is None else deadline
            self._await(real.POLLIN, deadline, what)
        wanted = min(count, link.readable())
        if wanted <= 0:
            return self._really(take, count) if count and link.ended() else 0
        done = 0
        while done < wanted:
            got = self._really(take, wanted - done)
            if not got:
                break
            done += got
        return done

    def _really(self, take: Callable[[int], int], count: int) -> int:
        """One real read; announced bytes and ends that are still under way are waited for in wall time."""
        while True:
            try:
                return take(count)
            except BlockingIOError:
                if not real.wait_fd(self.fileno(), real.POLLIN, ARRIVAL_S):
                    raise TimeoutError(f"lockstep: announced bytes on {self._label()} never arrived") from None

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        link = links.by_fd.get(self.fileno())
        if link is None:
            return bytes(self._retry(super().recv, (bufsize, flags), real.POLLIN, "recv"))
        parts: list[bytes] = []
        recv = super().recv

        def take(count: int) -> int:
            parts.append(recv(count, flags))
            return len(parts[-1])

        if flags & _socket.MSG_PEEK:
            bufsize = min(bufsize, max(link.readable(), 1))
            self._peek(link)
            return recv(bufsize, flags)
        got = self._take(bufsize, "recv", take)
        link.consumed += got  # now, not before: another thread may have read meanwhile
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _peek(self, link: links.Link) -> None:
        deadline = None
        while link.readable() <= 0 and not link.ended():
            deadline = self._deadline() if deadline is None else deadline
            self._await(real.POLLIN, deadline, "recv")
        real.wait_fd(self.fileno(), real.POLLIN, ARRIVAL_S)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        link = links.by_fd.get(self.fileno())
        if link is None:
            return int(self._retry(super().recv_into, (buffer, nbytes, flags), real.POLLIN, "recv"))
        view = memoryview(buffer).cast("B")
        place = 0
        recv_into = super().recv_into

        def take(count: int) -> int:
            nonlocal place
            got = recv_into(view[place:], count, flags)
            place += got
            return got

        got = self._take(nbytes or len(view), "recv", take)
        link.consumed += got
        return got

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        if self.fileno() in links.by_fd:
            return self.recv(bufsize, flags), None
        got: tuple[bytes, Any] = self._retry(super().recvfrom, (bufsize, flags), real.POLLIN, "recv")
        return got

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        if self.fileno() in links.by_fd:
            return self.recv_into(buffer, nbytes, flags), None
        got: tuple[int, Any] = self._retry(super().recvfrom_into, (buffer, nbytes, flags), real.POLLIN, "recv")
        return got

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
        if self.fileno() in links.by_fd:
            return self.recv(bufsize, flags), [], 0, None
        return self._retry(super().recvmsg, (bufsize, ancbufsize, flags), real.POLLIN, "recv")

    def recvmsg_into(self, buffers: Any, ancbufsize: int = 0, flags: int = 0, /) -> Any:
        if self.fileno() in links.by_fd:
            return self.recv_into(next(iter(buffers)), 0, flags), [], 0, None
        return self._retry(super().recvmsg_into, (buffers, ancbufsize, flags), real.POLLIN, "recv")

    # -- sending
    def send(self, data: Any, flags: int = 0, /) -> int:
        link = links.by_fd.get(self.fileno())
        if link is None:
            return int(self._retry(super().send, (data, flags), real.POLLOUT, "send"))
        deadline = None
        while link.room() <= 0 and not (link.flags & wire.GONE):
            deadline = self._deadline() if deadline is None else deadline
            self._await(real.POLLOUT, deadline, "send")
        return self._push(link, memoryview(data).cast("B"), flags)

    def _push(self, link: links.Link, view: memoryview, flags: int) -> int:
        """Send what the window allows, all of it."""
        if link.flags & wire.GONE:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        view = view[: max(link.room(), 0)]
        done = 0
        links.acted = links.acted or link.peer is None
        while done < len(view):
            try:
                done += super().send(view[done:], flags)
            except BlockingIOError:
                if not real.wait_fd(self.fileno(), real.POLLOUT, ARRIVAL_S):
                    raise TimeoutError(f"lockstep: no room in the buffer of {self._label()}") from None
        link.sent += done
        return done

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        link = links.by_fd.get(self.fileno())
        view = memoryview(data).cast("B")
        deadline = self._deadline()
        limited, self_timeout = deadline >= 0, self._v_timeout
        try:
            while len(view):
                view = view[self.send(view, flags) :]
                if limited and len(view) and self_timeout:
                    if baton.clock >= deadline:
                        raise TimeoutError("timed out")
                    self._v_timeout = (deadline - baton.clock) / 1e9
        finally:
            self._v_timeout = self_timeout
        if link is None and not len(view):
            links.acted = True

    def sendto(self, data: Any, *args: Any) -> int:
        if self.fileno() in links.by_fd:
            return self.send(data, *args[:-1])
        if self.family in _INET and not str(args[-1][0]).startswith("127."):
            raise refused(args[-1])
        return int(self._retry(super().sendto, (data, *args), real.POLLOUT, "send"))

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        if self.fileno() in links.by_fd:
            return self.send(b"".join(buffers), flags)
        args = (buffers, ancdata, flags) if address is None else (buffers, ancdata, flags, address)
        return int(self._retry(super().sendmsg, args, real.POLLOUT, "send"))

    # -- the rest
    def getpeername(self) -> Any:
        return super().getpeername() if self._v_peer is None else self._v_peer

    def setsockopt(self, *args: Any) -> None:
        if args[:2] in _FIXED_OPTIONS and self.family in _INET and self.type & 15 == _socket.SOCK_STREAM:
            return  # buffers are larger than the window; a smaller one could let a send block for real
        super().setsockopt(*args)

    def shutdown(self, how: int, /) -> None:
        super().shutdown(how)
        link = links.by_fd.get(self.fileno())
        if link is not None and how != _socket.SHUT_RD:
            link.local |= wire.WRITE_CLOSED
            links.acted = links.acted or link.peer is None

    def close(self) -> None:
        fd = self.fileno()
        super().close()
        if fd >= 0:
            links.released(fd)

    def __del__(self) -> None:
        fd = self.fileno()
        super().__del__()  # type: ignore[misc]  # closes it, and warns as it always does
        if fd >= 0:
            links.released(fd)


def _run_alone(port: int) -> None:
    """Wait until the kernel runs only this process, if ``port`` belongs to the simulator."""
    while port in links.kernel_ports and not alone:
        wants_alone.append(baton.current)
        baton.wait("its turn to connect")


def install() -> None:
    """Replace the C layer's socket class; call before ``socket`` is imported."""
    _socket.socket = _socket.SocketType = Socket  # type: ignore[misc]
