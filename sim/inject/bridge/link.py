"""One object's connection to the cell."""

from __future__ import annotations

import builtins
import json
import socket
import threading

from . import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Link:
    """``call`` blocks until the cell has answered; threads take turns."""

    def __init__(self, address: str, kind: str, name: str, site: int) -> None:
        host, _, port = address.rpartition(":")
        self._turn = threading.Lock()
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self.described = self._ask({"bridge": VERSION, "kind": kind, "name": name, "site": site})

    def call(self, method: str, *arguments: Any) -> Any:
        """The value of a call. Raises what the cell says, as a built-in exception of that name, else OSError."""
        return self._ask({"call": method, "arguments": list(arguments)})

    def _ask(self, question: dict[str, Any]) -> Any:
        with self._turn:
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the simulated cell has closed the connection")
        answer = json.loads(line)
        if "error" in answer:
            kind = getattr(builtins, str(answer["error"]["type"]), OSError)
            known = isinstance(kind, type) and issubclass(kind, Exception)
            raise (kind if known else OSError)(answer["error"]["text"])
        return answer["value"]
