"""Ways to an instrument: lines of text out, lines or blocks in.

Rules that hold here:
- Commands and answers end with a newline, which callers neither give nor get.
- An answer that comes too late is never taken for the answer to the next question: after a timeout the connection is
  replaced before anything more is said.
"""

import socket
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from drycell.runtime.instruments.errors import InstrumentError, NotConnectedError

CHUNK = 65536
ANSWER_LIMIT = 1 << 26


class Transport(ABC):
    """A connection to one instrument. Also a context manager."""

    @abstractmethod
    def connect(self) -> None:
        """Open it. ConnectionError if it is open already or cannot be opened."""

    @abstractmethod
    def disconnect(self) -> None:
        """Close it; never raises, idempotent."""

    @abstractmethod
    def write(self, command: str) -> None:
        """Send a command. ConnectionError when not connected."""

    @abstractmethod
    def read(self, timeout: float | None = None) -> str:
        """The next answer, stripped. TimeoutError after ``timeout`` seconds (None: the transport's own)."""

    @abstractmethod
    def read_block(self, timeout: float | None = None) -> bytes:
        """The data of a definite-length block (IEEE 488.2 section 8.7.9). InstrumentError if something else comes."""

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether it is open."""

    def query(self, command: str, timeout: float | None = None) -> str:
        """Send a question and return its answer."""
        self.write(command)
        return self.read(timeout)

    def query_block(self, command: str, timeout: float | None = None) -> bytes:
        """Send a question and return the data of the block that answers it."""
        self.write(command)
        return self.read_block(timeout)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()


class TCPTransport(Transport):
    """A plain TCP socket, as instruments have it on port 5025 and drycell's have it on 5001 and up.

    ``timeout``: seconds for connecting, writing and reading. Raises ValueError for a port or timeout that cannot be.
    """

    def __init__(self, host: str, port: int, timeout: float = 5.0, encoding: str = "utf-8") -> None:
        if not 0 < port < 65536:
            raise ValueError(f"port {port} does not exist; use 1 to 65535")
        if not timeout > 0.0:
            raise ValueError(f"a timeout of {timeout:g} s is impossible; use more than 0")
        self.host, self.port, self.timeout = host, port, timeout
        self._encoding = encoding
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._out_of_step = False

    def __repr__(self) -> str:
        return f"TCPTransport({self.host}:{self.port}, {'connected' if self.is_connected else 'not connected'})"

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    def connect(self) -> None:
        if self._socket is not None:
            raise NotConnectedError(f"{self.host}:{self.port} is connected already")
        try:
            self._socket = socket.create_connection((self.host, self.port), self.timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise NotConnectedError(f"{self.host}:{self.port} cannot be reached ({error})") from error
        self._buffer.clear()
        self._out_of_step = False

    def disconnect(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            try:
                connection.close()
            except OSError:
                pass

    def write(self, command: str) -> None:
        connection = self._open()
        if self._out_of_step:
            self.disconnect()
            self.connect()
            connection = self._open()
        try:
            connection.sendall(f"{command}\n".encode(self._encoding))
        except TimeoutError:
            self._out_of_step = True
            raise TimeoutError(f"{self.host}:{self.port} took no command for {self.timeout:g} s") from None
        except OSError as error:
            self.disconnect()
            raise NotConnectedError(f"{self.host}:{self.port} closed the connection ({error})") from error

    def read(self, timeout: float | None = None) -> str:
        while (end := self._buffer.find(b"\n")) < 0:
            self._receive(timeout)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode(self._encoding, "replace").strip()

    def read_block(self, timeout: float | None = None) -> bytes:
        head = self._take(2, timeout)
        if head[:1] != b"#" or not head[1:].isdigit() or head == b"#0":
            self._out_of_step = True
            raise InstrumentError(f"{self.host}:{self.port} answered {head!r}... where a block should begin")
        size = self._take(int(head[1:]), timeout)
        if not size.isdigit() or int(size) > ANSWER_LIMIT:
            self._out_of_step = True
            raise InstrumentError(f"{self.host}:{self.port} announced a block of {size!r} bytes")
        data = self._take(int(size), timeout)
        if self._take(1, timeout) != b"\n":
            self._out_of_step = True
            raise InstrumentError(f"{self.host}:{self.port} sent a block without newline at its end")
        return data

    def _take(self, size: int, timeout: float | None) -> bytes:
        while len(self._buffer) < size:
            self._receive(timeout)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _receive(self, timeout: float | None) -> None:
        connection = self._open()
        wait_s = self.timeout if timeout is None else timeout
        try:
            connection.settimeout(wait_s)
            data = connection.recv(CHUNK)
        except TimeoutError:
            self._out_of_step = True
            raise TimeoutError(f"{self.host}:{self.port} did not answer within {wait_s:g} s") from None
        except OSError as error:
            self.disconnect()
            raise NotConnectedError(f"the connection to {self.host}:{self.port} broke ({error})") from error
        finally:
            if self._socket is not None:
                self._socket.settimeout(self.timeout)
        if not data:
            self.disconnect()
            raise NotConnectedError(f"{self.host}:{self.port} closed the connection")
        self._buffer += data
        if len(self._buffer) > ANSWER_LIMIT + CHUNK:
            self.disconnect()
            raise InstrumentError(f"{self.host}:{self.port} sent more than {ANSWER_LIMIT} bytes without an end")

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise NotConnectedError(f"{self.host}:{self.port} is not connected; call connect() first")
        return self._socket
