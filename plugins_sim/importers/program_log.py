"""Log files of Semi-ATE programs, masters and controls: ``name |dd/mm/yyyy hh:mm:ss AM |LEVEL |text``.

A line of another shape, as of a traceback, continues the one before it. The times are the machine's local ones, to
the second; they are taken as UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from drycell.plugins_sim.importers.text import Timed, recording, unusable
from drycell.sim.replay.lines import LINE_LIMIT_BYTES, lines
from drycell.sim.replay.recording import Entry, Recording

_LINE = re.compile(rb"^([^|]{1,40})\|(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [AP]M) *\|([A-Z]{2,12}) *\|(.*)$", re.DOTALL)


class ProgramLogReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """A line of this shape among the first ones."""
        return 3 if any(_LINE.match(line) for line in head.split(b"\n")[:50]) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no line of a log in it."""
        return recording("Semi-ATE log", path, lambda: _lines(path))


def _lines(path: Path) -> Iterator[Timed]:
    held: tuple[int | None, Entry] | None = None
    for line in lines(path):
        match = _LINE.match(line.data)
        if match is not None:
            if held is not None:
                yield held
            held = (
                _at_ns(match[2].decode()),
                Entry(0, "log", match[1].decode("utf-8", "replace").strip(), match[3].decode(), match[4]),
            )
        elif held is not None and len(held[1].payload) < LINE_LIMIT_BYTES:
            held = held[0], replace(held[1], payload=held[1].payload + b"\n" + line.data)
        elif line.data:
            yield unusable(line, "no line of a log")
    if held is not None:
        yield held


def _at_ns(text: str) -> int | None:
    try:
        moment = datetime.strptime(text, "%d/%m/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9
