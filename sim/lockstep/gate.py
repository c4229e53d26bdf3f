"""The kernel's end of the TCP connections to processes in lockstep: exact counters, windows, and the order of
reading.

Rules
- Bytes of processes are read only while every process is idle and the loop has nothing ready: one connection after
  the other, in launch order of the processes, then in the order in which the connections were opened.
- At most ``WINDOW_BYTES`` are under way per connection and direction, so no decision depends on socket buffers.
- A byte that a process has reported as sent is waited for; one that does not come within ``ARRIVAL_S`` wall seconds
  is an error, never skipped. A reader that the loop has paused is left alone: pausing is a decision of simulated
  code.
"""

import select
import selectors
import socket
from collections.abc import Callable, Mapping
from typing import Any

from drycell.sim.inject.shim.wire import WINDOW_BYTES
from drycell.sim.lockstep.errors import LockstepError

ARRIVAL_S = 20.0
BUFFER_BYTES = 8 * WINDOW_BYTES
Ports = tuple[int, int]  # seen from the process: its own port, the port of the simulator


class Connection:
    """Both ends' counters of one TCP connection between a process and the kernel."""

    __slots__ = (
        "announced", "blocked", "closed", "end_announced", "ended", "fd", "order", "p_consumed", "p_ended", "p_gone",
        "p_sent", "ports", "rx", "tx", "waits_for_room",
        "window", "write_closed",
    )  # fmt: skip

    def __init__(self, ports: Ports, order: tuple[Any, ...]) -> None:
        self.ports = ports
        self.order = order  # (rank of the process, number of the connection)
        self.fd = -1  # the kernel's descriptor; -1 until accepted
        self.rx = 0  # bytes the kernel has read
        self.tx = 0  # bytes the kernel has sent
        self.ended = False  # the kernel has read the end of the stream
        self.write_closed = False
        self.closed = False
        self.p_sent = 0
        self.p_consumed = 0
        self.p_ended = False  # the process sends nothing any more
        self.p_gone = False  # the process ended without a last report: its stream says how much it had sent
        self.blocked = False  # a thread of the process waits for room
        self.announced = 0
        self.end_announced = False
        self.window = WINDOW_BYTES
        self.waits_for_room = False  # the loop has more to send than the window allowed

    def due(self) -> bool:
        """Something that the process did is still to be read."""
        if self.closed or self.ended:
            return False
        return self.rx < self.p_sent or self.p_ended or self.p_gone

    def room(self) -> int:
        """Bytes the kernel may send now."""
        return self.p_consumed + WINDOW_BYTES - self.tx

    def news(self) -> bool:
        """The process must be told something."""
        if self.tx > self.announced or ((self.write_closed or self.closed) and not self.end_announced):
            return True
        return self.blocked and self.rx + WINDOW_BYTES > self.window


_by_fd: dict[int, Connection] = {}  # every counted socket of this interpreter


class CountedSocket(socket.socket):
    """A socket of the kernel that counts, and sends no more than the window allows."""

    __slots__ = ()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        connection = _by_fd[self.fileno()]
        try:
            data = super().recv(bufsize, flags)
        except ConnectionError:
            connection.ended = True
            raise
        connection.rx += len(data)
        if not data:
            connection.ended = True
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        connection = _by_fd[self.fileno()]
        try:
            count = super().recv_into(buffer, nbytes, flags)
        except ConnectionError:
            connection.ended = True
            raise
        connection.rx += count
        if not count:
            connection.ended = True
        return count

    def send(self, data: Any, flags: int = 0, /) -> int:
        connection = _by_fd[self.fileno()]
        room = connection.room()
        size = memoryview(data).nbytes
        if size > room:
            connection.waits_for_room = True
            if room <= 0:
                raise BlockingIOError
            data = memoryview(data).cast("B")[:room]
        count = super().send(data, flags)
        if count < min(size, room):
            connection.waits_for_room = True
        connection.tx += count
        return count

    def sendmsg(self, buffers: Any, *_args: Any) -> int:
        return self.send(b"".join(buffers))

    def shutdown(self, how: int, /) -> None:
        super().shutdown(how)
        if how != socket.SHUT_RD:
            _by_fd[self.fileno()].write_closed = True

    def close(self) -> None:
        connection = _by_fd.pop(self.fileno(), None)
        if connection is not None:
            connection.closed = connection.write_closed = True
        super().close()


