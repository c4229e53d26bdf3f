"""The one stored form of a recording: JSON lines, a header with the format version first.

A line is an entry (``t_ns``, ``kind`` and what differs from the defaults of ``Entry``) or ``{"gap": {...}}``. Every
line stands alone, so a file that was cut anywhere is a recording up to its last whole line; a folder of such files,
in the order of their names, is one recording.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import payload_fields
from drycell.sim.replay.lines import Line, head, lines, may_be_object
from drycell.sim.replay.recording import KINDS, UNITS, Entry, Gap, Recording

FORMAT = 1
HEADER_KEY = "drycell_recording"
SUFFIX = ".recording.jsonl"
_HEADER_LIMIT_BYTES = 64 * 1024
_OPTIONAL: Mapping[str, type] = {
    "client": str,
    "topic": str,
    "qos": int,
    "retain": bool,
    "dup": bool,
    "direction": str,
    "detail": dict,
}


def header_line(format: str, source: str, start_unix_ns: int | None, **more: Any) -> bytes:
    """The first line of a file."""
    fields = {HEADER_KEY: FORMAT, "format": format, "source": source, "start_unix_ns": start_unix_ns, **more}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def line_of(item: Entry | Gap) -> bytes:
    """The line of an entry or gap."""
    if isinstance(item, Gap):
        data: dict[str, Any] = {"gap": {"where": item.where, "why": item.why, "count": item.count, "unit": item.unit}}
    else:
        data = {"t_ns": item.t_ns, "kind": item.kind}
        data |= {key: value for key in _OPTIONAL if (value := getattr(item, key)) or (key == "qos" and value == 0)}
        if item.payload:
            data |= payload_fields(item.payload)
    return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)


def store(recording: Recording, path: Path) -> None:
    """Write a recording to a new file. Raises DrycellError when that cannot be done."""
    try:
        with path.open("xb") as file:
            file.write(header_line(recording.format, recording.source, recording.start_unix_ns))
            for item in recording.items():
                file.write(line_of(item))
    except OSError as error:
        raise DrycellError(f"{path} cannot be written ({error.strerror}); name another file") from None


class StoredReader:
    """Reads what :func:`store` and ``drycell capture`` write."""

    def sniff(self, head: bytes) -> int:
        """It says so itself in its first line."""
        return 3 if head.startswith(f'{{"{HEADER_KEY}":'.encode()) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError for an unknown version or a header that is none."""
        files = segments(path)
        if not files:
            raise DrycellError(
                f"{path} holds no file *{SUFFIX}; name the folder or a file that drycell capture wrote"
            )
        first = read_header(files[0])
        return Recording(
            str(first.get("format")), str(first.get("source")), lambda: _items(files), start_unix_ns=_start(first)
        )


def segments(path: Path) -> list[Path]:
    """The files of a recording, in order."""
    return sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]


def _items(files: list[Path]) -> Iterator[Entry | Gap]:
    before = read_header(files[0])
    start_ns = _start(before)
    if before.get("number", 1) != 1:
        yield Gap(files[0].name, "the segments before it were removed")
    sent: dict[int, int] = {}
    for file in files:
        begin_ns = _start(read_header(file))
        shift_ns = 0 if start_ns is None or begin_ns is None else begin_ns - start_ns
        for line in lines(file):
            if line.number > 1:
                item = _item(line, file.name, shift_ns)
                if isinstance(item, Gap) or not _repeated(item, sent):
                    yield item


def _repeated(entry: Entry, sent: dict[int, int]) -> bool:
    """Whether the broker sent ``entry`` before, with the same packet id (MQTT 3.1.1 section 4.4)."""
    packet_id = entry.detail.get("id") if entry.kind == "publish" and entry.client is None else None
    if not isinstance(packet_id, int):
        return False
    before = sent.get(packet_id)
    sent[packet_id] = now = hash((entry.topic, entry.payload))
    return entry.dup and before == now


def _item(line: Line, name: str, shift_ns: int) -> Entry | Gap:
    where = f"{name}, line {line.number}"
    if not line.complete:
        return Gap(where, "the line has no end, or is too long", line.size)
    if not may_be_object(line.data):
        return Gap(where, "no entry of a recording (no JSON object)", line.size)
    try:
        data = orjson.loads(line.data)
        return _gap(data["gap"]) if "gap" in data else entry_of(data, shift_ns)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Gap(where, f"no entry of a recording ({type(error).__name__})", line.size)


def _gap(data: Mapping[str, Any]) -> Gap:
    count, unit = data["count"], data["unit"]
    if unit not in UNITS or not isinstance(count, int):
        raise ValueError("unit")
    return Gap(str(data["where"]), str(data["why"]), count, unit)


def entry_of(data: Mapping[str, Any], shift_ns: int = 0) -> Entry:
    """The entry that the fields of a line stand for. Raises ValueError, KeyError or TypeError when it is none."""
    t_ns, kind = data["t_ns"], data["kind"]
    if type(t_ns) is not int or kind not in KINDS:
        raise ValueError("t_ns or kind")
    optional = {key: data[key] for key in _OPTIONAL if key in data}
    if not all(type(value) is _OPTIONAL[key] for key, value in optional.items()):
        raise ValueError("type")
    if optional.get("qos", 0) not in (0, 1, 2) or optional.get("direction", "in") not in ("in", "out"):
        raise ValueError("value")
    detail = optional.get("detail", {})
    if not all(fits(detail[key]) for (of, key), fits in _DETAILS.items() if of == kind and key in detail):
        raise ValueError("detail")
    return Entry(t_ns + shift_ns, kind, payload=payload_in(data), **optional)


def payload_in(data: Mapping[str, Any]) -> bytes:
    """The payload of an entry or a will. Raises ValueError or AttributeError when it is none."""
    packed = data.get("payload_b64")
    return data.get("payload", "").encode() if packed is None else b64decode(packed, validate=True)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


def _is_will(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and type(value.get("topic")) is str
        and _is_qos(value.get("qos"))
        and type(value.get("retain")) is bool
        and isinstance(payload_in(value), bytes)
    )


def _is_qos(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 2


def _is_subscribed(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and type(one[0]) is str and _is_qos(one[1]) for one in value
    )


_DETAILS: Mapping[tuple[str, str], Callable[[Any], bool]] = {
    ("connect", "clean"): _is(bool),
    ("connect", "session_present"): _is(bool),
    ("connect", "keepalive_s"): lambda value: type(value) is int and 0 <= value <= 0xFFFF,
    ("connect", "will"): _is_will,
    ("subscribe", "filters"): _is_subscribed,
    ("unsubscribe", "filters"): lambda value: isinstance(value, list) and all(type(one) is str for one in value),
    ("disconnect", "cause"): _is(str),
}
"""What others rely on in ``detail``, by kind and key."""


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a file. Raises DrycellError when it is none, or of an unknown version."""
    line, end, _ = head(path, _HEADER_LIMIT_BYTES).partition(b"\n")
    try:
        header = orjson.loads(line) if end else None
    except orjson.JSONDecodeError:
        header = None
    if not isinstance(header, dict) or HEADER_KEY not in header:
        raise DrycellError(f"{path} is no drycell recording: its first line has no {HEADER_KEY!r}")
    if header[HEADER_KEY] != FORMAT:
        raise DrycellError(
            f"{path} has recording format {header[HEADER_KEY]!r}; this drycell reads format {FORMAT} only"
        )
    return header


def _start(header: Mapping[str, Any]) -> int | None:
    start_ns = header.get("start_unix_ns")
    return start_ns if isinstance(start_ns, int) else None
