"""Counts of a lot, derived from journal events one by one: progress, result table and bins come from here.

Rules
- A device counts once, with the bin and site of its last attempt (``sorted`` events).
- Its soft bin is what ``sorted`` says, else what its program reported last (the PRR of its ``testresult``, or of its
  STDF fragments in dialect ``specification``).
- Soft bins 1 to 9 are grades of good devices, 0 and all others are failures (Semi-ATE's rule).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from drycell.runtime.protocol.topics import site_of
from drycell.sim.cell.fragments import records_of
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event

_PRR = re.compile(r'\{\s*"type"\s*:\s*"PRR"')
_DECODER = json.JSONDecoder()
_GOOD = range(1, 10)


class Sorted(NamedTuple):
    """Where one device ended. ``soft_bin`` is None when nobody said it."""

    site: int
    soft_bin: int | None
    hard_bin: int
    passed: bool


class Bin(NamedTuple):
    """One line of the bin table."""

    soft_bin: int | None
    hard_bin: int


@dataclass(slots=True)
class Tally:
    """Feed events with :meth:`take`; read the counts at any time."""

    sites: set[int] = field(default_factory=set)
    devices: dict[tuple[str, int], Sorted] = field(default_factory=dict)
    master: str = ""
    touchdowns: int = 0
    now_ns: int = 0
    retested: int = 0
    problems: list[str] = field(default_factory=list)
    passed: int = 0
    _by_site: dict[int, tuple[int, int]] = field(default_factory=dict)
    _reported: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _fragments: dict[str, list[str]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Count ``event``. Events of unknown kinds only move the clock."""
        _, self.now_ns, actor, kind, fields = event
        counter = _COUNTERS.get(kind)
        if counter is not None:
            counter(self, actor, fields)

    @property
    def parts(self) -> int:
        """Devices with a bin."""
        return len(self.devices)

    @property
    def yield_(self) -> float:
        """Fraction of :attr:`parts` that passed; 0.0 for none."""
        return self.passed / len(self.devices) if self.devices else 0.0

    @property
    def soft_bins(self) -> dict[int, int]:
        """Soft bin -> devices, for those whose soft bin is known."""
        counts = Counter(entry.soft_bin for entry in self.devices.values())
        return {soft: counts[soft] for soft in sorted(key for key in counts if key is not None)}

    @property
    def hard_bins(self) -> dict[int, int]:
        """Hard bin -> devices."""
        counts = Counter(entry.hard_bin for entry in self.devices.values())
        return dict(sorted(counts.items()))

    def table(self) -> dict[Bin, Counter[int]]:
        """Bin -> site -> devices, in the order of soft and hard bins."""
        rows: dict[Bin, Counter[int]] = {}
        for entry in self.devices.values():
            rows.setdefault(Bin(entry.soft_bin, entry.hard_bin), Counter())[entry.site] += 1
        return dict(sorted(rows.items(), key=lambda row: (row[0].soft_bin or 0, row[0].hard_bin)))

    def yield_of(self, site: int) -> float | None:
        """Fraction of the devices last tested on ``site`` that passed; None for none."""
        parts, passed = self._by_site.get(site, (0, 0))
        return passed / parts if parts else None

    def _sorted(self, _actor: str, fields: Mapping[str, Any]) -> None:
        device = (str(fields.get("lot", "")), int(fields["device"]))
        site, hard = int(fields["site"]), int(fields["hard_bin"])
        self._read_fragments(str(site))
        said = self._reported.pop((str(site), str(fields.get("part"))), None)
        soft = fields.get("soft_bin")
        if soft is None and said is not None and said[1] == hard:
            soft = said[0]
        passed = fields.get("passed", soft in _GOOD if soft is not None else hard == 1)
        old = self.devices.get(device)
        if old is not None:
            self.retested += 1
            self._count(old, -1)
        new = Sorted(site, soft, hard, bool(passed))
        self._count(new, 1)
        self.devices[device] = new
        self.sites.add(site)

    def _count(self, entry: Sorted, step: int) -> None:
        parts, passed = self._by_site.get(entry.site, (0, 0))
        self._by_site[entry.site] = (parts + step, passed + step * entry.passed)
        self.passed += step * entry.passed

    def _contact(self, _actor: str, fields: Mapping[str, Any]) -> None:
        self.touchdowns = int(fields.get("touchdown", self.touchdowns + 1))
        self.sites.update(int(entry["site"]) for entry in fields.get("sites", ()))

    def _state(self, actor: str, fields: Mapping[str, Any]) -> None:
        if actor == "master":
            self.master = str(fields["to"])

    def _problem(self, _actor: str, fields: Mapping[str, Any]) -> None:
        self.problems.append(str(fields.get("text", "")))

    def _message(self, _actor: str, fields: Mapping[str, Any]) -> None:
        told = _told_by(fields.get("topic", ""))
        if told is None:
            return
        site, in_fragments = told
        if in_fragments:
            self._fragments.setdefault(site, []).append(str(fields.get("payload", "")))
        else:
            self._report(site, _last_part_record(str(fields.get("payload", ""))))

    def _read_fragments(self, site: str) -> None:
        """What the fragments of ``site`` since its last device say."""
        pieces = self._fragments.pop(site, None)
        if pieces is None:
            return
        try:
            records = records_of([piece.encode() for piece in pieces])
        except ValueError:
            return
        for record in records:
            if record["type"] == "PRR":
                self._report(site, record)

    def _report(self, site: str, record: Mapping[str, Any]) -> None:
        try:
            said = (int(record["SOFT_BIN"]), int(record["HARD_BIN"]))
            self._reported[site, str(record["PART_ID"])] = said
        except (KeyError, TypeError, ValueError):
            return


_COUNTERS = {
    "sorted": Tally._sorted,
    "contact": Tally._contact,
    "state": Tally._state,
    "problem": Tally._problem,
    "message": Tally._message,
}


def tally(events: Iterable[Event]) -> Tally:
    """The counts of a whole journal. Raises DrycellError for an event that lacks what its kind needs."""
    counts = Tally()
    for event in events:
        try:
            counts.take(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"event {event.seq} ({event.kind})"
            raise DrycellError(f"the journal is damaged at {what}: {type(error).__name__} {error}") from None
    return counts


@lru_cache(maxsize=4096)
def _told_by(topic: str) -> tuple[str, bool] | None:
    """Whose result is told on ``topic``, and whether in fragments of STDF; None when none is."""
    in_fragments = "/TestApp/stdf/site" in topic
    return (site_of(topic), in_fragments) if in_fragments or "/TestApp/testresult/site" in topic else None


def _last_part_record(payload: str) -> dict[str, Any]:
    """The last PRR in the text of a result message, without decoding the rest; {} when there is none."""
    start = payload.rfind("{")
    while start >= 0 and not _PRR.match(payload, start):
        start = payload.rfind("{", 0, start)
    if start < 0:
        return {}
    try:
        record, _ = _DECODER.raw_decode(payload, start)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
