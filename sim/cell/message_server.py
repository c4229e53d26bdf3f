"""Put an instrument that takes time on a TCP port of the running asyncio loop.

Rules that hold here:
- No task, no thread: everything happens in the loop's callbacks; the order of effects is that of the desk (desk.py).
- A client cannot disturb another: it has one message under way and is not heard meanwhile, nor while it does not read
  its answers; a line longer than LINE_LIMIT is dropped and becomes an error of the instrument; a broken connection is
  forgotten. So a connection holds at most one line, one read of the loop and one answer.
- Loopback unless told otherwise.
"""

import asyncio

from drycell.sim.cell.desk import Answers, Desk, Given
from drycell.sim.cell.listening import listening_socket
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import ServedInstrument
from drycell.sim.kernel import NS_PER_S

LINE_LIMIT = 65536
CLIENT_LIMIT = 256


class MessageServer:
    """Serves one instrument to any number of clients; messages end with a newline, so do answers."""

    def __init__(
        self, instrument: ServedInstrument, host: str = "127.0.0.1", port: int = 0, answers: Answers | None = None
    ) -> None:
        self.host, self.port = host, port
        self.desk = Desk(instrument, answers)
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()

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
        self.desk.clear()
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in tuple(self._clients):
            client.abort()
        await server.wait_closed()


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

    def _done(self, answers: Given) -> None:
        """The instrument has carried out the message; each answer comes after its delay in nanoseconds."""
        self._busy = False
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
        """Hand over lines until one takes time; ``_done`` calls back: an inner call leaves the work to the outer."""
        if self._working:
            return
        self._working = True
        try:
            while not (self._busy or self._blocked or self._transport.is_closing()):
                message = self._take_line()
                if message is None:
                    break
                self._busy = True
                self._server.desk.put(message, self._done)
        finally:
            self._working = False
        self._listen()

    def _take_line(self) -> bytes | None:
        """The next line that is not blank; None if there is none yet."""
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                if self._dropping or len(self._buffer) > LINE_LIMIT:
                    self._drop()
                    self._buffer.clear()
                return None
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if self._dropping:
                self._dropping = False
            elif len(line) > LINE_LIMIT:
                self._server.desk.overrun()
            elif line.strip():
                return line.removesuffix(b"\r")

    def _drop(self) -> None:
        if not self._dropping:
            self._dropping = True
            self._server.desk.overrun()

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
