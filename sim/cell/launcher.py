"""Start test programs exactly as Semi-ATE's Control does, and leave nothing behind.

Rules that hold here:
- The launch contract is that of Control 1.0.17: order of the arguments, working directory, and one environment
  variable, named like the script without its extension, with the Python repr of {hard bin: [soft bin, ...]}.
- A program runs in a private copy of its folder inside the run directory, in a session of its own, with an
  environment from a short list of names, and its output goes to files of the run directory.
- Every process belongs to one watcher (watcher.py), so that nothing survives, even when the simulator is killed.
- Nothing here waits on the loop's clock, which may be a simulated one: exits arrive as data, and stop() waits on the
  wall clock.
"""

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drycell.sim.errors import DrycellError

if TYPE_CHECKING:
    from drycell.sim.cell.warm import WarmServer

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
KEPT_PREFIXES = ("LC_",)
LAST_WORDS = "watcher.txt"
STOP_LIMIT_S = 20.0
SIGKILL = 9  # not taken from signal, which lacks it on systems where this module is only imported


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What Control needs to start one site's program.

    ``script`` is given as in ``testapp_script_path`` of loadTest: relative to ``cwd``, or absolute. ``bin_table`` is
    {hard bin: [soft bin, ...]}, all strings. ``extra_env`` is added last. ``aslr`` False asks for a process whose
    addresses are not randomised (Process.aslr says whether the system granted it).
    """

    site: str
    python: Path
    script: str
    cwd: Path
    device_id: str
    broker_host: str
    broker_port: int
    bin_table: Mapping[str, Sequence[str]]
    script_args: Sequence[str] = ("--verbose",)
    parent_pid: int = field(default_factory=os.getpid)
    extra_env: Mapping[str, str] = field(default_factory=dict)
    aslr: bool = True

    def argv(self) -> list[str]:
        """The command line in Control's order."""
        return [
            str(self.python),
            self.script,
            *("--device_id", self.device_id),
            *("--site_id", self.site),
            *("--broker_host", self.broker_host),
            *("--broker_port", str(self.broker_port)),
            *("--parent-pid", str(self.parent_pid)),
            *("--bin_strategytype", "external"),
            *("--harness_strategytype", "external"),
            *self.script_args,
        ]

    def environment(self, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The program's whole environment."""
        variable = Path(self.script).name.split(".")[0]
        table = {str(hbin): [str(sbin) for sbin in sbins] for hbin, sbins in self.bin_table.items()}
        return {**inherited_environment(inherited), "PYTHONHASHSEED": "0", variable: repr(table), **self.extra_env}


def inherited_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of this process that programs get to see."""
    return {k: v for k, v in inherited.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}


class Process:
    """One started program. ``exit_code`` is None while it runs, then its code, negative for a signal."""

    def __init__(
        self,
        number: int,
        pid: int,
        aslr: bool,
        stdout: Path,
        stderr: Path,
        on_exit: Callable[[int], None],
        launcher: "Launcher",
    ) -> None:
        self.pid = pid
        self.aslr = aslr
        self.stdout = stdout
        self.stderr = stderr
        self.on_exit = on_exit
        self.exit_code: int | None = None
        self._number = number
        self._launcher = launcher

    def kill(self, number: int = SIGKILL, *, group: bool = False) -> None:
        """Send a signal to the program, or to its whole process group; nothing happens if it has ended."""
        if self.exit_code is None:
            self._launcher._say({"kill": self._number, "signal": int(number), "group": group})


class Launcher:
    """Owns the watcher of one cell and the programs it has spawned. All calls and callbacks on the loop's thread.

    ``server``: the fork server that starts programs in the place of a watcher, where their environment lets it.
    """

    def __init__(self, run_dir: Path, *, by_request: bool = False, server: "WarmServer | None" = None) -> None:
        self.run_dir = run_dir
        self._server = server
        self._by_request = by_request  # ends are told by await_exit alone
        self._link: socket.socket | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buffer = b""
        self._early: list[dict[str, Any]] = []
        self._count = 0
        self._running: dict[int, Process] = {}
        self._gone = False
        self._fatal = "it has died"

    async def start(self) -> None:
        """Start the watcher. Raises DrycellError where the operating system cannot give what it needs."""
        if sys.platform != "linux":
            raise DrycellError(
                "rung process runs on Linux and WSL2 only, because no other system can promise that no program"
                " survives; use rung model here."
            )
        self._loop = asyncio.get_running_loop()
        if self._server is None:
            self._link = self._watched()
        if self._link is not None and not self._by_request:
            self._loop.add_reader(self._link.fileno(), self._readable)

    def _watched(self) -> socket.socket:
        self._watcher, link = spawn_watcher(self.run_dir)
        return link

    def _keeper(self, request: LaunchRequest) -> socket.socket:
        """Who starts the programs of this cell, decided with the first of them."""
        if self._server is not None and self._server.suits(request.environment()):
            assert self._server.link is not None
            return self._server.link
        self._server = None
        return self._watched()

    def launch(self, request: LaunchRequest, on_exit: Callable[[int], None]) -> Process:
        """Start a program; ``on_exit`` gets its exit code once, on the loop, unless stop() ended it.

        Blocks for the few milliseconds of the spawn. Raises DrycellError if the program could not be spawned.
        """
        folder = self.run_dir / "sites" / request.site
        folder.mkdir(parents=True, exist_ok=True)
        stdout, stderr = folder / "stdout.txt", folder / "stderr.txt"
        self._count += 1
        number = self._count
        if self._link is None and self._loop is not None:
            self._link = self._keeper(request)
        self._say(
            {
                "id": number,
                "argv": request.argv(),
                "cwd": str(request.cwd),
                "env": request.environment(),
                "stdout": str(stdout),
                "stderr": str(stderr),
                "aslr": request.aslr,
            }
        )
        answer = self._await_answer(number)
        if "error" in answer:
            raise DrycellError(f"the program of site {request.site} could not be started: {answer['error']}.")
        process = Process(number, answer["pid"], answer["aslr"], stdout, stderr, on_exit, self)
        self._running[number] = process
        return process

    def await_exit(self, pid: int) -> None:
        """Wait on the wall clock for the exit code of ``pid``, which has ended; on_exit is called next on the loop.

        For a launcher with ``by_request``: a program's end is news at the simulated instant at which it happened and
        in the order asked for, not whenever the watcher says so.
        """
        assert self._link is not None and self._loop is not None
        number = next((n for n, process in self._running.items() if process.pid == pid), None)
        if number is None:
            return
        deadline = time.monotonic() + STOP_LIMIT_S
        while not (words := [m for m in self._early if m.get("exit") == number]) and not self._gone:
            if time.monotonic() > deadline:
                raise DrycellError(f"the watcher of this cell does not tell how process {pid} ended")
            _wait_readable(self._link, deadline - time.monotonic())
            self._early += self._receive(self._link)
        self._early = [message for message in self._early if message not in words]
        process = self._running.pop(number)
        process.exit_code = int(words[0]["code"]) if words else -SIGKILL
        self._loop.call_soon(process.on_exit, process.exit_code)

    async def stop(self) -> None:
        """Kill every program and all their descendants, and wait until nothing of them is left.

        Exit codes are set on the processes; on_exit is not called any more.
        """
        if self._link is None or self._loop is None:
            return
        deadline = time.monotonic() + STOP_LIMIT_S
        if self._server is not None:
            self._finish_warm(self._server, self._link, deadline)
        else:
            self._stop_watcher(self._link, self._loop, deadline)
        self._link = None
        for process, code in self._endings():
            process.exit_code = code

    def _finish_warm(self, server: "WarmServer", link: socket.socket, deadline: float) -> None:
        self._say({"finish": True})
        later = None
        while not self._gone and not any("finished" in message for message in self._early):
            if not _wait_readable(link, deadline - time.monotonic()):
                server.done(None, alive=False)
                raise DrycellError("some program of this cell cannot be killed; its fork server still tries.")
            self._early += self._receive(link)
        for message in self._early:
            later = message.get("finished", later)
        server.done(later, alive=not self._gone)

    def _stop_watcher(self, link: socket.socket, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        assert self._watcher is not None
        loop.remove_reader(link.fileno())
        with link:
            try:
                link.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            while not self._gone and _wait_readable(link, deadline - time.monotonic()):
                self._early += self._receive(link)
        try:
            self._watcher.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise DrycellError(
                f"some program of this cell cannot be killed; the watcher, process {self._watcher.pid}, still tries."
            ) from None
        words = self.run_dir / LAST_WORDS
        if words.exists() and not words.stat().st_size:
            words.unlink()

    # ---- the link to the watcher

    def _say(self, message: Mapping[str, Any]) -> None:
        if self._link is None:
            raise RuntimeError("the launcher is not started, or has been stopped")
        try:
            self._link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the watcher has gone, which the reading side reports

    def _receive(self, link: socket.socket) -> list[dict[str, Any]]:
        try:
            data = link.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        self._gone = not data
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self._fatal = message.get("fatal", self._fatal)
        return messages

    def _await_answer(self, number: int) -> dict[str, Any]:
        assert self._link is not None and self._loop is not None
        while not self._gone:
            _wait_readable(self._link, None)
            self._early += self._receive(self._link)
            for message in self._early:
                if message.get("id") == number:
                    self._early.remove(message)
                    if not self._by_request:
                        self._loop.call_soon(self._report)  # whatever else came with it, after launch() has returned
                    return message
        raise DrycellError(f"the watcher of this cell cannot start programs: {self._fatal}.")

    def _readable(self) -> None:
        assert self._link is not None and self._loop is not None
        self._early += self._receive(self._link)
        if self._gone:
            self._loop.remove_reader(self._link.fileno())
        self._report()

    def _report(self) -> None:
        for process, code in self._endings():
            process.exit_code = code
            process.on_exit(code)

    def _endings(self) -> list[tuple[Process, int]]:
        """Programs that have ended since the last call; when the watcher is gone, the kernel has killed them all."""
        ended, self._early = self._early, []
        codes = {message["exit"]: int(message["code"]) for message in ended if "exit" in message}
        if self._gone:
            codes = {**dict.fromkeys(self._running, -SIGKILL), **codes}
        return [(self._running.pop(number), code) for number, code in codes.items() if number in self._running]


def spawn_watcher(folder: Path) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A watcher whose last words go to ``folder``, and the link to it."""
    ours, theirs = socket.socketpair()
    script = Path(__file__).with_name("watcher.py")
    folder.mkdir(parents=True, exist_ok=True)
    with theirs, (folder / LAST_WORDS).open("wb") as words:
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
    return watcher, ours


def _wait_readable(link: socket.socket, limit_s: float | None) -> bool:
    """Wait on the wall clock; not select(), which cannot take descriptors from 1024 on."""
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(None if limit_s is None else max(0.0, limit_s * 1000.0)))
