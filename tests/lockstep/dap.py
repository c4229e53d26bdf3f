"""A debugger's client, as far as a test needs it: the debug adapter protocol over one TCP connection."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

ATTACH_LIMIT_S = 60.0


class Client:
    """Speaks to a debug adapter on loopback ``port``; waits until it listens, as long as ``run`` lives."""

    def __init__(self, port: int, run: "subprocess.Popen[str]") -> None:
        self._link = _connected(port, run)
        self._link.settimeout(ATTACH_LIMIT_S)
        self._lines = self._link.makefile("rb")
        self._count = 0
        self._events: list[dict[str, Any]] = []

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of the answer to a request."""
        return self.answer(self.send(command, **arguments))

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        self._count += 1
        text = json.dumps({"seq": self._count, "type": "request", "command": command, "arguments": arguments})
        self._link.sendall(f"Content-Length: {len(text.encode())}\r\n\r\n{text}".encode())
        return self._count

    def answer(self, number: int) -> dict[str, Any]:
        """The body of the answer to request ``number``."""
        while True:
            message = self._next()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return dict(message.get("body") or {})
            self._events.append(message)

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of this name; events before it are dropped."""
        while True:
            message = self._events.pop(0) if self._events else self._next()
            if message["type"] == "event" and message["event"] == name:
                return dict(message.get("body") or {})

    def stop_at(self, file: Path, line: int) -> None:
        """Attach, with one breakpoint."""
        self.ask("initialize", adapterID="test", pathFormat="path")
        attached = self.send("attach", justMyCode=True)
        self.event("initialized")
        place = self.ask("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line}])
        assert [point["verified"] for point in place["breakpoints"]] == [True]
        self.ask("configurationDone")
        self.answer(attached)

    def close(self) -> None:
        self._link.close()

    def _next(self) -> dict[str, Any]:
        length = 0
        while line := self._lines.readline().strip():
            name, _, value = line.partition(b":")
            if name == b"Content-Length":
                length = int(value)
        assert length, "the adapter has gone"
        return dict(json.loads(self._lines.read(length)))


def _connected(port: int, run: "subprocess.Popen[str]") -> socket.socket:
    limit = time.monotonic() + ATTACH_LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < limit, "nobody listens for a debugger"
            time.sleep(0.05)
