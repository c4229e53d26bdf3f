"""The cell's end of the bridge (``sim/inject/bridge``): real programs reach tester and instruments of the cell here.

Rules: one object per connection; what a program sends is data, checked and limited; an answer comes when the cell has
it, on the simulated clock; a connection that breaks takes its request with it.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drycell.sim.cell.listening import listening_socket
from drycell.sim.inject.bridge import VERSION
from drycell.sim.lockstep import private_folder

LINE_LIMIT = 65_536
CLIENT_LIMIT = 256
BRIDGE = "DRYCELL_BRIDGE"
Done = Callable[[Any], None]
Failed = Callable[[BaseException], None]


class Calls(Protocol):
    """One object of a program."""

    def methods(self) -> list[str]:
        """What may be called."""

    def call(self, method: str, arguments: list[Any], done: Done, failed: Failed) -> None:
        """Begin a call; exactly one of ``done(value)`` and ``failed(error)`` ends it, at once or later.

        Raises ValueError for what cannot be called so.
        """

    def close(self) -> None:
        """The program is gone."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Objects of one kind: ``make(name, site)`` for ``names``, None: whatever they are called."""

    names: Collection[str] | None
    make: Callable[[str, int], Calls]


class Bridge:
    """Serves objects on a free loopback port; ``offers`` by kind."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = offers
        self._server: asyncio.Server | None = None
        self.clients: set[_Client] = set()
        self.tcp_port = 0

    async def start(self) -> None:
        """Listen."""
        listener = listening_socket("127.0.0.1", 0)
        self.tcp_port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(lambda: _Client(self), sock=listener)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for client in tuple(self.clients):
                client.abort()
            await server.wait_closed()

    def environment(self, site: int) -> dict[str, str]:
        """What the program of ``site`` needs to find it."""
        names = {kind: None if offer.names is None else list(offer.names) for kind, offer in self._offers.items()}
        settings = {"address": f"127.0.0.1:{self.tcp_port}", "site": site, "names": names}
        return {BRIDGE: json.dumps(settings), "PYTHONPATH": str(private_folder())}

    def open(self, greeting: Mapping[str, Any]) -> Calls:
        """The object that a program wants. Raises ValueError for what there is not."""
        if greeting.get("bridge") != VERSION:
            raise ValueError(f"a bridge of version {greeting.get('bridge')!r} cannot be served; this is {VERSION}")
        kind, name, site = str(greeting.get("kind")), str(greeting.get("name")), greeting.get("site")
        offer = self._offers.get(kind)
        if offer is None or (offer.names is not None and name not in offer.names) or type(site) is not int:
            raise ValueError(f"there is no {kind} {name!r} for site {site!r} here")
        return offer.make(name, site)


class _Client(asyncio.Protocol):
    """One connection: a greeting, then questions, one at a time."""

    _transport: asyncio.Transport

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._buffer = bytearray()
        self._calls: Calls | None = None
        self._busy = False  # with a question

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._bridge.clients) >= CLIENT_LIMIT:
            transport.abort()
            return
        self._bridge.clients.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._bridge.clients.discard(self)
        if self._calls is not None:
            self._calls.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()
        if len(self._buffer) > LINE_LIMIT:
            self._fail(ValueError(f"a line is longer than {LINE_LIMIT} bytes"))
            self._transport.close()

    def _go_on(self) -> None:
        end = self._buffer.find(b"\n")
        if end >= 0 and not self._busy and not self._transport.is_closing():
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._busy = True
            self._heard(line)

    def _heard(self, line: bytes) -> None:
        try:
            question = json.loads(line)
            if not isinstance(question, dict):
                raise ValueError("a question is a JSON object")
            if self._calls is None:
                self._calls = self._bridge.open(question)
                self._answer(self._calls.methods())
                return
            arguments = question.get("arguments")
            if not isinstance(arguments, list):
                raise ValueError("arguments are a list")
            self._calls.call(str(question.get("call")), arguments, self._answer, self._fail)
        except (ValueError, RecursionError) as error:
            self._fail(error)

    def _answer(self, value: Any) -> None:
        self._say({"value": value})

    def _fail(self, error: BaseException) -> None:
        self._say({"error": {"type": type(error).__name__, "text": str(error)}})

    def _say(self, answer: Mapping[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(json.dumps(answer).encode() + b"\n")
        self._busy = False
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._go_on)
