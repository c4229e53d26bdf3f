"""TCP connections of this process as the lockstep protocol sees them: what was announced, read, sent, and may be
sent.

Rules:
1. A program sees exactly the bytes that the kernel announced, never more; how many of them have physically arrived
   does not matter, because a read waits for announced bytes.
2. At most ``wire.WINDOW_BYTES`` may be sent beyond what the other end has read; a sender blocks at that count, never
   at the mercy of a socket buffer.
3. Connections inside this process (self-pipes over TCP) announce themselves: what one end has sent the other may
   read.
4. Any other peer is refused and named.
"""

from __future__ import annotations

from . import real, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Link:
    """One end of one TCP connection."""

    __slots__ = (
        "announced",
        "consumed",
        "flags",
        "local",
        "lport",
        "peer",
        "pport",
        "sent",
        "users",
        "window",
    )

    def __init__(self, lport: int, pport: int) -> None:
        self.lport, self.pport = lport, pport
        self.announced = 0
        self.consumed = 0
        self.sent = 0
        self.window = wire.WINDOW_BYTES
        self.flags = 0  # of the other end: wire.FIN, wire.GONE
        self.local = 0  # of this end: wire.WRITE_CLOSED, wire.CLOSED
        self.users = 1
        self.peer: Link | None = None  # the other end, if it is in this process

    def readable(self) -> int:
        """Bytes that may be read now."""
        peer = self.peer
        return (self.announced if peer is None else peer.sent) - self.consumed

    def ended(self) -> bool:
        """No byte follows after the readable ones."""
        peer = self.peer
        return bool(self.flags & wire.FIN if peer is None else peer.local)

    def room(self) -> int:
        """Bytes that may be sent now."""
        peer = self.peer
        return (self.window if peer is None else peer.consumed + wire.WINDOW_BYTES) - self.sent

    def events(self) -> int:
        """The poll events of this end."""
        found = 0
        ended = self.ended()
        if ended or self.readable() > 0:
            found |= real.POLLIN
        if ended:
            found |= real.POLLRDHUP
        if self.room() > 0 or self.flags & wire.GONE or (self.peer is not None and self.peer.local & wire.CLOSED):
            found |= real.POLLOUT
        return found


by_fd: dict[int, Link] = {}
by_ports: dict[tuple[int, int], Link] = {}
closed: list[Link] = []
listeners: dict[int, int] = {}  # descriptor -> port of listening sockets of this process
arriving: dict[int, int] = {}  # port -> connections under way to a listener of this process
internal: set[int] = set()  # descriptors whose other end is in this process
kernel_ports: set[int] = set()
hosts: dict[tuple[str, int], tuple[str, int]] = {}
acted = False  # something left this process since the last RUN
report: Callable[[str, str], None] = lambda kind, text: None  # noqa: E731

catch_up: Callable[[], None] = lambda: None  # noqa: E731  let the kernel reach this process's instant; control.py sets it


def opened(fd: int, lport: int, pport: int) -> Link:
    """Register the connected socket ``fd``."""
    link = by_ports.get((lport, pport))
    if link is not None and not link.local & wire.CLOSED:
        link.users += 1
    else:
        link = by_ports[lport, pport] = Link(lport, pport)
        peer = by_ports.get((pport, lport))
        if peer is not None:
            link.peer, peer.peer = peer, link
    by_fd[fd] = link
    return link


def released(fd: int) -> None:
    """The descriptor ``fd`` was closed."""
    global acted
    internal.discard(fd)
    listeners.pop(fd, None)
    link = by_fd.pop(fd, None)
    if link is None:
        return
    link.users -= 1
    if not link.users:
        link.local |= wire.CLOSED | wire.WRITE_CLOSED
        by_ports.pop((link.lport, link.pport), None)
        if link.peer is None:
            closed.append(link)
            acted = True


def covered(fd: int) -> bool:
    """True if the counters or this process itself account for everything that can happen on ``fd``."""
    return fd in by_fd or fd in internal or fd in listeners


def outward() -> list[Link]:
    """The connections to the kernel, those just closed first, each once: another may have their ports already."""
    gone, closed[:] = closed[:], []
    return gone + [link for link in by_ports.values() if link.peer is None and link.pport in kernel_ports]


def resolve(host: Any, port: Any) -> tuple[str, int] | None:
    """Where ``hosts:`` of the scenario leads this address, or None."""
    name = host.decode() if isinstance(host, (bytes, bytearray)) else str(host or "")
    number = int(port) if str(port or "").isdigit() else 0
    found = hosts.get((name, number)) or hosts.get((name, 0))
    if found is None:
        return None
    return found[0], found[1] or number


def leave_to_parent() -> None:
    """After fork: the connections are the parent's; this process does not report them."""
    by_fd.clear()
    by_ports.clear()
    closed.clear()


def note_children() -> None:
    """A child may now hold the other end of any descriptor."""
    internal.clear()
