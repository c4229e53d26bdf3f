"""Words for what stands still, hangs or escapes; and the small messages that ask processes about it."""

import json
import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import Any

from drycell.sim.inject.shim import wire
from drycell.sim.lockstep.errors import HangError
from drycell.sim.lockstep.process import Process

STACK_SIGNAL = signal.SIGRTMAX - 3


def config_message(content: dict[str, Any]) -> bytes:
    """CONFIG with ``content``."""
    return wire.text(wire.CONFIG, json.dumps(content))


def log_content(message: bytes) -> dict[str, str]:
    """kind, text and stack of a LOG or BUSY message."""
    content = json.loads(wire.body(message))
    return {key: str(content.get(key, "")) for key in ("kind", "text", "stack")}


def set_receive_guard(control: socket.socket, guard_s: float | None) -> None:
    """Let a blocking receive give up after ``guard_s`` wall seconds (None: never)."""
    seconds = 0.0 if guard_s is None else guard_s
    whole = int(seconds)
    value = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)


def query(process: Process) -> str:
    """Ask an idle process for its stacks."""
    process.send(wire.text(wire.QUERY, ""))
    while True:
        message = process.receive()
        if not message:
            return "(no answer)"
        if wire.check(message) == wire.LOG:
            content = log_content(message)
            if content["kind"] == "stacks":
                return content["text"]


def deadlock(now_ns: int, stacks: dict[str, str]) -> str:
    """The text of a standstill."""
    parts = [f"deadlock at {now_ns / 1e9:.9f} s: nothing is scheduled and every process waits"]
    parts += [f"--- {name}\n{text}" for name, text in stacks.items()]
    return "\n".join(parts)


def hang(process: Process, guard_s: float, folder: Path) -> HangError:
    """The error for a process that does not come back, with the stacks that faulthandler writes."""
    file = folder / f"stacks-{process.pid}"
    before = file.stat().st_size if file.exists() else 0
    try:
        os.kill(process.pid, STACK_SIGNAL)
    except OSError:
        pass
    limit = time.monotonic() + 2.0
    while time.monotonic() < limit and (not file.exists() or file.stat().st_size == before):
        time.sleep(0.01)
    time.sleep(0.05)
    text = (
        file.read_text(encoding="utf-8", errors="replace") if file.exists() else "(no stacks: stuck outside Python)"
    )
    return HangError(
        f"{process.name} has computed for {guard_s:g} s of wall time without waiting for anything; if that is its "
        f"normal work, raise the guard; its threads:\n{text}"
    )


def foreign(children: dict[int, str], guard_s: float) -> str:
    """The text for children that neither end nor attach."""
    lines = []
    for pid, parent in children.items():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            words = "?"
        lines.append(f"{words!r}, started by {parent}")
    return (
        f"time has stood still for {guard_s:g} s of wall time, waiting for programs that neither end nor attach: "
        + "; ".join(lines)
    )
