"""The part of a file that is in memory while it is read: at most a chunk and the few records being judged."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK = 1 << 20


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


Source = bytes | bytearray | memoryview | str | Path | BinaryIO | _Readable


class Window:
    """``data`` holds the file from byte ``base`` on; ``want`` reads on, ``forget`` lets go of what is done with."""

    __slots__ = ("_opened", "_stream", "base", "data", "ended")

    def __init__(self, source: Source) -> None:
        self.base = 0
        self.data = b""
        self.ended = False
        self._opened: BinaryIO | None = None
        self._stream: BinaryIO | _Readable
        if isinstance(source, bytes | bytearray | memoryview):
            self._stream = BytesIO(source)
        elif isinstance(source, str | Path):
            self._stream = self._opened = Path(source).open("rb")  # noqa: SIM115 - closed by close()
        else:
            self._stream = source

    def want(self, pos: int, size: int) -> bool:
        """True if ``size`` bytes from ``pos`` (an index of ``data``) are there, reading on if need be."""
        need = pos + size
        if need <= len(self.data):
            return True
        parts = [self.data]
        have = len(self.data)
        while have < need and not self.ended:
            part = self._stream.read(CHUNK)
            self.ended = not part
            parts.append(part)
            have += len(part)
        self.data = b"".join(parts)
        return need <= have

    def forget(self, pos: int) -> None:
        """Drops the bytes before index ``pos``."""
        self.base += pos
        self.data = self.data[pos:]

    def close(self) -> None:
        """Closes the file if this window opened it."""
        if self._opened is not None:
            self._opened.close()
