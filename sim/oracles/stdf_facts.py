"""What a lot's STDF file says, in the few values that oracles compare.

Rules: a file of whole records is walked from header to header, and only the records that count are decoded; of test
records and their summaries only the site counts (STDF V4: bytes 4 and 5 of PTR, MPR and FTR, bytes 0 and 1 of TSR are
HEAD_NUM and SITE_NUM). A file in which that fails, or that is to be read ``thoroughly``, is read record by record and
tolerantly: a cut file has facts too.
"""

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from drycell.runtime.stdf import BIG, LITTLE, Gap, StdfError, read_tolerant
from drycell.runtime.stdf.decode import Decode, decoder
from drycell.runtime.stdf.encode import Order
from drycell.runtime.stdf.records import BY_CODE

RETEST = 0x03
"""PART_FLG bits 0 and 1: this PRR supersedes an earlier one (STDF V4, PRR); who writes the file sets them."""
EVERY = 255
"""HEAD_NUM of a summary over all sites (STDF V4, PCR)."""


class Part(NamedTuple):
    """One PRR, PART_FLG without the bits for a retest. ``tests``: the test records between its PIR and itself."""

    site: str
    part: str
    hard_bin: int
    soft_bin: int
    part_flag: int
    tests: int


@dataclass(slots=True)
class StdfFacts:
    """A file as read. ``gaps``: what is unreadable; ``open_parts``: PIR without PRR; ``finished``: there is an MRR.

    ``summed_up``: the sites with a TSR of their own; ``counted``: PART_CNT of the PCR over all sites; ``hard_bins``,
    ``soft_bins``: the counts of HBR and SBR over all.
    """

    lot: str = ""
    first: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    open_parts: int = 0
    strange: str = ""
    finished: bool = False
    summed_up: set[str] = field(default_factory=set)
    counted: int | None = None
    hard_bins: Counter[int] = field(default_factory=Counter)
    soft_bins: Counter[int] = field(default_factory=Counter)
    _open: dict[int, int] = field(default_factory=dict)

    def test(self, name: str, site: int) -> None:
        """Count one test record."""
        if site in self._open:
            self._open[site] += 1
        else:
            self.strange = self.strange or f"a {name} of site {site} stands outside of PIR and PRR"

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """Count any other record."""
        if len(self.first) < 2:
            self.first = (*self.first, name)
        if name == "PIR":
            if fields["SITE_NUM"] in self._open:
                self.strange = self.strange or f"a second PIR of site {fields['SITE_NUM']} follows without a PRR"
            self._open[fields["SITE_NUM"]] = 0
        elif name == "PRR":
            self._part(fields)
        elif name == "MIR":
            self.lot = str(fields.get("LOT_ID", ""))
        elif name == "MRR":
            self.finished = True
        elif name == "TSR":
            if fields["HEAD_NUM"] != EVERY:
                self.summed_up.add(str(fields["SITE_NUM"]))
        elif fields.get("HEAD_NUM") == EVERY:
            self._summary(name, fields)

    def _part(self, fields: Mapping[str, Any]) -> None:
        site = fields["SITE_NUM"]
        if site not in self._open:
            self.strange = self.strange or f"a PRR of site {site} has no PIR"
        tests = self._open.pop(site, 0)
        part, soft = str(fields.get("PART_ID", "")), int(fields.get("SOFT_BIN", -1))
        self.parts.append(
            Part(str(site), part, int(fields["HARD_BIN"]), soft, int(fields["PART_FLG"]) & ~RETEST, tests)
        )

    def _summary(self, name: str, fields: Mapping[str, Any]) -> None:
        if name == "PCR":
            self.counted = int(fields["PART_CNT"])
        elif name == "HBR":
            self.hard_bins[int(fields["HBIN_NUM"])] += int(fields["HBIN_CNT"])
        elif name == "SBR":
            self.soft_bins[int(fields["SBIN_NUM"])] += int(fields["SBIN_CNT"])


def read_stdf(source: Path | bytes, *, thoroughly: bool = False) -> StdfFacts:
    """The facts of a file; one that cannot be opened is one gap."""
    try:
        facts = None if thoroughly else _walked(source)
        facts = facts or _read(source)
    except OSError as error:
        facts = StdfFacts(gaps=[f"the file cannot be read: {error.strerror or error}"])
    facts.open_parts = len(facts._open)
    return facts


def _read(source: Path | bytes) -> StdfFacts:
    facts = StdfFacts()
    for item in read_tolerant(source):
        if isinstance(item, Gap):
            facts.gaps.append(str(item.error))
        elif item.type.name in _TESTS:
            facts.test(item.type.name, item.fields["SITE_NUM"])
        else:
            facts.take(item.type.name, item.fields)
    return facts


_TESTS = frozenset({"PTR", "MPR", "FTR"})
_COUNTED = frozenset({"MIR", "MRR", "PIR", "PRR", "PCR", "HBR", "SBR"})
_HEADER_SIZE, _SITE_PLACE, _SUMMARY_SITE_PLACE = 4, 5, 1
_ORDERS = {b"\x02\x00\x00\x0a": LITTLE, b"\x00\x02\x00\x0a": BIG}


def _walked(source: Path | bytes) -> StdfFacts | None:
    """The facts by walking over the headers, None when that is not possible."""
    return _walk(source if isinstance(source, bytes) else source.read_bytes())


@cache
def _kinds(order: Order) -> Mapping[int, tuple[str, Decode | None]]:
    """Record code -> name, and the decoder of those that count."""
    return {
        code: (rtype.name, decoder(rtype, order) if rtype.name in _COUNTED else None)
        for code, rtype in BY_CODE.items()
    }


def _walk(data: bytes) -> StdfFacts | None:
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 6 or data[5] != 4:
        return None
    header, kinds = struct.Struct(order + "HBB").unpack_from, _kinds(order)
    facts, place, last = StdfFacts(), 0, len(data) - _HEADER_SIZE
    tests_of = facts._open
    while place <= last:
        length, typ, sub = header(data, place)
        body = place + _HEADER_SIZE
        place = body + length
        kind, decode = kinds.get(typ << 8 | sub, ("", None))
        if not kind or place > len(data):
            return None
        if kind in _TESTS:
            if length <= _SITE_PLACE:
                return None
            site = data[body + _SITE_PLACE]
            if site in tests_of:
                tests_of[site] += 1
            else:
                facts.test(kind, site)
        elif kind == "TSR":
            if length <= _SUMMARY_SITE_PLACE:
                return None
            facts.take(kind, {"HEAD_NUM": data[body], "SITE_NUM": data[body + _SUMMARY_SITE_PLACE]})
        elif decode is not None:
            try:
                facts.take(kind, decode(data, body, place))
            except (StdfError, KeyError):
                return None
        elif len(facts.first) < 2:
            facts.take(kind, {})
    return facts if place == len(data) else None
