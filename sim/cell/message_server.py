"""Put an instrument that takes time on a TCP port of the running asyncio loop.

Rules that hold here:
- No task, no thread: everything happens in the loop's callbacks, so the order of effects is the order of arrival.
- An instrument does one message at a time; while it is busy, others wait in the order in which they came.
- A client cannot disturb another: it has one message under way and is not heard meanwhile, nor while it does not read
  its answers; a line longer than LINE_LIMIT is dropped and becomes an error of the instrument; a broken connection is
  forgotten. So a connection holds at most one line, one read of the loop and one answer.
- Loopback unless told otherwise.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from drycell.sim.cell.listening import listening_socket
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import ServedInstrument
from drycell.sim.kernel import NS_PER_S

LINE_LIMIT = 65536
CLIENT_LIMIT = 256

Answers = Callable[[bytes, bytes], Sequence[tuple[int, bytes]]]
"""Told of each message and its answer; gives what is sent instead, each with a delay in nanoseconds."""


class MessageServer:
    """Serves one instrument to any number of clients; messages end with a newline, so do answers."""

    def __init__(
        self, instrument: ServedInstrument, host: str = "127.0.0.1", port: int = 0, answers: Answers | None = None
    ) -> None:
        self.host, self.port = host, port
        self._instrument = instrument
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self._waiting: deque[_Client] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stepping = False

    @property
    def address(self) -> str:
        """Host and port with a colon between."""
        return f"{self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listen. Port 0 takes a free one; ``port`` then says which. Raises DrycellError if it cannot."""
        if self._server is not None:
            raise DrycellError(f"the instrument listens on {self.address} already; stop it before starting it again.")
        listener = listening_socket(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(lambda: _Client(self), sock=listener)

    async def stop(self) -> None:
        """Close the port and every connection; idempotent."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in tuple(self._clients):
            client.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()
        await server.wait_closed()

    # the instrument's turn -----------------------------------------------------------------------------------------

    def enter(self, client: "_Client") -> None:
        """A client has a message: do it now if the instrument is free and it costs no time, else queue it."""
        self._waiting.append(client)
        self._next()

    def _next(self) -> None:
        """Do one message after the other until one takes time. Carrying one out may bring the next: no nesting."""
        if self._stepping or self._timer is not None:
            return
        self._stepping = True
        try:
            while self._waiting:
                delay_ns = self._instrument.latency_ns(self._waiting[0].message)
                if delay_ns > 0:
                    self._timer = asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, self._due)
                    return
                self._finish()
        finally:
            self._stepping = False

    def _due(self) -> None:
        self._timer = None
        self._stepping = True
        self._finish()
        self._stepping = False
        self._next()

    def _finish(self) -> None:
        client = self._waiting[0]
        answer = self._instrument.reply(client.message)
        given = [(0, answer)] if self._answers is None else self._answers(client.message, answer)
        self._waiting.popleft()
        client.done(given)

    def overrun(self) -> None:
        """A client's line was dropped."""
        self._instrument.overrun()


class _Client(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, server: MessageServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._dropping = False  # inside of a line that is too long
        self._busy = False
        self._blocked = False  # the client does not read its answers
        self._ended = False  # the client will send no more
        self._working = False
        self.message = b""

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._server._clients) >= CLIENT_LIMIT:
            transport.abort()
            return
        self._server._clients.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._server._clients.discard(self)
        self._buffer.clear()

    def eof_received(self) -> bool:
        self._ended = True
        self._work()
        return True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._work()

    def done(self, answers: Sequence[tuple[int, bytes]]) -> None:
        """The instrument has carried out the message; each answer comes after its delay in nanoseconds."""
        self._busy = False
        self.message = b""
        for delay_ns, answer in answers:
            if delay_ns:
                asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, self._say, answer)
            else:
                self._say(answer)
        if not self._transport.is_closing():
            self._work()

    def _say(self, answer: bytes) -> None:
        if answer and not self._transport.is_closing():
            self._transport.write(answer + b"\n")

    def _work(self) -> None:
        """Hand over lines until one takes time; ``done`` calls back: an inner call leaves the work to the outer."""
        if self._working:
            return
        self._working = True
        try:
            while not (self._busy or self._blocked or self._transport.is_closing()) and self._take_line():
                self._busy = True
                self._server.enter(self)
        finally:
            self._working = False
        self._listen()

    def _take_line(self) -> bool:
        """Put the next line that is not blank into ``message``; False if there is none yet."""
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                if self._dropping or len(self._buffer) > LINE_LIMIT:
                    self._drop()
                    self._buffer.clear()
                return False
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if self._dropping:
                self._dropping = False
            elif len(line) > LINE_LIMIT:
                self._server.overrun()
            elif line.strip():
                self.message = line.removesuffix(b"\r")
                return True

    def _drop(self) -> None:
        if not self._dropping:
            self._dropping = True
            self._server.overrun()

    def _listen(self) -> None:
        """Hear the client only while nothing of it is under way."""
        if self._transport.is_closing():
            return
        if self._ended:
            if not self._busy:
                self._transport.close()
        elif self._busy or self._blocked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
