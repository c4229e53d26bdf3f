"""Counts over the records of a lot: parts, bins and tests per site, and from them the summary records.

Rules: every PRR is one part tested (PART_CNT); a PRR whose PART_ID was seen before (on any site; on wafers, on the
same wafer), or whose PART_FLG says so by bit 0 or 1, is also a retest (RTST_CNT); bins count every PRR, so their sum
is PART_CNT. A part is good if PART_FLG bits 3 (failed) and 4 (no verdict) are 0, aborted if bit 2 is set. A test is
executed unless TEST_FLG bit 4 is set, failed if bit 7 is set and bit 6 (no verdict) is not, in alarm if bit 0 is set.
Sums are over results that are valid (TEST_FLG bits 1 and 4 are 0) and finite. Head 255 with site 255 stands for all
sites (STDF V4, PCR and TSR).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import inf, isfinite
from operator import add, mul
from typing import Any, NamedTuple

from drycell.runtime.stdf.records import record
from drycell.runtime.stdf.rules import LARGEST_R4
from drycell.runtime.stdf.table import Record

ALL = 255
Site = tuple[int, int]  # HEAD_NUM, SITE_NUM
EVERY: Site = (ALL, ALL)
FAILED_BITS = 0x18
NO_SOFT_BIN = 65535
_TEST_KINDS = {"PTR": "P", "MPR": "M", "FTR": "F"}
_COUNTED_AT_ONCE = 256


@dataclass(slots=True)
class PartCount:
    """Parts of one site."""

    parts: int = 0
    retests: int = 0
    aborts: int = 0
    good: int = 0


@dataclass(slots=True)
class BinCount:
    """Parts in one bin of one site."""

    parts: int = 0
    good: int = 0

    @property
    def verdict(self) -> str:
        """HBIN_PF and SBIN_PF: all passed, all failed, or mixed."""
        return "P" if self.good == self.parts else " " if self.good else "F"


@dataclass(slots=True)
class TestCount:
    """Executions of one test on one site; ``flags``: how often it had each TEST_FLG.

    Sums are in the order of arrival, one addition after the other: the same bits on every Python.
    """

    __test__ = False  # not a pytest class

    kind: str
    name: str = ""
    flags: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _valid: int = 0
    _low: float = inf
    _high: float = -inf
    _sum: float = 0.0
    _squares: float = 0.0
    _fresh: list[float] = field(default_factory=list)

    def add(self, values: Sequence[float]) -> None:
        """Adds the valid results of one execution."""
        self._fresh += values
        if len(self._fresh) >= _COUNTED_AT_ONCE:
            self._count()

    def _count(self) -> None:
        fresh = self._fresh
        self._valid += len(fresh)
        self._low, self._high = min(self._low, *fresh), max(self._high, *fresh)
        self._sum = reduce(add, fresh, self._sum)
        self._squares = reduce(add, map(mul, fresh, fresh), self._squares)
        fresh.clear()

    def statistics(self) -> dict[str, float]:
        """The fields of TSR that tell of the valid results; none without any."""
        if self._fresh:
            self._count()
        if not self._valid:
            return {}
        told = {"TEST_MIN": self._low, "TEST_MAX": self._high, "TST_SUMS": self._sum, "TST_SQRS": self._squares}
        return {name: value for name, value in told.items() if abs(value) <= LARGEST_R4}  # else: no value

    @property
    def executed(self) -> int:
        """EXEC_CNT."""
        return sum(count for flags, count in self.flags.items() if not flags & 16)

    @property
    def failed(self) -> int:
        """FAIL_CNT."""
        return sum(count for flags, count in self.flags.items() if flags & 0xC0 == 128)

    @property
    def alarms(self) -> int:
        """ALRM_CNT."""
        return sum(count for flags, count in self.flags.items() if flags & 1)


class Final(NamedTuple):
    """The last result of one device."""

    hard_bin: int
    soft_bin: int
    good: bool


@dataclass(slots=True)
class Tally:
    """Counts what ``add`` is given. Counters are by site and, from ``EVERY``, over all sites."""

    parts: dict[Site, PartCount] = field(default_factory=lambda: defaultdict(PartCount))
    hard: dict[tuple[Site, int], BinCount] = field(default_factory=lambda: defaultdict(BinCount))
    soft: dict[tuple[Site, int], BinCount] = field(default_factory=lambda: defaultdict(BinCount))
    tests: dict[tuple[Site, int, str], TestCount] = field(default_factory=dict)
    wafer: PartCount = field(default_factory=PartCount)
    _pairs: dict[tuple[int, int, int, str], tuple[TestCount, TestCount]] = field(default_factory=dict)
    _last: dict[tuple[int, str], Final] = field(default_factory=dict)
    _wafers: int = 0

    def add(self, rec: Record) -> None:
        """Counts a PRR, PTR, MPR, FTR or WIR; other records do not count."""
        name = rec.type.name
        if name in _TEST_KINDS:
            self._test(rec, _TEST_KINDS[name])
        elif name == "PRR":
            self._part(rec)
        elif name == "WIR":
            self._wafers += 1
            self.wafer = PartCount()

    def is_retest(self, part_id: str) -> bool:
        """Whether a part of this name (on the wafer at hand) was counted before; nameless parts never are."""
        return bool(part_id) and (self._wafers, part_id) in self._last

    def finals(self) -> list[Final]:
        """The last result of each device: a later PRR of the same part replaces the earlier."""
        return list(self._last.values())

    def _part(self, rec: Record) -> None:
        f = rec.fields
        part_id = f.get("PART_ID", "")
        retest = self.is_retest(part_id) or bool(f["PART_FLG"] & 3)
        good = not f["PART_FLG"] & FAILED_BITS
        name = part_id or f"\0{len(self._last)}"  # a part without a name is a device of its own
        self._last[self._wafers, name] = Final(f["HARD_BIN"], f.get("SOFT_BIN", NO_SOFT_BIN), good)
        abort = bool(f["PART_FLG"] & 4)
        site = (f["HEAD_NUM"], f["SITE_NUM"])
        for count in (self.wafer, self.parts[site], self.parts[EVERY]):
            count.parts += 1
            count.retests += retest
            count.aborts += abort
            count.good += good
        bins = [(self.hard, f["HARD_BIN"])]
        if f.get("SOFT_BIN", NO_SOFT_BIN) != NO_SOFT_BIN:
            bins.append((self.soft, f["SOFT_BIN"]))
        for table, number in bins:
            for s in (site, EVERY):
                entry = table[s, number]
                entry.parts += 1
                entry.good += good

    def _test(self, rec: Record, kind: str) -> None:
        f = rec.fields
        flags = f["TEST_FLG"]
        values = _valid_results(rec, flags)
        key = f["HEAD_NUM"], f["SITE_NUM"], f["TEST_NUM"], kind
        own, every = self._pairs.get(key) or self._begin(*key)
        if not own.name:
            own.name = f.get("TEST_TXT") or ""
            every.name = every.name or own.name
        own.flags[flags] += 1
        every.flags[flags] += 1
        if values:
            own.add(values)
            every.add(values)

    def _begin(self, head: int, site: int, number: int, kind: str) -> tuple[TestCount, TestCount]:
        """The counters of a test on a site and on all sites."""
        own, every = (self.tests.setdefault((s, number, kind), TestCount(kind)) for s in ((head, site), EVERY))
        self._pairs[head, site, number, kind] = own, every
        return own, every


def _valid_results(rec: Record, flags: int) -> list[float]:
    if flags & 0x12:
        return []
    if rec.type.name == "PTR":
        value = rec.fields.get("RESULT")
        return [value] if value is not None and isfinite(value) else []
    return [v for v in rec.fields.get("RTN_RSLT", ()) if isfinite(v)]


def test_summaries(tally: Tally, only: set[Site]) -> list[Record]:
    """TSR records of these sites, by site and test number."""
    out = []
    for ((head, site), number, kind), count in sorted(tally.tests.items(), key=lambda item: item[0]):
        if (head, site) not in only:
            continue
        fields: dict[str, Any] = {
            "HEAD_NUM": head, "SITE_NUM": site, "TEST_TYP": kind, "TEST_NUM": number, "EXEC_CNT": count.executed,
            "FAIL_CNT": count.failed, "ALRM_CNT": count.alarms, "TEST_NAM": count.name,
        }  # fmt: skip
        out.append(record("TSR", **fields, **count.statistics()))
    return out


test_summaries.__test__ = False  # type: ignore[attr-defined]  # not a pytest function


def bin_summaries(tally: Tally, hard_names: dict[int, str], soft_names: dict[int, str]) -> list[Record]:
    """HBR then SBR records, by bin and site, the sums over all sites (255) last."""
    out = []
    for rec, prefix, table, names in (
        ("HBR", "HBIN", tally.hard, hard_names),
        ("SBR", "SBIN", tally.soft, soft_names),
    ):
        for ((head, site), number), count in sorted(table.items(), key=lambda item: (item[0][0], item[0][1])):
            fields: dict[str, Any] = {
                "HEAD_NUM": head,
                "SITE_NUM": site,
                f"{prefix}_NUM": number,
                f"{prefix}_CNT": count.parts,
                f"{prefix}_PF": count.verdict,
            }
            if names.get(number):
                fields[f"{prefix}_NAM"] = names[number]
            out.append(record(rec, **fields))
    return out


def part_summaries(tally: Tally, sites: list[Site]) -> list[Record]:
    """PCR records: one per site, and one over all sites. FUNC_CNT is left out: not known."""
    return [
        record("PCR", HEAD_NUM=head, SITE_NUM=site, **part_counts(tally.parts.get((head, site), PartCount())))
        for head, site in [*sites, EVERY]
    ]


def part_counts(count: PartCount) -> dict[str, int]:
    """The counts as fields of PCR and WRR."""
    return {
        "PART_CNT": count.parts,
        "RTST_CNT": count.retests,
        "ABRT_CNT": count.aborts,
        "GOOD_CNT": count.good,
    }
