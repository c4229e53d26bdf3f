"""Assembly of a lot's STDF file, written as it happens.

Rules: FAR, MIR and SDR are written at once, then each touchdown in one piece when it is complete and right, so that a
file cut off by a killed process is readable up to its last touchdown; a part with any fault is refused as a whole. At
the end TSR, HBR, SBR, PCR (per site and for all, 255) and MRR. All counts are computed from what was written (see
``tally``). Times are arguments: whole seconds since 1970; nothing here reads a clock.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drycell.runtime.stdf.encode import LITTLE, Encoder, Order
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.json_records import as_sent
from drycell.runtime.stdf.records import record
from drycell.runtime.stdf.rules import LENIENT, Notes, Rules
from drycell.runtime.stdf.table import Record
from drycell.runtime.stdf.tally import (
    EVERY,
    NO_SOFT_BIN,
    PartCount,
    Site,
    Tally,
    bin_summaries,
    part_counts,
    part_summaries,
    test_summaries,
)

_TESTS = frozenset({"PTR", "MPR", "FTR"})
_OF_A_PART = _TESTS | {"PIR", "PRR"}
SAME_PART_ID = 1  # PART_FLG bit 0
_FREE = frozenset({"DTR", "GDR", "BPS", "EPS"})


@dataclass(frozen=True, slots=True)
class LotSummary:
    """What the file says of the lot so far.

    ``parts``, ``good``, ``hard_bins`` and ``soft_bins`` count every PRR, as PCR, HBR and SBR do. ``devices`` and the
    ``final_`` counts take only the last result of each device (same PART_ID, on wafers of the same wafer).
    """

    parts: int
    good: int
    retests: int
    aborts: int
    hard_bins: dict[int, int]
    soft_bins: dict[int, int]
    devices: int
    final_good: int
    final_hard_bins: dict[int, int]
    final_soft_bins: dict[int, int]

    @property
    def yield_fraction(self) -> float:
        """Good devices of all devices, by their last result; 0.0 if there are none."""
        return self.final_good / self.devices if self.devices else 0.0


class LotWriter:
    """Writes one lot through ``write(bytes)``.

    ``mir`` and ``sdr`` give further fields of those records. ``hard_bins`` and ``soft_bins`` name bins. ``rules`` say
    what happens to values that STDF cannot hold (default: spell, cut and keep, all counted in ``notes``).
    ``cost_per_test_ms`` is added to TEST_T for each test of NUM_TEST: simulated time knows no computing time.
    ``mark_retests``: set PART_FLG bit 0 for a part whose PART_ID was seen before (its records replace the earlier
    ones, STDF V4, PRR); the master of Semi-ATE 1.0.17 does not.
    Raises ``StdfError`` for anything that cannot be written; what was written before stays right.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        lot_id: str,
        part_typ: str,
        job_nam: str,
        setup_time_s: int,
        start_time_s: int,
        sites: Sequence[int],
        node_nam: str = "drycell",
        tstr_typ: str = "drycell",
        stat_num: int = 1,
        head_num: int = 0,
        mir: Mapping[str, Any] | None = None,
        sdr: Mapping[str, Any] | None = None,
        hard_bins: Mapping[int, str] | None = None,
        soft_bins: Mapping[int, str] | None = None,
        rules: Rules = LENIENT,
        order: Order = LITTLE,
        cost_per_test_ms: int = 0,
        mark_retests: bool = True,
    ) -> None:
        self._write = write
        self._encoder = Encoder(order, rules)
        self._tally = Tally()
        self._sites = tuple(sites)
        self._head = head_num
        self._hard_names = dict(hard_bins or {})
        self._soft_names = dict(soft_bins or {})
        self._cost_ms = cost_per_test_ms
        self._mark_retests = mark_retests
        self._wafer: str | None = None
        self._finished = False
        head = [
            record("FAR", CPU_TYPE=2 if order == LITTLE else 1, STDF_VER=4),
            record(
                "MIR",
                **{
                    "SETUP_T": setup_time_s, "START_T": start_time_s, "STAT_NUM": stat_num, "LOT_ID": lot_id,
                    "PART_TYP": part_typ, "NODE_NAM": node_nam, "TSTR_TYP": tstr_typ, "JOB_NAM": job_nam,
                    **(mir or {}),
                },
            ),
            record("SDR", **{"HEAD_NUM": head_num, "SITE_GRP": 0, "SITE_NUM": list(sites), **(sdr or {})}),
        ]  # fmt: skip
        self._write(self._encoder.encode_all(head))

    @property
    def notes(self) -> Notes:
        """What the rules changed or kept so far."""
        return self._encoder.notes

    @property
    def finished(self) -> bool:
        """Whether MRR has been written."""
        return self._finished

    @property
    def wafer(self) -> str | None:
        """The wafer that has begun and not ended."""
        return self._wafer

    def summary(self) -> LotSummary:
        """Counts over all sites, as the summary records will say (or say)."""
        every = self._tally.parts.get(EVERY, PartCount())
        hard, soft = (
            {number: count.parts for (site, number), count in sorted(table.items()) if site == EVERY}
            for table in (self._tally.hard, self._tally.soft)
        )
        finals = self._tally.finals()
        return LotSummary(
            parts=every.parts,
            good=every.good,
            retests=every.retests,
            aborts=every.aborts,
            hard_bins=hard,
            soft_bins=soft,
            devices=len(finals),
            final_good=sum(final.good for final in finals),
            final_hard_bins=dict(sorted(Counter(final.hard_bin for final in finals).items())),
            final_soft_bins=dict(sorted(Counter(f.soft_bin for f in finals if f.soft_bin != NO_SOFT_BIN).items())),
        )

    def wafer_start(self, wafer_id: str, start_time_s: int, *, site_grp: int = 255) -> None:
        """Begins a wafer (WIR)."""
        self._open("begin a wafer")
        if self._wafer is not None:
            raise StdfError(
                f"wafer {self._wafer!r} has not ended", right="end it before the next begins", record="WIR"
            )
        rec = record("WIR", HEAD_NUM=self._head, SITE_GRP=site_grp, START_T=start_time_s, WAFER_ID=wafer_id)
        self._write(self._encoder.encode(rec))
        self._tally.add(rec)
        self._wafer = wafer_id

    def wafer_end(self, finish_time_s: int, *, site_grp: int = 255) -> None:
        """Ends the wafer (WRR) with the counts of its parts."""
        self._open("end a wafer")
        if self._wafer is None:
            raise StdfError("no wafer has begun", right="begin one first", record="WRR")
        counts = part_counts(self._tally.wafer)
        rec = record(
            "WRR", HEAD_NUM=self._head, SITE_GRP=site_grp, FINISH_T=finish_time_s, **counts, WAFER_ID=self._wafer
        )
        self._write(self._encoder.encode(rec))
        self._wafer = None

    def touchdown(
        self, records: Iterable[Mapping[str, Any] | Record], *, test_t_ms: Mapping[int, int] | None = None
    ) -> None:
        """Writes the records of one or more whole parts (PIR to PRR, JSON objects or records), all or nothing.

        ``test_t_ms`` replaces TEST_T by site: the simulated time of the part in milliseconds. Raises ``StdfError``
        naming record, field and site; then nothing of this call is in the file or the counts.
        """
        self._open("write parts")
        recs = [r if isinstance(r, Record) else as_sent(r) for r in records]
        self._parts_are_whole(recs)
        seen: set[str] = set()
        recs = [self._result(r, test_t_ms or {}, seen) if r.type.name == "PRR" else r for r in recs]
        self._write(self._encoded(recs))
        for rec in recs:
            self._tally.add(rec)

    def finish(
        self,
        finish_time_s: int,
        *,
        tsr_records: Iterable[Mapping[str, Any] | Record] = (),
        mrr: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the summaries and MRR; nothing can be written after.

        ``tsr_records`` are test summaries from the sequencers, written as they are; for sites that sent none, and for
        all sites together, they are computed.
        """
        self._open("finish")
        if self._wafer is not None:
            raise StdfError(f"wafer {self._wafer!r} has not ended", right="end it before the lot", record="MRR")
        given = [r if isinstance(r, Record) else as_sent(r) for r in tsr_records]
        for rec in given:
            if rec.name != "TSR":
                raise StdfError(
                    "is no test summary", right="TSR records only", record=rec.name, site=rec.get("SITE_NUM")
                )
        covered = {(rec.get("HEAD_NUM"), rec.get("SITE_NUM")) for rec in given}
        sites: list[Site] = sorted({(self._head, s) for s in self._sites} | (set(self._tally.parts) - {EVERY}))
        computed = {*(s for s in sites if s not in covered), EVERY}
        parts = [self._encoded([*given, *test_summaries(self._tally, computed)])]
        parts.append(self._encoder.encode_all(bin_summaries(self._tally, self._hard_names, self._soft_names)))
        parts.append(self._encoder.encode_all(part_summaries(self._tally, sites)))
        parts.append(self._encoder.encode(record("MRR", **{"FINISH_T": finish_time_s, **(mrr or {})})))
        self._write(b"".join(parts))
        self._finished = True

    def go_on(self) -> None:
        """The lot was not finished after all; the caller has taken back what :meth:`finish` has written."""
        self._finished = False

    def _open(self, wish: str) -> None:
        if self._finished:
            raise StdfError(f"cannot {wish}: the lot is finished", right="MRR is the last record of a file")

    def _encoded(self, recs: Sequence[Record]) -> bytes:
        parts: list[bytes] = []
        try:
            for rec in recs:
                parts.append(self._encoder.encode(rec))
        except StdfError as error:
            error.site = recs[len(parts)].get("SITE_NUM")
            raise
        return b"".join(parts)

    def _result(self, prr: Record, test_t_ms: Mapping[int, int], seen: set[str]) -> Record:
        """The PRR with its time and, for a part tested before, the flag that says so."""
        fields = dict(prr.fields)
        time_ms = test_t_ms.get(prr["SITE_NUM"], prr.get("TEST_T"))
        cost_ms = self._cost_ms * prr.get("NUM_TEST", 0) if self._cost_ms else 0
        if time_ms is not None or cost_ms:
            fields["TEST_T"] = (time_ms or 0) + cost_ms
        part_id = prr.get("PART_ID", "")
        if self._mark_retests and (part_id in seen or self._tally.is_retest(part_id)) and "PART_FLG" in fields:
            fields["PART_FLG"] |= SAME_PART_ID
        if part_id:
            seen.add(part_id)
        return Record(prr.type, fields)

    def _parts_are_whole(self, recs: list[Record]) -> None:
        """Each part is PIR, its tests, PRR; sites are those of the lot."""
        open_sites: set[Site] = set()
        for rec in recs:
            name, fields = rec.type.name, rec.fields
            if name in _TESTS and (fields.get("HEAD_NUM"), fields.get("SITE_NUM")) in open_sites:
                continue
            if name in _FREE:
                continue
            if name not in _OF_A_PART:
                raise _sequence(rec, "does not belong to a part", "PIR, PTR, MPR, FTR, PRR")
            site = self._site(rec)
            if name == "PIR":
                if site in open_sites:
                    raise _sequence(rec, "a second PIR before the PRR", "PIR, tests, PRR for each part")
                open_sites.add(site)
            elif site not in open_sites:
                raise _sequence(rec, "there is no PIR before it", "PIR, tests, PRR for each part")
            elif name == "PRR":
                open_sites.remove(site)
        if open_sites:
            head, site_num = min(open_sites)
            raise StdfError(
                f"the part of head {head} has no PRR", right="PRR ends a part", record="PIR", site=site_num
            )

    def _site(self, rec: Record) -> Site:
        head, site = rec.fields.get("HEAD_NUM"), rec.fields.get("SITE_NUM")
        if head is None or site is None:
            missing = "HEAD_NUM" if head is None else "SITE_NUM"
            raise StdfError("is absent, but required", right="an integer", record=rec.name, field=missing, site=site)
        if site not in self._sites:
            sites = ", ".join(str(s) for s in self._sites)
            raise StdfError(
                f"is {site}", right=f"a site of this lot: {sites}", record=rec.name, field="SITE_NUM", site=site
            )
        return head, site


def _sequence(rec: Record, problem: str, right: str) -> StdfError:
    return StdfError(problem, right=right, record=rec.name, site=rec.get("SITE_NUM"))
