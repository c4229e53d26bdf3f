"""What was heard on a floor, whatever wrote it down: entries in order, and the gaps between them.

Rules
- A recording is read as a stream: every pass reads its source anew, and nothing of it is kept in memory.
- Time never falls. It counts nanoseconds since the start of the recording; ``start_unix_ns`` says when that was, if
  the source tells.
- What cannot be read is a gap, with place, reason and size. Nothing is left out in silence.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

Kind = Literal[
    "publish",
    "deliver",
    "connect",
    "disconnect",
    "subscribe",
    "unsubscribe",
    "packet",
    "scpi",
    "record",
    "log",
    "mark",
]
"""What an entry is; ``client`` is who did it, None when nobody knows.

- ``publish``: a message, once, as it reached the broker (or an observer). ``deliver``: the broker hands it to
  ``client``; only known from packets.
- ``connect``, ``disconnect``, ``subscribe``, ``unsubscribe``: as MQTT names them; ``detail`` holds ``clean``,
  ``keepalive_s``, ``will`` (topic, payload or payload_b64, qos, retain); ``cause``; ``filters`` as pairs of filter
  and QoS or, when unsubscribing, filters.
- ``packet``: any other MQTT packet, by ``name`` and where it has one ``id`` in ``detail``.
- ``scpi``: a message to an instrument (``direction`` in) or its answer (out); ``topic`` names the instrument.
- ``record``: an STDF record; ``topic`` is its type, ``detail`` its fields as JSON (see runtime.stdf.json_records).
- ``log``: a line of a program's log; ``topic`` is its level. ``mark``: a note that an operator made.
"""

Direction = Literal["in", "out"]
Unit = Literal["bytes", "lines", "messages", "packets", "records", "nanoseconds"]

KINDS: frozenset[str] = frozenset(get_args(Kind))
UNITS: frozenset[str] = frozenset(get_args(Unit))
GAPS_KEPT = 1_000
"""So many different gaps are told one by one; a file that is nothing but damage shall not fill the memory."""

_BACKWARDS = "the clock of the source ran backwards"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was recorded. ``qos`` is None where the source does not tell it.

    ``direction`` is seen from the broker or the instrument: ``in`` goes to it. ``payload`` is as sent; ``detail``
    holds JSON values only.
    """

    t_ns: int
    kind: Kind
    client: str | None = None
    topic: str = ""
    payload: bytes = b""
    qos: int | None = None
    retain: bool = False
    dup: bool = False
    direction: Direction | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing: ``where`` in the source, ``why``, and how much of it (0: nobody can tell)."""

    where: str
    why: str
    count: int = 0
    unit: Unit = "bytes"

    def sentence(self) -> str:
        """For people."""
        lost = f" ({self.count} {self.unit})" if self.count else ""
        return f"{self.where}: {self.why}{lost}"


class Reader(Protocol):
    """Reads one format; offered under its name by the hook ``drycell_importers``."""

    def sniff(self, head: bytes) -> int:
        """How well a file that begins with ``head`` (up to 64 KiB, the whole of a smaller file) fits.

        0: not at all; 1: could be; 2: looks like it; 3: it says so itself.
        """

    def read(self, path: Path) -> "Recording":
        """The recording in a file. Raises DrycellError when nothing of it can be used."""


Items = Callable[[], Iterator[Entry | Gap]]


class Recording:
    """Entries in order. ``items`` starts a new pass over the source and yields entries and gaps as they come."""

    def __init__(self, format: str, source: str, items: Items, *, start_unix_ns: int | None = None) -> None:
        self.format = format
        self.source = source
        self.start_unix_ns = start_unix_ns
        self._items = items

    def items(self) -> Iterator[Entry | Gap]:
        """Entries and gaps in order; an entry from before the one in front of it is moved to that instant. Gaps that
        follow on one another for the same reason are one."""
        now_ns, late, count = 0, 0, 0
        first: Gap | None = None
        last: Gap | None = None
        for item in self._items():
            if isinstance(item, Gap):
                if first is not None and item.why == first.why and item.unit == first.unit:
                    count += item.count
                else:
                    yield from _joined(first, last, count)
                    first, count = item, item.count
                last = item
                continue
            if first is not None:
                yield from _joined(first, last, count)
                first = None
            if item.t_ns < now_ns:
                late = max(late, now_ns - item.t_ns)
                item = replace(item, t_ns=now_ns)
            elif late:
                yield Gap(f"before {now_ns / 1e9:.3f} s", _BACKWARDS, late, "nanoseconds")
                late = 0
            now_ns = item.t_ns
            yield item
        yield from _joined(first, last, count)
        if late:
            yield Gap("at the end", _BACKWARDS, late, "nanoseconds")

    def __iter__(self) -> Iterator[Entry]:
        """The entries alone."""
        return (item for item in self.items() if isinstance(item, Entry))

    def gaps(self) -> tuple[Gap, ...]:
        """The gaps, in order; reads the whole source. Beyond GAPS_KEPT they are summed up by reason."""
        found = GapList()
        for item in self.items():
            if isinstance(item, Gap):
                found.add(item)
        return found.told()


def _joined(first: Gap | None, last: Gap | None, count: int) -> Iterator[Gap]:
    """One gap of those from the first to the last; ``count``: of all of them. None for no first one."""
    if first is not None and last is not None:
        yield first if first is last else replace(first, where=f"{first.where} to {last.where}", count=count)


class GapList:
    """Collects gaps in bounded memory: ``most`` are told one by one, the others by reason."""

    def __init__(self, most: int = GAPS_KEPT) -> None:
        self._most = most
        self._kept: list[Gap] = []
        self._further: Counter[tuple[str, Unit]] = Counter()

    def add(self, gap: Gap) -> None:
        """Take one more."""
        if len(self._kept) < self._most:
            self._kept.append(gap)
        elif (gap.why, gap.unit) in self._further or len(self._further) < self._most:
            self._further[gap.why, gap.unit] += gap.count
        else:
            self._further["of further kinds", gap.unit] += gap.count

    def told(self) -> tuple[Gap, ...]:
        """All of them; the last ones may stand for many each."""
        rest = (Gap("further on", why, count, unit) for (why, unit), count in self._further.items())
        return (*self._kept, *rest)
