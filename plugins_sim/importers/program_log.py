"""Log files of Semi-ATE programs, masters and controls: ``name |dd/mm/yyyy hh:mm:ss AM |LEVEL |text``.

A line of another shape, as of a traceback, continues the one before it. The times are the machine's local ones, to
the second; they are taken as UTC.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from drycell.plugins_sim.importers.text import BEGIN_LINES, Growing, Timed, recording, unusable
from drycell.sim.replay.lines import Line, lines
from drycell.sim.replay.recording import Entry, Recording

_LINE = re.compile(rb"^([^|]{1,40})\|(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [AP]M) *\|([A-Z]{2,12}) *\|(.*)$", re.DOTALL)


class ProgramLogReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """A line of this shape among the first ones."""
        return 3 if any(_LINE.match(line) for line in head.split(b"\n")[:50]) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no line of a log in it."""
        first = islice(lines(path), BEGIN_LINES)
        return recording("Semi-ATE log", path, lambda: _entries(lines(path)), lambda: _entries(first))


def _entries(source: Iterable[Line]) -> Iterator[Timed]:
    held: Growing | None = None
    for line in source:
        match = _LINE.match(line.data)
        if match is not None:
            if held is not None:
                yield held.grown()
            name, time, level, text = match.groups()
            entry = Entry(0, "log", name.decode("utf-8", "replace").strip(), level.decode(), text)
            held = Growing(_at_ns(time.decode()), entry)
        elif line.data and (held is None or not held.grow(line.data)):
            yield unusable(line, "no line of a log")
    if held is not None:
        yield held.grown()


def _at_ns(text: str) -> int | None:
    try:
        moment = datetime.strptime(text, "%d/%m/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9
