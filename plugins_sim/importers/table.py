"""CSV of messages: columns time, topic, payload; client, qos, retain if there are such; by name or in this order."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from drycell.plugins_sim.importers.text import Timed, recording, storable, unix_ns
from drycell.sim.replay.lines import LINE_LIMIT_BYTES, lines
from drycell.sim.replay.recording import Entry, Gap, Recording

csv.field_size_limit(LINE_LIMIT_BYTES)
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("time", "timestamp", "t", "t_s", "date", "datetime", "createat"), "time"),
    **dict.fromkeys(("topic", "mqtt_topic"), "topic"),
    **dict.fromkeys(("payload", "message", "value", "data"), "payload"),
    **dict.fromkeys(("client", "client_id", "clientid", "sender"), "client"),
    "qos": "qos",
    "retain": "retain",
    "retained": "retain",
}
_USUAL = ("time", "topic", "payload")
_DELIMITERS = (",", ";", "\t")
_MOST_LINES = 1_000
"""A row has at most so many lines; a quote that is not closed within them is damage, and begins no row."""
_MOST_REREADS = 100
"""Behind so many of them, their lines are left out."""


class TableReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """A title line with topic and payload, or a time before a topic."""
        first = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        delimiter = _delimiter(first)
        if {"topic", "payload"} <= set(_columns(first, delimiter) or ()):
            return 2
        cells = first.split(delimiter)
        return 1 if len(cells) > 2 and _time(cells[0].strip('" ')) is not None and "/" in cells[1] else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no message in it."""
        return recording("CSV", path, lambda: _rows(path))


def _rows(path: Path) -> Iterator[Timed]:
    source = (
        line.data.decode("utf-8-sig" if line.number == 1 else "utf-8", "surrogateescape") for line in lines(path)
    )
    first = next(source, "")
    delimiter = _delimiter(first)
    columns = _columns(first, delimiter)
    again: deque[str] = deque([first] if columns is None else [])
    number, rereads = (1 if columns is None else 2), 0
    row: list[str] = []
    is_open = False
    while True:
        line = again.popleft() if again else next(source, None)
        if line is not None:
            row.append(line)
            is_open ^= bool(line.count('"') % 2)
            if is_open and len(row) < _MOST_LINES:
                continue
        elif not row:
            return
        used = len(row)
        if not is_open:
            yield from _item(row, delimiter, columns or _USUAL, number)
        else:
            if rereads < _MOST_REREADS:
                again.extendleft(reversed(row[1:]))
                rereads, used = rereads + 1, 1
            yield Gap(f"line {number}", "a quote that is not closed", used, "lines")
        number += used
        row, is_open = [], False


def _item(row: list[str], delimiter: str, columns: tuple[str, ...], number: int) -> Iterator[Timed]:
    """The message in the lines of a row; none in an empty one."""
    try:
        cells = _cells(row, delimiter)
    except csv.Error as error:
        yield Gap(f"line {number}", f"no CSV: {error}", len(row), "lines")
        return
    if cells:
        message = _message(dict(zip(columns, cells, strict=False)))
        yield message or Gap(f"line {number}", "no time, topic and payload", len(row), "lines")


def _cells(row: list[str], delimiter: str) -> list[str]:
    """The cells of a row, which without quotes is a plain line. Raises csv.Error."""
    if len(row) == 1 and '"' not in row[0]:
        return row[0].split(delimiter) if row[0] else []
    return next(csv.reader([f"{line}\n" for line in row], delimiter=delimiter, strict=True))


def _message(cells: Mapping[str, str]) -> tuple[int | None, Entry] | None:
    topic = cells.get("topic", "")
    if "payload" not in cells or not re.match(r"^[^#+\0]+$", topic):
        return None
    qos = cells.get("qos", "")
    return _time(cells.get("time", "")), Entry(
        0,
        "publish",
        storable(cells.get("client", "")) or None,
        storable(topic),
        cells["payload"].encode("utf-8", "surrogateescape"),
        int(qos) if qos in ("0", "1", "2") else None,
        cells.get("retain", "").lower() in ("1", "true"),
    )


def _time(cell: str) -> int | None:
    """A time of the calendar, or else seconds since some beginning."""
    found = unix_ns(cell)
    if found is None and re.fullmatch(r"\d{1,9}(\.\d{1,12})?", cell):
        whole, _, rest = cell.partition(".")
        return int(whole) * 10**9 + int(rest[:9].ljust(9, "0") or 0)
    return found


def _delimiter(first: str) -> str:
    return max(_DELIMITERS, key=first.count)


def _columns(first: str, delimiter: str) -> tuple[str, ...] | None:
    """The columns that a title line names; None when it is none."""
    words = [word.strip().strip('"\ufeff').lower() for word in first.split(delimiter)]
    columns = tuple(_NAMES.get(word, word) for word in words)
    return columns if "topic" in columns and "payload" in columns else None
