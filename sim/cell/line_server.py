"""Put a line-based instrument on a TCP port of the running asyncio loop.

Rules that hold here:
- No task, no thread, no timer: everything happens inside the loop's read callback, so the order of answers is the
  order in which the loop hears the questions.
- A client cannot disturb another: its lines are limited in length; while it does not read its answers, it is not
  heard; when it breaks off, it is forgotten.
- Loopback unless told otherwise.
"""

import asyncio
from collections.abc import Callable, Sequence

from drycell.sim.cell.listening import listening_socket

LINE_LIMIT = 16384
CLIENT_LIMIT = 256


Answers = str | Sequence[tuple[int, str]]
"""A line at once, or lines with delays in nanoseconds; none at all, or an empty one, is silence."""


class LineServer:
    """Serves ``answer(line) -> line`` to any number of clients; lines are ASCII and end with a newline."""

    def __init__(self, answer: Callable[[str], Answers], host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()

    @property
    def address(self) -> str:
        """Host and port with a colon between, as DRYCELL_METER wants it."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen. Port 0 takes a free one; ``port`` then says which. Raises DrycellError if the port is taken."""
        listener = listening_socket(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(lambda: _Client(self), sock=listener)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in tuple(self._clients):
            client.abort()
        await server.wait_closed()


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: LineServer) -> None:
        self._server = server
        self._buffer = b""
        self._heard = True
        self._transport: asyncio.Transport

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._server._clients) >= CLIENT_LIMIT:
            self._refuse(f"more than {CLIENT_LIMIT} clients")
        else:
            self._server._clients.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._server._clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def pause_writing(self) -> None:
        self._heard = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._heard = True
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._work()

    def _work(self) -> None:
        while self._heard and not self._transport.is_closing():
            line, newline, rest = self._buffer.partition(b"\n")
            if len(line) > LINE_LIMIT:
                self._refuse(f"line longer than {LINE_LIMIT} characters")
            if not newline or self._transport.is_closing():
                return
            self._buffer = rest
            text = line.rstrip(b"\r").decode("ascii", "backslashreplace")
            if text:
                answers = self._server._answer(text)
                if isinstance(answers, str):
                    answers = [(0, answers)] if answers else []
                for delay_ns, answer in answers:
                    self._reply(delay_ns, answer)

    def _reply(self, delay_ns: int, answer: str) -> None:
        line = answer.encode("ascii", "backslashreplace") + b"\n"
        if delay_ns:
            asyncio.get_running_loop().call_later(delay_ns / 1e9, self._write, line)
        else:
            self._transport.write(line)

    def _write(self, line: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(line)

    def _refuse(self, reason: str) -> None:
        self._transport.write(f"ERROR {reason}\n".encode())
        self._transport.close()
