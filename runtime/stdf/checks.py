"""Judging an STDF file: order, pairing and counts, on top of tolerant reading; pure, streaming, one pass.

Rules (STDF V4, "Required Records" and the notes of each record type), by name:

* ``damage``: every byte belongs to a right record.
* ``order``: FAR first and once; ATR and VUR only directly after it; then one MIR; MRR last and once.
* ``pairing``: PIR, tests, PRR for each part; tests only inside; WIR before WRR; all closed at the end.
* ``sites``: parts only on sites that an SDR declares, if there is one.
* ``counts``: PCR, HBR, SBR, TSR and WRR agree with the PRR and test records in the file; there is a PCR.
* ``values`` (warnings): text is ASCII, numbers are finite, dates do not run backwards.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from drycell.runtime.stdf.damage import Gap
from drycell.runtime.stdf.reading import read_tolerant
from drycell.runtime.stdf.records import UNKNOWN_COUNT
from drycell.runtime.stdf.table import Record
from drycell.runtime.stdf.tally import ALL, EVERY, BinCount, PartCount, Site, Tally
from drycell.runtime.stdf.window import Source

MOST_FINDINGS = 1000
MOST_SUMMARIES = 200_000  # summary records kept to be compared at the end
_TESTS = frozenset({"PTR", "MPR", "FTR", "STR"})
_SUMMARIES = frozenset({"PCR", "HBR", "SBR", "TSR"})
_COUNT_OF = {"PART_CNT": "parts", "GOOD_CNT": "good", "ABRT_CNT": "aborts", "RTST_CNT": "retests"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. ``number`` and ``offset`` are of the record (or gap) at fault, or of the end of the file."""

    rule: str
    severity: Literal["error", "warning"]
    number: int
    offset: int
    record: str
    message: str

    def __str__(self) -> str:
        name = f" ({self.record})" if self.record else ""
        return f"{self.severity}: {self.rule}: record {self.number}{name} at byte {self.offset}: {self.message}"


