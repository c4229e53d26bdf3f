"""Who takes part: the listening control socket, expected processes, and children of attached ones.

Rules: time waits for every expected process until it says HELLO; a child that attaches takes its rank from its parent
and its place among the parent's children; a child that does not attach holds time still while it lives.
"""

import os
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.inject.shim import wire
from drycell.sim.lockstep.errors import LockstepError, NeverAttachedError
from drycell.sim.lockstep.process import Process, Rank, parse_hello

BACKLOG = 64


@dataclass(slots=True)
class _Expected:
    name: str
    rank: int
    token: str
    pid: int = 0
    pidfd: int = -1
    attached: bool = False


class Roll:
    """The door through which processes enter lockstep."""

    def __init__(self, path: Path, start_s: float) -> None:
        self.path = path
        self._start_s = start_s
        self._curious = False  # a process has ended; it may have left children that say HELLO
        self.awaited = 0  # expected processes that have not said HELLO
        self._expected: dict[str, _Expected] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            wire.through_folder(str(path), self._listener.bind)
        except OSError as error:
            self._listener.close()
            raise LockstepError(f"no control socket can be made in {path.parent} ({error})") from None
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)

    def expect(self, name: str, rank: int) -> str:
        """Expect a process; returns its token."""
        if any(e.rank == rank for e in self._expected.values()):
            raise LockstepError(f"rank {rank} is taken; every process needs a launch rank of its own")
        token = f"{rank}-{name}"
        self._expected[token] = _Expected(name, rank, token)
        self.awaited += 1
        return token

    def launched(self, name: str, pid: int) -> None:
        """The process called ``name`` runs under ``pid``."""
        for expected in self._expected.values():
            if expected.name == name and not expected.attached:
                expected.pid = pid
                expected.pidfd = os.pidfd_open(pid)

    def withdraw(self, name: str) -> None:
        """Expect ``name`` no longer, and forget its rank."""
        self._expected = {t: e for t, e in self._expected.items() if e.name != name or e.attached}

    def ended(self, pid: int) -> None:
        """A process is gone; its rank may be used again."""
        self._curious = True
        self._expected = {t: e for t, e in self._expected.items() if e.pid != pid or not e.attached}

    def arrivals(self, known: list[Process]) -> list[Process]:
        """Processes that said HELLO; waits in wall time for all that are expected."""
        arrived: list[Process] = []
        curious, self._curious = self._curious, False
        if not self.awaited and not curious and not any(p.children() for p in known):
            return arrived
        limit = time.monotonic() + self._start_s
        while True:
            while (process := self._accept([*known, *arrived])) is not None:
                arrived.append(process)
            awaited = [e for e in self._expected.values() if not e.attached]
            self.awaited = len(awaited)
            if not awaited:
                return arrived
            self._wait(awaited, limit)

    def _accept(self, known: list[Process]) -> Process | None:
        try:
            control, _ = self._listener.accept()
        except BlockingIOError:
            return None
        control.setblocking(True)
        hello = parse_hello(control.recv(1 << 20))
        expected = self._expected.get(str(hello.get("token")))
        pid = int(hello["pid"])
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            pidfd = -1
        if expected is not None and not expected.attached:
            expected.attached, expected.pid = True, pid
            if expected.pidfd >= 0:
                os.close(expected.pidfd)
                expected.pidfd = -1
            return Process(expected.name, (expected.rank,), pid, control, hello, pidfd=pidfd)
        name, rank = self._child_place(pid, known, str(hello.get("token")))
        return Process(name, rank, pid, control, hello, pidfd=pidfd)

    def _child_place(self, pid: int, known: list[Process], token: str) -> tuple[str, Rank]:
        """Name and rank of a child: its nearest attached ancestor, and the next free place under it."""
        ancestors = ancestry(pid)
        parents = [p for p in known if p.pid in ancestors] or [p for p in known if token.startswith(f"{p.rank[0]}-")]
        if not parents:
            raise LockstepError(f"a process attached with the unknown token {token!r}; nobody has enrolled it")
        parent = max(parents, key=lambda p: len(p.rank))
        place = 1 + sum(p.rank[: len(parent.rank)] == parent.rank and len(p.rank) > len(parent.rank) for p in known)
        return f"{parent.name}/{place}", (*parent.rank, place)

    def _wait(self, awaited: list[_Expected], limit: float) -> None:
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        for expected in awaited:
            if expected.pidfd >= 0:
                poller.register(expected.pidfd, select.POLLIN)
        seen = {fd for fd, _ in poller.poll(max(0.0, limit - time.monotonic()) * 1000)}
        if self._listener.fileno() in seen:
            return
        for expected in awaited:
            if expected.pidfd in seen or not seen:
                raise NeverAttachedError(_never(expected, ended=bool(seen), start_s=self._start_s))

    def foreign(self, living: list[Process]) -> dict[int, str]:
        """Live children that did not attach and have no attached descendant: pid -> name of the parent."""
        reported = {pid: p.name for p in living for pid in p.children()}
        if not reported:
            return {}
        attached = {p.pid for p in living}
        shells = {pid for p in living for pid in ancestry(p.pid)}
        return {pid: name for pid, name in reported.items() if pid not in attached and pid not in shells}

    def await_children(self, foreign: dict[int, str], timeout_ms: float) -> None:
        """Wait in wall time until one of ``foreign`` ends or somebody says HELLO, at most ``timeout_ms``."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        opened = []
        for pid in foreign:
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue
            opened.append(fd)
            poller.register(fd, select.POLLIN)
        poller.poll(timeout_ms)
        for fd in opened:
            os.close(fd)

    def close(self) -> None:
        """Close the control socket; idempotent."""
        self._listener.close()
        for expected in self._expected.values():
            if expected.pidfd >= 0:
                os.close(expected.pidfd)
                expected.pidfd = -1


def ancestry(pid: int) -> set[int]:
    """The process ids of all ancestors of ``pid``."""
    found: set[int] = set()
    while pid > 1:
        try:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
        found.add(pid)
    return found


def _never(expected: _Expected, *, ended: bool, start_s: float) -> str:
    what = "ended before it attached" if ended else f"did not attach within {start_s:g} s"
    return (
        f"{expected.name} {what} to simulated time: its interpreter must be CPython 3.11 to 3.13 and load "
        "sitecustomize (no -E, -I or -S, no static binary); otherwise run it at pace real"
    )
