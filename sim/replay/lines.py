"""Reading lines and whole files of strangers, within limits."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from drycell.sim.errors import DrycellError

LINE_LIMIT_BYTES = 24 * 1024 * 1024
"""The largest message of the broker (16 MiB) in Base64, with its frame."""

WHOLE_LIMIT_BYTES = 16 * 1024 * 1024
"""Formats that can only be read as a whole are refused beyond this; all others are read as a stream."""


class Line(NamedTuple):
    """One line without its end. ``complete``: it has an end, and was not too long; else ``data`` is its beginning."""

    number: int
    data: bytes
    size: int
    complete: bool


def may_be_object(data: bytes) -> bool:
    """Whether a line can be a JSON object: far quicker than a parser that fails, line after line."""
    data = data.strip()
    return data[:1] == b"{" and data[-1:] == b"}"


def lines(path: Path, *, limit_bytes: int = LINE_LIMIT_BYTES) -> Iterator[Line]:
    """The lines of a file. A longer one is skipped in pieces and told as incomplete, with 80 bytes of it.

    Raises DrycellError when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(limit_bytes + 1):
                number += 1
                size, complete = len(data), data.endswith(b"\n")
                if size > limit_bytes and not complete:
                    data = data[:80]
                    size += _skip_line(file, limit_bytes)
                yield Line(number, data.rstrip(b"\r\n"), size, complete)
    except OSError as error:
        raise unreadable(path, error) from None


def _skip_line(file: BinaryIO, step_bytes: int) -> int:
    skipped = 0
    while piece := file.readline(step_bytes):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def whole(path: Path) -> bytes:
    """All bytes of a file. Raises DrycellError when it cannot be read or is larger than WHOLE_LIMIT_BYTES."""
    try:
        with path.open("rb") as file:
            data = file.read(WHOLE_LIMIT_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > WHOLE_LIMIT_BYTES:
        raise DrycellError(
            f"{path} is larger than {WHOLE_LIMIT_BYTES >> 20} MiB, and this format can only be read as a whole;"
            " export a part of it, or use a format of one message per line"
        )
    return data


def head(path: Path, size: int) -> bytes:
    """The first bytes of a file. Raises DrycellError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> DrycellError:
    """What to tell when a file cannot be read."""
    return DrycellError(f"{path} cannot be read ({error.strerror})")
