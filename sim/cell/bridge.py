"""The cell's end of the bridge (``sim/inject/bridge``): real programs reach tester and instruments of the cell here.

Rules: one object per connection; what a program sends is data, checked and limited; an answer comes when the cell has
it, on the simulated clock; a connection that breaks takes its request with it.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drycell.sim.cell.listening import listening_socket
from drycell.sim.cell.port import Port
from drycell.sim.hooks import Tester
from drycell.sim.inject.bridge import VERSION
from drycell.sim.lockstep import private_folder

LINE_LIMIT = 65_536
CLIENT_LIMIT = 256
LONGEST_S = 86_400
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


class CallsToTester:
    """What a program may call at the tester."""

    def __init__(self, port: Port, tester: Tester, sites: int) -> None:
        self._port = port
        self._tester = tester
        self._sites = sites
        self._asking: int | None = None

    def methods(self) -> list[str]:
        """What may be called."""
        return ["get_sites_count", "do_request", *self._plain]

    def call(self, method: str, arguments: list[Any], done: Done, failed: Failed) -> None:
        """Carry out a call; a request is answered when the site is released. Raises ValueError."""
        if method == "get_sites_count":
            done(self._sites)
            return
        if not arguments or not all(type(one) in (int, float) for one in arguments):
            raise ValueError(f"{method} takes the number of a site")
        site = int(arguments[0])
        if method == "do_request":
            self._request(site, float(arguments[1]) if len(arguments) > 1 else 0.0, done)
        elif method in self._plain:
            getattr(self._tester, self._plain[method])(site)
            done(None)
        else:
            raise ValueError(f"a tester has no {method}")

    _plain: Mapping[str, str] = {
        "do_init_state": "reset",
        "setup": "setup",
        "teardown": "teardown",
        "test_in_progress": "in_progress",
        "test_done": "done",
        "pulse_trigger_out": "pulse",
    }

    def _request(self, site: int, timeout_s: float, done: Done) -> None:
        if not 0.0 <= timeout_s <= LONGEST_S:
            raise ValueError(f"a timeout of {timeout_s:g} s is impossible; use 0 to {LONGEST_S}")

        def timed_out() -> None:
            self.close()
            done(False)

        timer = self._port.later(timeout_s, timed_out)

        def released() -> None:
            self._asking = None
            timer.cancel()
            done(True)

        self._asking = site
        try:
            self._tester.request(site, released)
        except ValueError:
            self._asking = None
            timer.cancel()
            raise

    def close(self) -> None:
        """The program is gone: it asks no more."""
        site, self._asking = self._asking, None
        if site is not None:
            self._tester.withdraw(site)


class Bridge:
    """Serves objects on a free loopback port.

    ``tester`` makes what a program may call at the tester, None without one; ``testers`` are the names that programs
    use for it, empty for all. ``instruments``: name that programs use -> what makes such an object.
    """

    def __init__(
        self,
        tester: Callable[[], Calls] | None,
        testers: tuple[str, ...],
        instruments: Mapping[str, Callable[[], Calls]],
    ) -> None:
        self._tester, self._testers, self._instruments = tester, testers, instruments
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

    def environment(self) -> dict[str, str]:
        """What programs need to find it."""
        settings = {
            "address": f"127.0.0.1:{self.tcp_port}",
            "testers": [] if self._tester is None else list(self._testers) or None,
            "instruments": list(self._instruments),
        }
        return {BRIDGE: json.dumps(settings), "PYTHONPATH": str(private_folder())}

    def open(self, greeting: Mapping[str, Any]) -> Calls:
        """The object that a program wants. Raises ValueError for what there is not."""
        if greeting.get("bridge") != VERSION:
            raise ValueError(f"a bridge of version {greeting.get('bridge')!r} cannot be served; this is {VERSION}")
        name = str(greeting.get("name"))
        make = self._tester if greeting.get("kind") == "tester" else self._instruments.get(name)
        if greeting.get("kind") not in ("tester", "instrument") or make is None:
            raise ValueError(f"there is no {greeting.get('kind')} {name!r} here")
        return make()


class _Client(asyncio.Protocol):
    """One connection: a greeting, then questions, one at a time."""

    _transport: asyncio.Transport

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._buffer = bytearray()
        self._calls: Calls | None = None

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
        while (end := self._buffer.find(b"\n")) >= 0 and not self._transport.is_closing():
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._heard(line)
        if len(self._buffer) > LINE_LIMIT:
            self._fail(ValueError(f"a line is longer than {LINE_LIMIT} bytes"))
            self._transport.close()

    def _heard(self, line: bytes) -> None:
        try:
            question = json.loads(line)
            if not isinstance(question, dict):
                raise ValueError("a question is a JSON object")
            if self._calls is None:
                self._calls = self._bridge.open(question)
                self._say({"value": self._calls.methods()})
                return
            arguments = question.get("arguments")
            if not isinstance(arguments, list):
                raise ValueError("arguments are a list")
            self._calls.call(
                str(question.get("call")), arguments, lambda value: self._say({"value": value}), self._fail
            )
        except (ValueError, RecursionError) as error:
            self._fail(error)

    def _answer(self, value: Any) -> None:
        self._say({"value": value})

    def _fail(self, error: BaseException) -> None:
        self._say({"error": {"type": type(error).__name__, "text": str(error)}})

    def _say(self, answer: Mapping[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(json.dumps(answer).encode() + b"\n")
