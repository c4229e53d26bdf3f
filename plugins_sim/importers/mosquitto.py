"""Logs of mosquitto_sub: ``-v``, a time before it (``-F '%U %t %p'`` or ``%I``), and JSON (``-F %j`` or ``%J``).

A line that begins with a blank or a closing bracket continues the payload before it: mosquitto_sub writes payloads of
several lines as they are.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from drycell.plugins_sim.importers.text import (
    BEGIN_LINES,
    Growing,
    Timed,
    payload_of,
    recording,
    storable,
    unix_ns,
    unusable,
)
from drycell.sim.replay.lines import LINE_LIMIT_BYTES, Line, lines
from drycell.sim.replay.recording import Entry, Recording

_TIME = re.compile(rb"^(\d{9,19}(?:\.\d{1,9})?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*) (?=\S)")
_CONTINUES = (b" ", b"\t", b"}", b"]")
_TOPIC = re.compile(r"^[^\s#+\0]+$")


class TextReader:
    """``topic payload`` per line, perhaps behind a time."""

    def sniff(self, head: bytes) -> int:
        """Topics with levels, and text behind them, on most lines."""
        begun = [line for line in head.split(b"\n")[:-1] or [head] if line and not line.startswith(_CONTINUES)]
        good = sum(1 for line in begun[:100] if _begins_message(line))
        return 1 if begun and good > 0.5 * min(len(begun), 100) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no message in it."""
        first = islice(lines(path), BEGIN_LINES)
        return recording("mosquitto_sub -v", path, lambda: _text(lines(path)), lambda: _text(first))


class JsonReader:
    """One JSON object per line, with topic and payload; so of mosquitto_sub, and of many other tools."""

    def sniff(self, head: bytes) -> int:
        """One of the first lines is a message."""
        return 2 if any(line[:1] == b"{" and _object(line) is not None for line in head.split(b"\n")[:5]) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no message in it."""
        return recording("mosquitto_sub -F %j", path, lambda: _json(path))


def _begins_message(line: bytes) -> bool:
    topic = _TIME.sub(b"", line).split(b" ", 1)[0].decode("utf-8", "replace")
    return "/" in topic and _TOPIC.match(topic) is not None and topic[0] not in '{["<'


def _text(source: Iterable[Line]) -> Iterator[Timed]:
    held: Growing | None = None
    for line in source:
        if held is not None and line.data.startswith(_CONTINUES) and held.grow(line.data):
            continue
        if held is not None:
            yield held.grown()
        item = _message(line.data)
        held = None if item is None or line.size > LINE_LIMIT_BYTES else Growing(*item)
        if held is None:
            yield unusable(line, "no topic with a payload behind it")
    if held is not None:
        yield held.grown()


def _message(line: bytes) -> tuple[int | None, Entry] | None:
    time = _TIME.match(line)
    raw, _, payload = line[time.end() if time else 0 :].partition(b" ")
    try:
        topic = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not _begins_message(line):
        return None
    return (unix_ns(time[1].decode()) if time else None), Entry(0, "publish", None, topic, payload)


def _json(path: Path) -> Iterator[Timed]:
    for line in lines(path):
        if not line.data.strip():
            continue
        yield _object(line.data) or unusable(line, "no JSON object with a topic and a payload")


def _object(line: bytes) -> tuple[int | None, Entry] | None:
    try:
        return message_of(orjson.loads(line))
    except orjson.JSONDecodeError:
        return None


_TIMES = ("tst", "createAt", "timestamp", "time", "received", "created", "ts")
_PAYLOADS = ("payload", "message", "value", "msg")


def message_of(data: Any, topic: str | None = None) -> tuple[int | None, Entry] | None:
    """The message that a JSON object stands for, whatever tool wrote it; None when it is none."""
    if not isinstance(data, dict):
        return None
    name = data.get("topic", topic)
    key = next((key for key in _PAYLOADS if key in data), None)
    if not isinstance(name, str) or not _TOPIC.match(name) or key is None:
        return None
    name = storable(name)
    qos = data.get("qos")
    at_ns = next((found for key in _TIMES if (found := unix_ns(data.get(key))) is not None), None)
    retain = data.get("retain", data.get("retained", False)) in (1, True, "1", "true")
    payload = payload_of(data[key])
    return at_ns, Entry(0, "publish", None, name, payload, qos if qos in (0, 1, 2) else None, retain)
