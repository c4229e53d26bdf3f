"""A session's way to one instrument: a TCP connection, on which messages end with a newline.

Rules:
1. A bus knows where a message ends, a byte stream does not. So the end is found by the grammar of answers
   (IEEE 488.2 section 8.7): a newline that is neither inside of a block of known length nor of a quoted text.
2. A byte is handed out once, in the order of arrival, and never after ``clear``.
"""

from __future__ import annotations

import socket
import time

CHUNK = 65536


def end_of_element(data: bytearray, start: int) -> tuple[int, bool]:
    """Where the element that begins at ``start`` ends (behind its separator), and whether that ends the message.

    (-1, False) when it is not there as a whole.
    """
    at = start
    if data[at : at + 1] == b"#" and b"1" <= data[at + 1 : at + 2] <= b"9":
        digits = int(data[at + 1 : at + 2])
        size = bytes(data[at + 2 : at + 2 + digits])
        if len(size) < digits:
            return -1, False
        if size.isdigit():
            at += 2 + digits + int(size)
    quote = 0
    while at < len(data):
        byte = data[at]
        at += 1
        if quote:
            if byte == quote:
                quote = 0
        elif byte in b"\"'":
            quote = byte
        elif byte in b",;\n":
            return at, byte == 10
    return -1, False


class Link:
    """One connection. Raises OSError when it cannot be made or breaks, TimeoutError when nothing comes in time."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._address = (host, port)
        self._socket = self._connected(timeout_s)
        self._data = bytearray()
        self._element = 0  # where the first element begins that is not known to be there as a whole
        self._end = 0  # where the first message ends, 0: not known yet

    def _connected(self, timeout_s: float) -> socket.socket:
        made = socket.create_connection(self._address, timeout_s)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()

    def clear(self, timeout_s: float) -> None:
        """Forget what is under way, as a device clear does: a new connection takes the place of this one."""
        self._socket.close()
        self._data.clear()
        self._element = self._end = 0
        self._socket = self._connected(timeout_s)

    def send(self, data: bytes, timeout_s: float | None) -> None:
        """Say ``data``."""
        self._socket.settimeout(timeout_s)
        self._socket.sendall(data)

    @property
    def waiting(self) -> int:
        """How many bytes have come and were not taken."""
        self._socket.settimeout(0.0)
        try:
            while data := self._socket.recv(CHUNK):
                self._data += data
        except (BlockingIOError, TimeoutError):
            pass
        return len(self._data)

    def message_end(self, count: int, timeout_s: float | None) -> int:
        """Where the first message ends, once it is there; 0 when ``count`` bytes of a longer one are there."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._end:
            end, last = end_of_element(self._data, self._element) if self._data else (-1, False)
            if end >= 0:
                self._element = end
                self._end = end if last else 0
            elif len(self._data) >= count:
                return 0
            else:
                self._receive(until)
        return self._end

    def stream_end(self, count: int, mark: int | None, timeout_s: float | None) -> int:
        """Behind the first byte ``mark``, once it is there; 0 when ``count`` bytes without it are there."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        seen = 0
        while True:
            found = -1 if mark is None else self._data.find(mark, seen)
            if found >= 0:
                return found + 1
            seen = len(self._data)
            if seen >= count:
                return 0
            self._receive(until)

    def find(self, mark: int, before: int) -> int:
        """Where ``mark`` is among the first ``before`` bytes; -1 for nowhere."""
        return self._data.find(mark, 0, before)

    def take(self, count: int) -> bytes:
        """The first ``count`` bytes; they are gone then."""
        taken = bytes(self._data[:count])
        del self._data[:count]
        self._element = max(0, self._element - count)
        self._end = max(0, self._end - count)
        return taken

    def _receive(self, until: float | None) -> None:
        left_s = None if until is None else until - time.monotonic()
        if left_s is not None and left_s <= 0.0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        data = self._socket.recv(CHUNK)
        if not data:
            raise ConnectionResetError("the instrument closed the connection")
        self._data += data
