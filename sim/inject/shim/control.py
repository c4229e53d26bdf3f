"""The process's end of the wire: HELLO, CONFIG, then IDLE and RUN in turn, until the end.

Rules: after IDLE this process does nothing, and reads no socket, until RUN. A process that has sent nothing since the
last RUN sleeps below the horizon on its own account, without a message.
"""

from __future__ import annotations

import os
import sys

from . import baton, escapes, links, real, sockets, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 60_000  # characters of one text, so that a message fits into the socket's buffer
HIGH_FD = 700  # out of the way: the program sees the descriptor numbers it would have without us
_socket: Any = None
_horizon = wire.NEVER
_run_at = 0  # the instant of the last RUN
children: Callable[[], list[int]] = list  # live children of this process; children.py puts the real one here
settings: dict[str, Any] = {}


def connect(path: str, token: str, name: str) -> dict[str, Any]:
    """Open the control socket, say HELLO and return the settings that CONFIG carries."""
    global _socket
    import _socket as sock

    low = real.Socket(sock.AF_UNIX, sock.SOCK_SEQPACKET)
    wire.through_folder(path, low.connect)
    _socket = real.Socket(fileno=out_of_the_way(low.detach()))
    import json

    hello = {
        "token": token,
        "name": name,
        "pid": real.getpid(),
        "ppid": real.getppid(),
        "python": sys.version.split()[0],
        "argv": list(getattr(sys, "orig_argv", [])),
        "aslr": not _fixed_addresses(),
    }
    _socket.send(wire.text(wire.HELLO, json.dumps(hello)))
    message = _receive()
    if wire.check(message) != wire.CONFIG:
        raise wire.WireError("lockstep: CONFIG must follow HELLO")
    configure(json.loads(wire.body(message)))
    return settings


def out_of_the_way(low: int) -> int:
    """The descriptor ``low``, moved to a number that no program expects."""
    import fcntl

    high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    os.close(low)
    return high


def configure(values: dict[str, Any]) -> None:
    """Take over what a CONFIG message carries; it may come again when the simulator opens another port."""
    settings.update(values)
    links.kernel_ports.clear()
    links.kernel_ports.update(settings.get("ports", ()))
    links.hosts.clear()
    for host, port, to_host, to_port in settings.get("hosts", ()):
        links.hosts[host, port] = (to_host, to_port)


def _fixed_addresses() -> bool:
    try:
        with open("/proc/self/personality") as file:
            return bool(int(file.read(), 16) & 0x0040000)
    except (OSError, ValueError):
        return False


def log(kind: str, text: str) -> None:
    """Tell the kernel something a person should know (LOG)."""
    import json

    if _socket is not None:
        stack = stacks(1) if kind != "stacks" else ""
        body = json.dumps({"kind": kind, "text": text[:LONGEST], "stack": stack[:LONGEST]})
        _say(wire.text(wire.LOG, body))


def idle() -> None:
    """No thread can run: sleep below the horizon, or report IDLE and wait for RUN."""
    deadline = baton.earliest()
    pids = children()
    if baton.ready:
        return  # a child has ended
    uncovered = _uncovered()
    if (
        not links.acted
        and wire.NEVER < deadline < _horizon
        and not pids
        and not uncovered
        and not sockets.wants_alone
    ):
        baton.reach(deadline)
        return
    flags = 0
    if uncovered:
        flags |= wire.UNCOVERED
    if pids:
        flags |= wire.CHILDREN
    if sockets.wants_alone:
        flags |= wire.WANTS_ALONE
    if baton.ran:
        flags |= wire.RAN
    _say(_idle_message(flags, deadline, pids))
    _await_run()


def first_run() -> None:
    """Stop here until the kernel lets this process begin."""
    links.acted = True
    idle()


def catch_up() -> None:
    """Let the kernel come to the instant that was reached by sleeping below the horizon.

    Before whatever shows outside at once: a connection, a child, a signal, the end.
    """
    if baton.now > _run_at and real.get_ident() == baton.current.ident:
        links.acted = True
        baton.wait("the clock", baton.now)


def _uncovered() -> bool:
    if escapes.watched:
        return True
    for strand in baton.fd_waiters:
        for fd, _ in strand.fds:
            if not links.covered(fd):
                return True
    return False


