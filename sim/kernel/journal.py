"""The journal: everything that happens in a run, one JSON line per event, in one total order.

Rules
- The first line is the header with the format version. Every other line starts ``seq, t_ns, actor, kind``.
- An event is handed to the operating system before anybody can act on it: killing the simulator loses nothing. Where
  all parties live in the simulator and die with it, the events of one instant go together, before the clock moves on.
- Only simulated facts go in: no process ids, no ports, no wall time, no absolute path. Equal runs are equal bytes.
"""

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from drycell.sim.errors import DrycellError

FORMAT = 1
_HEADER_KEY = "drycell_journal"
_PLAIN = frozenset({str, int, bool, type(None)})
"""Values that a line keeps as they are, and that nobody can change later."""
_AT_ONCE = 1 << 16
"""So many bytes of a journal are read together: for each line alone it takes longer."""


class Event(NamedTuple):
    """One line of a journal. ``fields`` holds everything behind seq, t_ns, actor and kind."""

    seq: int
    t_ns: int
    actor: str
    kind: str
    fields: dict[str, Any]


Watcher = Callable[[Event], None]


class Journal:
    """Appends events to ``path`` (or to nowhere when None) and keeps their running SHA-256."""

    def __init__(self, now_ns: Callable[[], int], path: Path | None = None, **header: Any) -> None:
        self._now_ns = now_ns
        self._fd = -1 if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._hash = hashlib.sha256()
        self._held: list[bytes] = []
        self._watchers: list[tuple[Watcher, tuple[str, ...]]] = []
        self._watchers_of: dict[str, tuple[Watcher, ...]] = {}
        self.by_instant = False
        """Whether events wait for :meth:`flush`: only while nobody outside of this process can act on them."""
        self.closed = False
        self.count = 0
        self._held.append(orjson.dumps({_HEADER_KEY: FORMAT, **header}, None, orjson.OPT_APPEND_NEWLINE))
        self.flush()

    def record(self, kind: str, actor: str, /, **fields: Any) -> int:
        """Write one event at the present simulated instant; returns its sequence number (from 1).

        After :meth:`close` nothing is written any more and 0 is returned: taking a cell apart is no event of its run.
        """
        if self.closed:
            return 0
        self.count = seq = self.count + 1
        t_ns = self._now_ns()
        said = {"seq": seq, "t_ns": t_ns, "actor": actor, "kind": kind, **fields}
        line = orjson.dumps(said, None, orjson.OPT_APPEND_NEWLINE)
        self._held.append(line)
        if not self.by_instant:
            self.flush()
        watchers = self._watchers_of.get(kind)
        if watchers is None:
            watchers = self._watchers_of[kind] = tuple(w for w, kinds in self._watchers if not kinds or kind in kinds)
        if watchers:
            plain = _PLAIN.issuperset(map(type, fields.values()))
            event = Event(seq, t_ns, actor, kind, fields) if plain else event_of(line)
            for watcher in watchers:
                watcher(event)
        return seq

    def watch(self, watcher: Watcher, *kinds: str) -> None:
        """Call ``watcher`` with every event of these ``kinds`` from now on, of every kind when none is named.

        It is the event that :func:`read` finds in the file, whatever becomes of what was recorded.
        """
        self._watchers.append((watcher, kinds))
        self._watchers_of.clear()

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system. Raises OSError when it does not take it."""
        if not self._held:
            return
        data = b"".join(self._held)
        self._held.clear()
        self._hash.update(data)
        if self._fd >= 0:
            left = memoryview(data)
            while left:
                left = left[os.write(self._fd, left) :]

    @property
    def sha256(self) -> str:
        """Hex digest of all bytes written so far."""
        self.flush()
        return self._hash.hexdigest()

    def close(self) -> None:
        """Close the file; idempotent."""
        self.closed = True
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(path: Path) -> Iterator[Event]:
    """The events of a journal file, in order. A last line cut off by a crash is left out.

    Raises DrycellError for a file that is no journal or of an unknown format version.
    """
    with path.open("rb") as file:
        _check_header(path, file.readline())
        number, cut = 2, False
        while not cut and (lines := file.readlines(_AT_ONCE)):
            cut = not lines[-1].endswith(b"\n")
            if cut:
                lines.pop()
            try:
                yield from _events_of(lines)
            except ValueError:
                yield from _one_by_one(path, number, lines)
            number += len(lines)


def _events_of(lines: Sequence[bytes]) -> list[Event]:
    """The events of whole lines, read as one JSON text. Raises ValueError when a line is no event."""
    found = orjson.loads(b"[%b]" % b",".join(lines))
    if len(found) != len(lines):
        raise ValueError("there is not one event on each line")
    return [_event(data) for data in found]


def _one_by_one(path: Path, number: int, lines: Sequence[bytes]) -> Iterator[Event]:
    """The same line by line, from line ``number`` of the file on. Raises DrycellError for the line that is none."""
    for place, line in enumerate(lines, start=number):
        try:
            yield event_of(line)
        except ValueError as error:
            raise DrycellError(f"{path}, line {place}: {error}") from None


def event_of(line: bytes) -> Event:
    """The event of one line. Raises ValueError when it is none."""
    try:
        return _event(orjson.loads(line))
    except ValueError as error:
        raise ValueError(f"not an event of a journal ({error})") from None


def _event(data: Any) -> Event:
    try:
        take = data.pop
        return Event(take("seq"), take("t_ns"), take("actor"), take("kind"), data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(error) from None


def read_header(path: Path) -> dict[str, Any]:
    """The header line of a journal file. Raises DrycellError as :func:`read`."""
    with path.open("rb") as file:
        return _check_header(path, file.readline())


def _check_header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError:
        header = None
    if not isinstance(header, dict) or _HEADER_KEY not in header:
        raise DrycellError(f"{path} is not a drycell journal: its first line has no {_HEADER_KEY!r}")
    if header[_HEADER_KEY] != FORMAT:
        found = header[_HEADER_KEY]
        raise DrycellError(f"{path} has journal format {found!r}; this drycell reads format {FORMAT} only")
    return header


def payload_fields(payload: bytes) -> dict[str, str]:
    """A payload as sent, ready for an event: as text when it is UTF-8, else in Base64."""
    try:
        return {"payload": payload.decode("utf-8")}
    except UnicodeDecodeError:
        return {"payload_b64": b64encode(payload).decode("ascii")}
