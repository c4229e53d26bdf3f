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
from drycell.sim.lockstep.settings import Finding

STACK_SIGNAL = signal.SIGRTMAX - 3
SLICE_S = 0.25  # how often, in wall time, a running process is looked at
ANSWER_S = 10.0  # for an idle process to tell its stacks
BLOCKED_SLICES = 4  # asleep for a second: it sleeps or waits outside of the shim


def config_message(content: dict[str, Any]) -> bytes:
    """CONFIG with ``content``."""
    return wire.text(wire.CONFIG, json.dumps(content))


def log_content(message: bytes) -> dict[str, str]:
    """kind, text and stack of a LOG or BUSY message."""
    content = json.loads(wire.body(message))
    return {key: str(content.get(key, "")) for key in ("kind", "text", "stack")}


def slice_receiving(control: socket.socket) -> None:
    """Let a blocking receive come back after ``SLICE_S`` wall seconds without a message."""
    control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(SLICE_S * 1e6)))


def sleeps_in_c(process: Process) -> bool:
    """Whether a running process was just found asleep for the whole of a second; once per process."""
    if process.slept_slices < BLOCKED_SLICES:
        process.slept_slices = process.slept_slices + 1 if _all_asleep(process.pid) else 0
        return process.slept_slices == BLOCKED_SLICES
    return False


def _all_asleep(pid: int) -> bool:
    try:
        states = [file.read_text().rpartition(")")[2].split()[0] for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return False
    return set(states) == {"S"}


def blocked(process: Process, folder: Path) -> Finding:
    """The finding for a process that waits in C code, with the stacks of its threads."""
    text = f"it has slept or waited in C code for {BLOCKED_SLICES * SLICE_S:g} s of wall time and no simulated time"
    return Finding("blocked", process.name, text, _dump(process, folder))


def query(process: Process) -> str:
    """Ask an idle process for its stacks."""
    process.send(wire.text(wire.QUERY, ""))
    slices = 0
    while slices * SLICE_S < ANSWER_S:
        message = process.receive()
        if message is None:
            slices += 1
        elif not message:
            break
        elif wire.check(message) == wire.LOG:
            content = log_content(message)
            if content["kind"] == "stacks":
                return content["text"]
    return "(no answer)"


def deadlock(now_ns: int, stacks: dict[str, str]) -> str:
    """The text of a standstill."""
    parts = [f"deadlock at {now_ns / 1e9:.9f} s: nothing is scheduled and every process waits"]
    parts += [f"--- {name}\n{text}" for name, text in stacks.items()]
    return "\n".join(parts)


def hang(process: Process, guard_s: float, folder: Path) -> HangError:
    """The error for a process that does not come back, with the stacks that faulthandler writes."""
    did = "waited in C code" if _all_asleep(process.pid) else "computed"
    return HangError(
        f"{process.name} has {did} for {guard_s:g} s of wall time without waiting for anything; if that is its "
        f"normal work, raise limits.computing_s; its threads:\n{_dump(process, folder)}"
    )


def _dump(process: Process, folder: Path) -> str:
    """The stacks that faulthandler writes when it is sent its signal."""
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
    if not file.exists():
        return "(no stacks: stuck outside Python)"
    return file.read_bytes()[before:].decode("utf-8", "replace")


def computing(guard_s: float) -> str:
    """The text for a process that time no longer waits for."""
    return (
        f"it has computed for {guard_s:g} s of wall time; until it waits for something, simulated time passes as "
        "fast as on the wall, and this run cannot be repeated exactly"
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
