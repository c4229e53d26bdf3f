"""One process in lockstep, as the kernel sees it: its control socket, its last report and its connections."""

import json
import os
import select
import socket
from dataclasses import dataclass, field
from typing import Any

from drycell.sim.inject.shim import wire
from drycell.sim.lockstep.errors import LockstepError
from drycell.sim.lockstep.gate import Connection, Gate

Rank = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The content of one IDLE message."""

    flags: int
    at_ns: int
    deadline_ns: int
    clock_ns: int
    links: tuple[tuple[int, int, int, int, int], ...]
    children: tuple[int, ...]

    @classmethod
    def parse(cls, message: bytes) -> "Report":
        """Raises WireError for a message that is no IDLE of this protocol version."""
        if wire.check(message) != wire.IDLE:
            raise wire.WireError(f"IDLE expected, {message[:1]!r} met")
        _, _, flags, at_ns, deadline_ns, clock_ns, links, _ = wire.IDLE_BODY.unpack_from(message)
        place = wire.IDLE_BODY.size
        middle = place + links * wire.IDLE_LINK.size
        return cls(
            flags,
            at_ns,
            deadline_ns,
            clock_ns,
            tuple(wire.IDLE_LINK.iter_unpack(message[place:middle])),
            tuple(pid for (pid,) in wire.CHILD.iter_unpack(message[middle:])),
        )


@dataclass(slots=True, eq=False)
class Process:
    """Live state of one attached process. ``rank`` decides every order between processes."""

    name: str
    rank: Rank
    pid: int
    control: socket.socket
    hello: dict[str, Any]
    report: Report | None = None
    held: Report | None = None  # a report from a later instant, reached by sleeping below the horizon
    started: bool = False
    frozen: bool = False
    gone: bool = False
    stale: bool = False  # others have acted since it last looked at what the counters do not cover
    running: bool = False
    computing: bool = False  # it has run for longer than the guard, and time goes on without it
    connections: dict[tuple[int, int], Connection] = field(default_factory=dict)
    signals: list[int] = field(default_factory=list)
    pidfd: int = -1
    opened: int = 0
    slept_slices: int = 0  # how often in a row it was found asleep although it runs

    def able(self) -> bool:
        """Whether it may be run now."""
        return self.held is None and not self.frozen and not self.computing

    def next_ns(self) -> int | None:
        """When this process wants to act next."""
        if self.gone or self.frozen or self.computing:
            return None
        if self.held is not None:
            return self.held.at_ns
        if self.report is None or self.report.deadline_ns < 0:
            return None
        return self.report.deadline_ns

    def flag(self, bit: int) -> bool:
        """Whether the last report carries ``bit``."""
        return self.report is not None and bool(self.report.flags & bit)

    def children(self) -> tuple[int, ...]:
        """Its live children, by its last word."""
        last = self.held or self.report
        return () if last is None else last.children

    def has_news(self) -> bool:
        """Whether it must be run because of its connections, its signals or its start."""
        return not self.started or bool(self.signals) or any(c.news() for c in self.connections.values())

    def send_run(self, now_ns: int, horizon_ns: int, *, alone: bool) -> None:
        """RUN: tell it the time and the state of its connections."""
        parts = []
        for connection in self.connections.values():
            connection.announced = connection.tx
            connection.window = connection.rx + wire.WINDOW_BYTES
            flags = 0
            if connection.write_closed:
                flags |= wire.FIN
            if connection.closed:
                flags |= wire.GONE
            connection.end_announced = connection.end_announced or bool(flags)
            parts.append(
                wire.RUN_LINK.pack(*connection.ports, connection.announced, connection.window, flags),
            )
        signals, self.signals = bytes(self.signals), []
        flags = wire.EXCLUSIVE if alone else 0
        head = wire.RUN_BODY.pack(wire.RUN, wire.VERSION, flags, now_ns, horizon_ns, len(parts), len(signals))
        self.started = self.running = True
        self.send(head + b"".join(parts) + signals)

    def send(self, message: bytes) -> None:
        """One message; a process that has just died is noticed when its answer is read."""
        try:
            self.control.send(message)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self) -> bytes | None:
        """The next message; b"" at the end of the process, None after the socket's guard time."""
        try:
            return self.control.recv(wire.MAX_BYTES)
        except ConnectionResetError:
            return b""
        except BlockingIOError:
            return None

    def take(self, report: Report, gate: Gate) -> None:
        """Make a report the present state; from here on its bytes may be read."""
        self.report, self.held = report, None
        for lport, pport, consumed, sent, flags in report.links:
            ports = (lport, pport)
            connection = self.connections.get(ports)
            if connection is None:
                self.opened += 1
                connection = self.connections[ports] = gate.opened(ports, (self.rank, self.opened))
            if sent < connection.p_sent or consumed < connection.p_consumed or consumed > connection.tx:
                counts = f"sent {sent} after {connection.p_sent}, read {consumed} after {connection.p_consumed}"
                raise LockstepError(
                    f"{self.name} reports impossible byte counts on its port {lport}: {counts}, of {connection.tx} "
                    "there were; a bug in the shim"
                )
            connection.p_sent, connection.p_consumed = sent, consumed
            connection.p_ended = bool(flags & wire.WRITE_CLOSED)
            connection.blocked = bool(flags & wire.BLOCKED)
            if flags & wire.CLOSED:
                del self.connections[ports]

    def end(self) -> None:
        """The process is gone: what it had sent is told by its streams alone."""
        self.gone, self.running, self.computing = True, False, False
        self.held = None
        for connection in self.connections.values():
            connection.p_gone = True
        self.connections.clear()
        self.control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def await_exit(self, timeout_s: float) -> bool:
        """Wait for real until the operating system has ended it."""
        if self.pidfd < 0:
            return True
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        ended = bool(poller.poll(timeout_s * 1000))
        if ended:
            os.close(self.pidfd)
            self.pidfd = -1
        return ended


def parse_hello(message: bytes) -> dict[str, Any]:
    """The content of HELLO. Raises WireError for anything else."""
    if wire.check(message) != wire.HELLO:
        raise wire.WireError(f"HELLO expected, {message[:1]!r} met")
    content = json.loads(wire.body(message))
    if not isinstance(content, dict):
        raise wire.WireError("HELLO must carry a JSON object")
    return content
