"""The wire to a plugin host (see ``sim/inject/host``): a child process, bounded in time and in size.

Rules: the child has a session of its own and is killed with all of it; nothing it sends is executed or trusted beyond
JSON; after a timeout or a broken line it is gone, and every further request says so.
"""

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from drycell.runtime.plugins.errors import RemoteError
from drycell.sim.errors import DrycellError
from drycell.sim.inject.host import VERSION
from drycell.sim.lockstep.private import private_folder

LINE_LIMIT = 16_000_000
START_LIMIT_S = 60.0
LEFT_OUT = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT")


class Link:
    """One plugin host. Raises DrycellError when the interpreter cannot run it."""

    def __init__(self, python: Path, call_limit_s: float) -> None:
        self.python = python if len(python.parts) == 1 else python.absolute()  # the child starts in another folder
        self.version: tuple[int, ...] = ()
        self.touched: list[str] = []
        self._limit_s = call_limit_s
        self._buffer = bytearray()
        self._count = 0
        self._gone = ""
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the link
        self._link, theirs = socket.socketpair()
        with theirs:
            self._process = self._start(theirs)
        hello = self._next(START_LIMIT_S)
        if hello.get("host") != VERSION:
            self.close()
            raise DrycellError(
                f"{python} runs a plugin host of version {hello.get('host')!r}; this drycell has {VERSION}."
            )
        self.version = tuple(hello["python"])

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
        environment["PYTHONPATH"] = str(private_folder())  # also its working folder: that one is on the path too
        try:
            return subprocess.Popen(
                [str(self.python), "-m", "drycell_host", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                env=environment,
                cwd=private_folder(),
                start_new_session=True,
            )
        except OSError as error:
            self._link.close()
            self._words.close()
            raise DrycellError(
                f"{self.python} cannot be started ({error.strerror}); --python takes an interpreter."
            ) from None

    def ask(self, do: str, **what: Any) -> Any:
        """One request. RemoteError for what the plugin raised, DrycellError when the host is gone."""
        if self._gone:
            raise DrycellError(self._gone)
        self._count += 1
        try:
            self._link.sendall(json.dumps({"id": self._count, "do": do, **what}).encode() + b"\n")
        except OSError:
            pass  # it has died, which reading tells
        answer = self._next(self._limit_s)
        if answer.get("id") != self._count:
            raise self._lost("answered out of turn")
        self.touched = [str(one) for one in answer.get("touched", ())]
        if "error" in answer:
            raise RemoteError(str(answer["error"].get("type")), str(answer["error"].get("text")))
        return answer.get("value")

    def close(self) -> None:
        """End the host and all that it has started; idempotent."""
        self._gone = self._gone or "the plugin host has been closed"
        self._link.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._words.close()

    def _next(self, limit_s: float) -> Mapping[str, Any]:
        deadline = time.monotonic() + limit_s
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise self._lost(f"sent a line of more than {LINE_LIMIT} bytes")
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000.0):
                raise self._lost(f"did not answer within {limit_s:g} s")
            try:
                data = self._link.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise self._lost(f"has ended{self._last_words()}")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._lost("sent what is no JSON") from None
        if not isinstance(answer, dict):
            raise self._lost("sent what is no JSON object")
        return answer

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = [line.strip() for line in self._words.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return f"; its last words were {lines[-1][:200]!r}" if lines else ""

    def _lost(self, what: str) -> DrycellError:
        gone = f"the plugin host of {self.python} {what}"
        self._gone = gone
        self.close()
        return DrycellError(f"{gone}.")