class Gate(selectors.BaseSelector):
    """Wraps the loop's real selector; lets events of counted connections through one at a time, in order."""

    def __init__(self, real: selectors.BaseSelector, has_ready: Callable[[], bool]) -> None:
        self._real = real
        self._has_ready = has_ready
        self.is_open = False  # no process is left: nothing to order
        self.connections: list[Connection] = []  # in the order of reading

    # -- the selector's own duties are the real one's
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.is_open:
            return self._real.select(timeout)
        if self._has_ready():
            return []
        seen = self._real.select(0)
        free = [(key, events) for key, events in seen if key.fd not in _by_fd]
        return free or self._next_due({key.fd for key, events in seen if events & selectors.EVENT_READ})

    # -- counted connections
    def opened(self, ports: Ports, order: tuple[Any, ...]) -> Connection:
        """A connection that a process reports for the first time, even where its ports have served another before."""
        connection = Connection(ports, order)
        living = [c for c in self.connections if not (c.closed and (c.p_ended or c.p_gone))]
        self.connections = sorted([*living, connection], key=lambda c: c.order)
        return connection

    def adopt(self, sock: socket.socket) -> None:
        """Count an accepted socket, if a process in lockstep is at its other end."""
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or type(sock) is not socket.socket:
            return
        port = sock.getsockname()[1]
        try:
            peers = {sock.getpeername()[1]}
        except OSError:  # it was reset before it was accepted; those of one port are accepted in the order of opening
            peers = {c.ports[0] for c in self.connections if c.p_ended}
        waiting = (c for c in self.connections if c.fd < 0 and c.ports[1] == port and c.ports[0] in peers)
        connection = next(waiting, None)
        if connection is None:
            return
        connection.fd = sock.fileno()
        _by_fd[connection.fd] = connection
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.__class__ = CountedSocket

    def readable(self, connection: Connection) -> bool:
        """Something is due on a connection whose reader is not paused."""
        if connection.fd < 0 or connection.closed or connection.p_gone or not connection.due():
            return False
        key = self._real.get_map().get(connection.fd)
        return key is not None and bool(key.events & selectors.EVENT_READ)

    def missing(self) -> Connection | None:
        """A connection that a process has opened and the kernel has not accepted yet."""
        return next((c for c in self.connections if c.fd < 0 and not c.closed), None)

    def await_accept(self, connection: Connection) -> None:
        """Wait for real until some listener is ready; LockstepError if none ever is."""
        if not self._real.select(ARRIVAL_S):
            mine, port = connection.ports
            connection.closed = True
            raise LockstepError(
                f"a process has connected from port {mine} to port {port} of the simulator, but nobody accepts there"
            )

    def _next_due(self, arrived: set[int]) -> list[tuple[selectors.SelectorKey, int]]:
        keys = self._real.get_map()
        for connection in self.connections:
            fd = connection.fd
            if fd < 0 or connection.closed:
                continue
            if connection.due():
                key = keys.get(fd)
                reading = key is not None and bool(key.events & selectors.EVENT_READ)
                if key is not None and reading and (fd in arrived or self._arrived(connection)):
                    return [(key, selectors.EVENT_READ)]
            if connection.waits_for_room and connection.room() > 0:
                key = keys.get(fd)
                if key is not None and key.events & selectors.EVENT_WRITE:
                    connection.waits_for_room = False
                    return [(key, selectors.EVENT_WRITE)]
        return []

    def _arrived(self, connection: Connection) -> bool:
        """Wait for real until what is due can be read."""
        poller = select.poll()
        poller.register(connection.fd, select.POLLIN)
        if poller.poll(0):
            return True
        if connection.p_gone:
            if poller.poll(200):
                return True
            connection.p_gone = False  # the descriptor lives on in a child of the dead process
            return False
        if poller.poll(ARRIVAL_S * 1000):
            return True
        raise LockstepError(
            f"{connection.p_sent - connection.rx} bytes sent by a process to port {connection.ports[1]} never arrived"
        )