@dataclass(slots=True)
class Report:
    """The verdict on a file. At most ``MOST_FINDINGS`` findings are kept, ``more`` counts the rest."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    records: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    finished: bool = False

    @property
    def errors(self) -> int:
        """Findings that are errors (of those kept)."""
        return sum(f.severity == "error" for f in self.findings)

    @property
    def usable(self) -> bool:
        """Whether there is any record at all."""
        return bool(self.records)


def check(source: Source) -> Report:
    """Judges a file; raises nothing for its content, only ``OSError`` if it cannot be read."""
    state = _State()
    for item in read_tolerant(source):
        if isinstance(item, Gap):
            state.gap(item)
        else:
            state.see(item)
    state.end()
    return state.report


class _State:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.report = Report()
        self.number = 0
        self.offset = 0
        self.name = ""
        self.last = ""  # name of the record before
        self.mir: Record | None = None
        self.open_parts: dict[Site, Record] = {}
        self.open_wafers: dict[Any, Record] = {}
        self.wafer_count: PartCount | None = None
        self.sites: set[Site] = set()
        self.summaries: list[Record] = []
        self.after_end = False

    def find(self, rule: str, message: str, *, at: Record | None = None, warning: bool = False) -> None:
        number, offset, name = (at.number, at.offset, at.name) if at else (self.number, self.offset, self.name)
        self._add(Finding(rule, "warning" if warning else "error", number, offset, name, message))

    def _add(self, finding: Finding) -> None:
        if len(self.report.findings) >= MOST_FINDINGS:
            self.report.more += 1
        else:
            self.report.findings.append(finding)

    def gap(self, gap: Gap) -> None:
        error = gap.error
        where = f"field {error.field}: " if error.field else ""
        right = f"; {error.right}" if error.right else ""
        length = f" ({gap.length} bytes skipped)" if gap.length else ""
        text = f"{where}{error.problem}{right}{length}"
        self._add(Finding("damage", "error", gap.number, gap.offset, error.record, text))
        self.number, self.offset, self.name = gap.number, gap.offset + gap.length, ""
        self.last = "gap"

    def see(self, rec: Record) -> None:
        self.number, self.offset, self.name = rec.number, rec.offset, rec.name
        self._order(rec)
        handler = _HANDLERS.get(rec.name)
        if handler is not None:
            handler(self, rec)
        self.report.records[rec.name] += 1
        self.report.tally.add(rec)
        if rec.name == "PRR":
            self.wafer_count = self.report.tally.wafer
        for message in odd_values(rec):
            self.find("values", message, warning=True)
        self.last = rec.name

    def _order(self, rec: Record) -> None:
        name, records = rec.name, self.report.records
        if self.after_end and name != "MRR":
            self.find("order", "follows MRR, which must be the last record")
        if name == "FAR" and (records["FAR"] or self.number > 1):
            self.find("order", "FAR must be the first record, and the only one of its type")
        elif name in ("ATR", "VUR") and self.last not in ("FAR", "ATR", "VUR", "gap"):
            self.find("order", f"{name} must directly follow FAR or another ATR")
        elif name == "MIR" and records["MIR"]:
            self.find("order", "a second MIR; there is exactly one")
        elif name == "MRR" and records["MRR"]:
            self.find("order", "a second MRR; there is exactly one")
        elif name not in ("FAR", "ATR", "VUR", "MIR") and self.mir is None and self.last in ("FAR", "ATR", "VUR"):
            self.find("order", f"{name} before MIR, which must follow FAR and the ATRs")

    def on_mir(self, rec: Record) -> None:
        self.mir = rec
        if rec["SETUP_T"] > rec["START_T"]:
            self.find("values", f"SETUP_T {rec['SETUP_T']} is after START_T {rec['START_T']}", warning=True)

    def on_sdr(self, rec: Record) -> None:
        self.sites.update((rec["HEAD_NUM"], site) for site in rec["SITE_NUM"])

    def on_pir(self, rec: Record) -> None:
        site = _site(rec)
        before = self.open_parts.pop(site, None)
        if before is not None:
            self.find("pairing", f"no PRR follows this PIR of {_words(site)}", at=before)
        self.open_parts[site] = rec
        if self.sites and site not in self.sites:
            self.find("sites", f"{_words(site)} is in no SDR")

    def on_prr(self, rec: Record) -> None:
        if self.open_parts.pop(_site(rec), None) is None:
            self.find("pairing", f"no PIR precedes this PRR of {_words(_site(rec))}")

    def on_test(self, rec: Record) -> None:
        if rec.name != "STR" and _site(rec) not in self.open_parts:
            self.find("pairing", f"test {rec['TEST_NUM']} of {_words(_site(rec))} is outside PIR and PRR")

    def on_wir(self, rec: Record) -> None:
        key = (rec["HEAD_NUM"], rec.get("SITE_GRP", ALL))
        before = self.open_wafers.pop(key, None)
        if before is not None:
            self.find("pairing", f"no WRR follows this WIR of wafer {before.get('WAFER_ID', '')!r}", at=before)
        self.open_wafers[key] = rec
        self.wafer_count = PartCount() if not self.open_wafers.keys() - {key} else None

    def on_wrr(self, rec: Record) -> None:
        before = self.open_wafers.pop((rec["HEAD_NUM"], rec.get("SITE_GRP", ALL)), None)
        if before is None:
            self.find("pairing", "no WIR precedes this WRR")
        elif rec.get("WAFER_ID", "") != before.get("WAFER_ID", ""):
            self.find(
                "pairing", f"WAFER_ID is {rec.get('WAFER_ID', '')!r}, but {before.get('WAFER_ID', '')!r} in WIR"
            )
        if before is not None and self.wafer_count is not None:
            for text, minor in _wrong_counts(rec, self.wafer_count):
                self.find("counts", text, warning=minor)

    def on_mrr(self, rec: Record) -> None:
        self.after_end = True
        self.report.finished = True
        if self.mir is not None and rec["FINISH_T"] < self.mir["START_T"]:
            message = f"FINISH_T {rec['FINISH_T']} is before START_T {self.mir['START_T']} of MIR"
            self.find("values", message, warning=True)

    def on_summary(self, rec: Record) -> None:
        if len(self.summaries) < MOST_SUMMARIES:
            self.summaries.append(rec)
        elif len(self.summaries) == MOST_SUMMARIES:
            self.summaries.append(rec)
            self.find("counts", f"only the first {MOST_SUMMARIES} summary records are compared", warning=True)

    def end(self) -> None:
        """Judges what only the whole file shows."""
        for site, rec in self.open_parts.items():
            self.find("pairing", f"no PRR follows this PIR of {_words(site)}", at=rec)
        for rec in self.open_wafers.values():
            self.find("pairing", f"no WRR follows this WIR of wafer {rec.get('WAFER_ID', '')!r}", at=rec)
        if self.mir is None and self.report.usable:
            self.find("order", "there is no MIR; it must follow FAR and the ATRs")
        if not self.report.finished:
            if self.report.usable:
                self.find("order", "the file ends without MRR: the lot is unfinished or the end is lost")
        elif not self.report.records["PCR"]:
            self.find("counts", "there is no PCR; at least one for all sites is required")
        for rec in self.summaries:
            for text, minor in _SUMMARY_RULES[rec.name](rec, self.report.tally):
                self.find("counts", text, at=rec, warning=minor)
        self._bins_without_record()

    def _bins_without_record(self) -> None:
        for name, prefix, table in (("HBR", "HBIN", self.report.tally.hard), ("SBR", "SBIN", self.report.tally.soft)):
            given = {rec[f"{prefix}_NUM"] for rec in self.summaries if rec.name == name}
            missing = sorted({number for _, number in table} - given) if given else []
            if missing:
                shown = ", ".join(map(str, missing[:20]))
                self.find("counts", f"parts are in bins {shown}, but no {name} counts them")


_HANDLERS = {
    "MIR": _State.on_mir,
    "SDR": _State.on_sdr,
    "PIR": _State.on_pir,
    "PRR": _State.on_prr,
    "WIR": _State.on_wir,
    "WRR": _State.on_wrr,
    "MRR": _State.on_mrr,
    **dict.fromkeys(_TESTS, _State.on_test),
    **dict.fromkeys(_SUMMARIES, _State.on_summary),
}


def odd_values(rec: Record) -> Iterator[str]:
    """Values that STDF does not define: text that is not ASCII, numbers that are not finite."""
    for name, value in rec.fields.items():
        kind = type(value)
        if kind is str:
            if not value.isascii():
                yield f"{name} {value!r} is not ASCII"
        elif kind is float:
            if not isfinite(value):
                yield f"{name} is {value}"
        elif kind is list:
            for item in value:
                if isinstance(item, str) and not item.isascii():
                    yield f"{name} holds {item!r}, which is not ASCII"
                elif isinstance(item, float) and not isfinite(item):
                    yield f"{name} holds {item}"


def _site(rec: Record) -> Site:
    return rec["HEAD_NUM"], rec["SITE_NUM"]


def _words(site: Site) -> str:
    return f"head {site[0]} site {site[1]}"


def _counted(rec: Record) -> Site:
    """The site a summary speaks of; head 255 means all (STDF V4, PCR)."""
    return EVERY if rec["HEAD_NUM"] == ALL else _site(rec)


def _wrong_counts(rec: Record, count: PartCount) -> Iterator[tuple[str, bool]]:
    for name, attribute in _COUNT_OF.items():
        said, found = rec.get(name, UNKNOWN_COUNT), getattr(count, attribute)
        if said not in (UNKNOWN_COUNT, found):
            yield f"{name} is {said}, but the PRR records make {found}", name == "RTST_CNT"


def _pcr(rec: Record, tally: Tally) -> Iterator[tuple[str, bool]]:
    return _wrong_counts(rec, tally.parts.get(_counted(rec), PartCount()))


def _bin(rec: Record, prefix: str, table: dict[tuple[Site, int], BinCount]) -> Iterator[tuple[str, bool]]:
    number = rec[f"{prefix}_NUM"]
    count = table.get((_counted(rec), number), BinCount())
    if rec[f"{prefix}_CNT"] != count.parts:
        yield f"{prefix}_CNT of bin {number} is {rec[f'{prefix}_CNT']}, but {count.parts} PRR records name it", False
    verdict = rec.get(f"{prefix}_PF", " ")
    if verdict != " " and count.parts and count.verdict not in (verdict, " "):
        yield f"{prefix}_PF of bin {number} is {verdict!r}, but its parts say {count.verdict!r}", False


def _tsr(rec: Record, tally: Tally) -> Iterator[tuple[str, bool]]:
    site, number, kind = _counted(rec), rec["TEST_NUM"], rec.get("TEST_TYP", " ")
    kinds = [kind, *(k for k in "PMF" if k != kind)]
    count = next((c for k in kinds if (c := tally.tests.get((site, number, k))) is not None), None)
    if count is None:
        return  # a file may carry summaries of tests whose results it does not log
    for name, found in (("EXEC_CNT", count.executed), ("FAIL_CNT", count.failed)):
        said = rec.get(name, UNKNOWN_COUNT)
        if said not in (UNKNOWN_COUNT, found):
            yield f"{name} of test {number} is {said}, but its records make {found}", False


_SUMMARY_RULES = {
    "PCR": _pcr,
    "HBR": lambda rec, tally: _bin(rec, "HBIN", tally.hard),
    "SBR": lambda rec, tally: _bin(rec, "SBIN", tally.soft),
    "TSR": _tsr,
}
