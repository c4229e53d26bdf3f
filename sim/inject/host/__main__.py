"""``python -m drycell_host FD``: serve requests on the socket with that descriptor until it is closed."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import queue
import resource
import socket
import sys
import threading

from . import VERSION, compat, plugins, touches
from .values import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_LIMIT = 16_000_000
LIMITS = ((resource.RLIMIT_AS, 8 << 30), (resource.RLIMIT_NOFILE, 256), (resource.RLIMIT_CORE, 0))
"""Address space, descriptors, core files: what a plugin may take."""


class Host:
    """Carries out one request after the other."""

    def __init__(self) -> None:
        self._store = Store()
        self._hooks: dict[str, Any] = {}

    def carry_out(self, request: dict[str, Any]) -> Any:
        """The value of the answer. Raises whatever the plugin raises."""
        return getattr(self, f"_{request['do']}")(request)

    def _list(self, request: dict[str, Any]) -> Any:
        return plugins.installed()

    def _load(self, request: dict[str, Any]) -> Any:
        self._hooks = plugins.load(str(request["target"]), request.get("folder"))
        return {name: plugins.arguments_of(hook) for name, hook in self._hooks.items()}

    def _hook(self, request: dict[str, Any]) -> Any:
        return self._store.shown(self._hooks[request["hook"]](**self._store.read(request["arguments"])))

    def _call(self, request: dict[str, Any]) -> Any:
        value = getattr(self._store.known(request["object"]), request["method"])(
            *self._store.read(request["arguments"])
        )
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
        return self._store.shown(value)

    def _drop(self, request: dict[str, Any]) -> Any:
        self._store.drop(request["object"])


async def _awaited(value: Any) -> Any:
    return await value


def _answer(host: Host, line: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    touches.taken()
    try:
        request = json.loads(line)
        answer["id"] = request["id"]
        answer["value"] = host.carry_out(request)
        json.dumps(answer)
    except (Exception, SystemExit) as error:  # whatever foreign code raises
        answer.pop("value", None)
        answer["error"] = {"type": type(error).__name__, "text": str(error)[:2000]}
    answer["touched"] = touches.taken()
    return answer


def main() -> None:
    """Serve. What plugins print goes to standard error: nothing but answers reaches the socket."""
    link = socket.socket(fileno=int(sys.argv[1]))
    link.set_inheritable(False)
    os.dup2(2, 1)
    for what, most in LIMITS:
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    compat.offer_names()
    touches.watch()
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(link, lines), daemon=True).start()
    _say(link, {"host": VERSION, "python": list(sys.version_info[:3])})
    host = Host()
    while True:
        _say(link, _answer(host, lines.get()))


def _listen(link: socket.socket, lines: queue.Queue[bytes]) -> None:
    """Read requests; the end of the stream ends the process, whatever a plugin is doing."""
    with link.makefile("rb") as stream:
        while True:
            line = stream.readline(LINE_LIMIT)
            if not line.endswith(b"\n"):
                os._exit(0)
            lines.put(line)


def _say(link: socket.socket, message: dict[str, Any]) -> None:
    link.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