def _blocked() -> list[links.Link]:
    """The connections on which a thread waits for room, in ``send`` or by polling."""
    waits = (wait for strand in baton.fd_waiters for wait in strand.fds)
    return [links.by_fd[fd] for fd, events in waits if events & real.POLLOUT and fd in links.by_fd]


def _idle_message(flags: int, deadline: int, pids: list[int]) -> bytes:
    reported = links.outward()
    blocked = _blocked()
    parts = [
        wire.IDLE_BODY.pack(
            wire.IDLE, wire.VERSION, flags, baton.now, deadline, baton.clock, len(reported), len(pids)
        )
    ]
    for link in reported:
        state = link.local | (wire.BLOCKED if link in blocked else 0)
        parts.append(wire.IDLE_LINK.pack(link.lport, link.pport, link.consumed, link.sent, state))
    parts += [wire.CHILD.pack(pid) for pid in pids]
    return b"".join(parts)


def _say(message: bytes) -> None:
    try:
        _socket.send(message)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(70)  # the simulator is gone; so is this world


def _receive() -> bytes:
    while True:
        try:
            message: bytes = _socket.recv(wire.MAX_BYTES)
        except InterruptedError:
            continue
        if not message:
            os._exit(70)
        return message


def _await_run() -> None:
    """Block for real until RUN; answer questions and take new settings in the meantime."""
    while True:
        message = _receive()
        kind = wire.check(message)
        if kind == wire.RUN:
            _run(message)
            return
        if kind == wire.QUERY:
            log("stacks", stacks())
        elif kind == wire.CONFIG:
            import json

            configure(json.loads(wire.body(message)))


def _run(message: bytes) -> None:
    """Take over what RUN says and wake whoever can go on."""
    global _horizon, _run_at
    _, _, flags, now, _horizon, count, signals = wire.RUN_BODY.unpack_from(message)
    place = wire.RUN_BODY.size
    for _ in range(count):
        lport, pport, announced, window, state = wire.RUN_LINK.unpack_from(message, place)
        place += wire.RUN_LINK.size
        link = links.by_ports.get((lport, pport))
        if link is not None:
            link.announced, link.window, link.flags = announced, window, state
    _run_at = now
    links.acted = baton.ran = False
    sockets.alone = bool(flags & wire.EXCLUSIVE)
    if sockets.alone:
        waiting, sockets.wants_alone[:] = sockets.wants_alone[:], []
        for strand in waiting:
            baton.wake(strand)
    if signals:
        baton.pending_signals.extend(message[place : place + signals])
        baton.interrupt()
    baton.reach(now)
    if escapes.watched:
        escapes.look_again()


def stacks(skip: int = 0) -> str:
    """Every thread: what it waits for, and its Python stack."""
    import sys
    import traceback

    frames = sys._current_frames()
    here = real.get_ident()
    parts = []
    for strand in sorted(baton.strands.values(), key=lambda s: s.number):
        frame = frames.get(strand.ident)
        what = strand.what if strand.waiting else ("running" if strand is baton.current else "ready to run")
        until = f" until {strand.deadline / 1e9:.9f} s" if strand.waiting and strand.deadline >= 0 else ""
        lines = traceback.format_stack(frame) if frame is not None else []
        own = [line for line in lines if "drycell_shim" not in line]
        parts.append(f"{_thread_name(strand)}: waits for {what}{until}\n{''.join(own)}")
        if skip and strand.ident == here:
            return parts[-1]
    return "\n".join(parts)


def _thread_name(strand: baton.Strand) -> str:
    threading = sys.modules.get("threading")
    thread = getattr(threading, "_active", {}).get(strand.ident)
    return f"{strand.name} ({thread.name})" if thread is not None else strand.name


def offer_stacks() -> None:
    """Let the simulator see all stacks even if this process computes for ever (a signal that faulthandler serves)."""
    path = settings.get("stacks")
    if path:
        import faulthandler
        import signal

        high = out_of_the_way(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        faulthandler.register(signal.SIGRTMAX - 3, file=high, all_threads=True, chain=False)


def install() -> None:
    """Connect the scheduler to the wire."""
    baton.idle = idle
    links.report = log
    links.catch_up = catch_up
