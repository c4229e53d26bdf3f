"""What a lot's STDF file says, in the few values that oracles compare. Reads tolerantly: a cut file has facts too."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from drycell.runtime.stdf import Gap, read_tolerant
from drycell.runtime.stdf.table import Record

EVERY = 255
"""HEAD_NUM of a summary over all sites (STDF V4, PCR)."""


RETEST_MARKS = 0b11
"""Bits of PART_FLG by which the lot writer marks a part that was tested before (STDF V4, record PRR)."""


class Part(NamedTuple):
    """One PRR. ``tests``: how many test records stand between it and its PIR."""

    site: str
    part: str
    hard_bin: int
    soft_bin: int
    part_flag: int
    tests: int


@dataclass(slots=True)
class StdfFacts:
    """A file as read. ``gaps``: what is unreadable; ``open_parts``: PIR without PRR; ``finished``: there is an MRR.

    ``counted``: PART_CNT of the PCR over all sites; ``hard_bins``, ``soft_bins``: the counts of HBR and SBR over all.
    """

    lot: str = ""
    first: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    open_parts: int = 0
    strange: str = ""
    finished: bool = False
    counted: int | None = None
    hard_bins: Counter[int] = field(default_factory=Counter)
    soft_bins: Counter[int] = field(default_factory=Counter)
    _open: dict[int, int] = field(default_factory=dict)

    def take(self, item: Record | Gap) -> None:
        """Count one record, or what could not be read."""
        if isinstance(item, Gap):
            self.gaps.append(str(item.error))
            return
        name, fields = item.type.name, item.fields
        if len(self.first) < 2:
            self.first = (*self.first, name)
        if name in ("PTR", "MPR", "FTR"):
            site = fields["SITE_NUM"]
            if site in self._open:
                self._open[site] += 1
            else:
                self.strange = self.strange or f"a {name} of site {site} stands outside of PIR and PRR"
        elif name == "PIR":
            if fields["SITE_NUM"] in self._open:
                self.strange = self.strange or f"a second PIR of site {fields['SITE_NUM']} follows without a PRR"
            self._open[fields["SITE_NUM"]] = 0
        elif name == "PRR":
            self._part(item)
        elif name == "MIR":
            self.lot = str(fields.get("LOT_ID", ""))
        elif name == "MRR":
            self.finished = True
        elif fields.get("HEAD_NUM") == EVERY:
            self._summary(name, item)

    def _part(self, item: Record) -> None:
        fields = item.fields
        site = fields["SITE_NUM"]
        if site not in self._open:
            self.strange = self.strange or f"a PRR of site {site} has no PIR"
        tests = self._open.pop(site, 0)
        part, soft = str(fields.get("PART_ID", "")), int(fields.get("SOFT_BIN", -1))
        flag = int(fields["PART_FLG"]) & ~RETEST_MARKS
        self.parts.append(Part(str(site), part, int(fields["HARD_BIN"]), soft, flag, tests))

    def _summary(self, name: str, item: Record) -> None:
        fields = item.fields
        if name == "PCR":
            self.counted = int(fields["PART_CNT"])
        elif name == "HBR":
            self.hard_bins[int(fields["HBIN_NUM"])] += int(fields["HBIN_CNT"])
        elif name == "SBR":
            self.soft_bins[int(fields["SBIN_NUM"])] += int(fields["SBIN_CNT"])


def read_stdf(source: Path | bytes) -> StdfFacts:
    """The facts of a file; one that cannot be opened is one gap."""
    facts = StdfFacts()
    try:
        for item in read_tolerant(source):
            facts.take(item)
    except OSError as error:
        facts.gaps.append(f"the file cannot be read: {error.strerror or error}")
    facts.open_parts = len(facts._open)
    return facts
