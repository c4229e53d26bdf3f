"""What the readers of text share: payloads, times, and lines that are no message."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any

from drycell.sim.errors import DrycellError
from drycell.sim.replay.lines import LINE_LIMIT_BYTES, Line
from drycell.sim.replay.recording import Entry, Gap, Recording

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = 10**8, (1 << 63) // 10**9
"""Between these a number is taken for seconds since 1970; a thousand times more for milliseconds, and so on."""
_TRIED = 10_000
BEGIN_LINES = 20_000
"""A look at the beginning of a text needs no more."""

Timed = tuple[int | None, Entry] | Gap
"""An entry with its time in ns since 1970, None when its source does not tell; or a gap."""


def recording(
    format: str, path: Path, items: Callable[[], Iterator[Timed]], begin: Callable[[], Iterator[Timed]] | None = None
) -> Recording:
    """The recording of ``items``. Raises DrycellError when its beginning holds no entry at all.

    ``begin`` gives the first items where a look at them would cost as much as reading everything.
    """
    found, start_ns, gap = False, None, ""
    for item in islice((begin or items)(), _TRIED):
        if isinstance(item, Gap):
            gap = gap or f"; {item.sentence()}"
        else:
            found, start_ns = True, item[0]
            if start_ns is not None:
                break
    if not found:
        raise DrycellError(f"{path} holds nothing that {format} can read{gap}")
    return Recording(format, path.name, lambda: _since_the_first(items()), start_unix_ns=start_ns)


def _since_the_first(items: Iterator[Timed]) -> Iterator[Entry | Gap]:
    """Entries with times since the first that has one; one without happens with the one before it."""
    start_ns: int | None = None
    now_ns = 0
    for item in items:
        if isinstance(item, Gap):
            yield item
            continue
        at_ns, entry = item
        if at_ns is not None:
            start_ns = at_ns if start_ns is None else start_ns
            now_ns = at_ns - start_ns
        yield replace(entry, t_ns=now_ns)


class Growing:
    """An entry whose payload may go on over several lines."""

    def __init__(self, at_ns: int | None, entry: Entry) -> None:
        self._at_ns, self._entry = at_ns, entry
        self._pieces = [entry.payload]
        self._size = len(entry.payload)

    def grow(self, piece: bytes) -> bool:
        """Take a further line; False when it would be too long."""
        self._size += 1 + len(piece)
        if self._size > LINE_LIMIT_BYTES:
            return False
        self._pieces.append(piece)
        return True

    def grown(self) -> tuple[int | None, Entry]:
        """All of it."""
        return self._at_ns, replace(self._entry, payload=b"\n".join(self._pieces))


def unusable(line: Line, why: str) -> Gap:
    """A line that could not be read."""
    return Gap(f"line {line.number}", why, line.size)


def payload_of(value: Any) -> bytes:
    """A payload as its tool wrote it: text, or a JSON value that the tool had unpacked."""
    if value is None:
        return b""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def storable(text: str) -> str:
    """The text with a mark for everything that is no Unicode, such as half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unix_ns(value: Any) -> int | None:
    """Nanoseconds since 1970 from a number of s, ms, us or ns, or from an ISO 8601 time; None when it is neither.

    A time without a zone is taken as UTC, so that equal files give equal recordings on all machines.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(repr(value))
    except InvalidOperation:
        return _from_iso(str(value))
    for exponent in (9, 6, 3, 0):
        if (
            number.is_finite()
            and number.adjusted() < 24
            and _FIRST_SECOND <= number.scaleb(exponent - 9) < _LAST_SECOND
        ):
            return int(number.scaleb(exponent))
    return None


def _from_iso(text: str) -> int | None:
    text = text.strip()
    if len(text) == 23 and text[19] == ":":
        text = f"{text[:19]}.{text[20:]}"  # MQTTX: 2026-11-21 09:15:02:123
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    at_ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return at_ns if 0 <= at_ns < _LAST_SECOND * 10**9 else None
