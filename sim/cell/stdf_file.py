"""The lot's STDF file, as the master writes it: each result at once, readable even when the simulator is killed."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from drycell.runtime.stdf import LotWriter, StdfError
from drycell.sim.cell.jobs import Job
from drycell.sim.kernel import NS_PER_S, Event, Kernel

Json = dict[str, Any]


class LotFile:
    """The file of one lot. ``writable``: how many of so many bytes can be written just now."""

    def __init__(self, path: Path, writable: Callable[[int], int]) -> None:
        self.path = path
        self._writable = writable
        self._written = 0
        self._unfinished = 0  # bytes before the summaries
        writable(0)
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> None:
        """All of ``data`` or nothing: what a full disk took of it is taken back. Raises OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left[: self._writable(len(left))]) :]
        except OSError:
            self._cut(self._written)
            raise
        self._written += len(data)

    def mark(self) -> None:
        """Summaries follow, until the lot goes on."""
        self._unfinished = self._written

    def go_on(self) -> None:
        """Results follow again, in place of the summaries."""
        self._cut(self._unfinished)
        self._written = self._unfinished

    def close(self) -> None:
        """Close it; idempotent."""
        self._file.close()

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(size)


class StdfFile:
    """Writes ``<run_dir>/<lot>.stdf``. A lot that is loaded again goes on in its file, whatever came in between."""

    def __init__(
        self, kernel: Kernel, run_dir: Path, epoch: datetime, sites: Sequence[int], cost_per_test_ms: int
    ) -> None:
        self._kernel = kernel
        self._run_dir = run_dir
        self._epoch_s = int(epoch.timestamp())
        self._sites = sites
        self._cost_per_test_ms = cost_per_test_ms
        self._lots: dict[str, tuple[LotFile, LotWriter]] = {}
        self._file: LotFile | None = None
        self._writer: LotWriter | None = None
        self._summaries: dict[str, list[Json]] = {}
        self.limits: list[Callable[[int], int]] = []
        """Faults' seam: how many of so many bytes can be written just now; they raise OSError as the system would."""
        kernel.journal.watch(self._watch, "contact")

    @property
    def path(self) -> Path | None:
        """The file of the lot that was loaded last, None when it has none."""
        return None if self._file is None else self._file.path

    def path_of(self, lot: str) -> Path:
        """Where the file of ``lot`` is."""
        return self._run_dir / f"{re.sub(r'[^A-Za-z0-9._-]', '_', lot)}.stdf"

    def open(self, job: Job) -> None:
        """A lot is loaded. Raises ValueError in one sentence when its file cannot be made; none is left then."""
        self._summaries = {}
        known = self._lots.get(job.lot)
        if known is None:
            self._file = self._writer = None
            known = self._lots[job.lot] = self._begin(job)
        elif known[1].finished:
            known[0].go_on()
            known[1].go_on()
        self._file, self._writer = known

    def _begin(self, job: Job) -> tuple[LotFile, LotWriter]:
        path, file = self.path_of(job.lot), None
        try:
            file = LotFile(path, self._writable)
            return file, self._writer_of(job, file)
        except OSError as error:
            if file is not None:
                file.close()
                path.unlink()
            raise ValueError(f"the STDF file of lot {job.lot} cannot be made: {error.strerror}") from None

    def _writer_of(self, job: Job, file: LotFile) -> LotWriter:
        return LotWriter(
            file.write,
            lot_id=job.lot,
            part_typ=job.part_type,
            job_nam=job.program_name,
            setup_time_s=self._now_s,
            start_time_s=self._now_s,
            sites=self._sites,
            cost_per_test_ms=self._cost_per_test_ms,
            soft_bins=job.bin_names,
        )

    def _writable(self, size: int) -> int:
        for limit in self.limits:
            size = limit(size)
        return size

    def result(self, site: str, records: list[Json]) -> None:
        """One device's records. Raises ValueError in one sentence when they are no STDF."""
        if self._writer is None:
            return
        try:
            self._writer.touchdown(records)
        except StdfError as error:
            raise ValueError(f"the result of site {site} cannot be written as STDF: {error}") from None
        except OSError as error:
            raise ValueError(
                f"the result of site {site} cannot be written to the STDF file: {error.strerror}"
            ) from None

    def summary(self, site: str, records: list[Json]) -> None:
        """The test summaries of one site."""
        self._summaries[site] = records

    def finish(self) -> None:
        """The lot is unloaded: summaries and MRR."""
        if self._file is None or self._writer is None or self._writer.finished:
            return
        given = [record for site in sorted(self._summaries, key=int) for record in self._summaries[site]]
        try:
            self._end_wafer()
            self._file.mark()
            self._finish(self._writer, given)
        except OSError as error:
            text = f"the end of the STDF file cannot be written: {error.strerror}"
            self._kernel.journal.record("problem", "master", text=text)

    def _finish(self, writer: LotWriter, given: list[Json]) -> None:
        try:
            writer.finish(self._now_s, tsr_records=given)
        except StdfError as error:
            self._kernel.journal.record("problem", "master", text=f"the test summaries are no STDF: {error}")
            writer.finish(self._now_s)

    def close(self) -> None:
        """Close all files; idempotent."""
        for file, _ in self._lots.values():
            file.close()

    @property
    def _now_s(self) -> int:
        return self._epoch_s + self._kernel.now_ns // NS_PER_S

    def _watch(self, event: Event) -> None:
        """A prober's wafers begin and end with the first contact on them."""
        if self._writer is None or self._writer.finished:
            return
        wafer = event.fields["sites"][0].get("wafer")
        if wafer is not None and str(wafer) != self._writer.wafer:
            try:
                self._end_wafer()
                self._writer.wafer_start(str(wafer), self._now_s)
            except OSError as error:
                text = f"wafer {wafer} cannot be begun in the STDF file: {error.strerror}"
                self._kernel.journal.record("problem", "master", text=text)

    def _end_wafer(self) -> None:
        if self._writer is not None and self._writer.wafer is not None:
            self._writer.wafer_end(self._now_s)
