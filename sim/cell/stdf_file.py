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


class StdfFile:
    """Writes ``<run_dir>/<lot>.stdf``. A lot that is loaded again after an error goes on in the same file."""

    def __init__(
        self, kernel: Kernel, run_dir: Path, epoch: datetime, sites: Sequence[int], cost_per_test_ms: int
    ) -> None:
        self._kernel = kernel
        self._run_dir = run_dir
        self._epoch_s = int(epoch.timestamp())
        self._sites = sites
        self._cost_per_test_ms = cost_per_test_ms
        self._lot = ""
        self._file: Any = None
        self._writer: LotWriter | None = None
        self._summaries: dict[str, list[Json]] = {}
        self._wafer: int | None = None
        self._written = 0
        self.limits: list[Callable[[int], int]] = []
        """Faults' seam: how many of so many bytes can be written just now; they raise OSError as the system would."""
        self.path: Path | None = None
        kernel.journal.watch(self._watch, "contact")

    def path_of(self, lot: str) -> Path:
        """Where the file of ``lot`` is."""
        return self._run_dir / f"{re.sub(r'[^A-Za-z0-9._-]', '_', lot)}.stdf"

    def open(self, job: Job) -> None:
        """A lot is loaded. Raises ValueError in one sentence when its file cannot be made; none is left then."""
        self._summaries = {}
        if self._writer is not None and not self._writer.finished and self._lot == job.lot:
            return
        self.close()
        self._lot = job.lot
        self._writer = self.path = None
        self._written = 0
        path = self.path_of(job.lot)
        try:
            self._writable(0)
            self._file = path.open("wb", buffering=0)
            self._writer = self._writer_of(job)
            self.path = path
        except OSError as error:
            if self._file is not None:
                self.close()
                path.unlink()
            raise ValueError(f"the STDF file of lot {job.lot} cannot be made: {error.strerror}") from None

    def _writer_of(self, job: Job) -> LotWriter:
        return LotWriter(
            self._write,
            lot_id=job.lot,
            part_typ=job.part_type,
            job_nam=job.program_name,
            setup_time_s=self._now_s,
            start_time_s=self._now_s,
            sites=self._sites,
            cost_per_test_ms=self._cost_per_test_ms,
            soft_bins=job.bin_names,
        )

    def _write(self, data: bytes) -> None:
        """All of ``data`` or nothing: what a full disk took of it is taken back. Raises OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left[: self._writable(len(left))]) :]
        except OSError:
            self._file.truncate(self._written)
            self._file.seek(self._written)
            raise
        self._written += len(data)

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
        if self._writer is None or self._writer.finished:
            return
        self._end_wafer()
        given = [record for site in sorted(self._summaries, key=int) for record in self._summaries[site]]
        try:
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
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _now_s(self) -> int:
        return self._epoch_s + self._kernel.now_ns // NS_PER_S

    def _watch(self, event: Event) -> None:
        """A prober's wafers begin and end with the first contact on them."""
        if self._writer is None or self._writer.finished:
            return
        wafer = event.fields["sites"][0].get("wafer")
        if wafer is not None and wafer != self._wafer:
            try:
                self._end_wafer()
                self._wafer = wafer
                self._writer.wafer_start(str(wafer), self._now_s)
            except OSError as error:
                text = f"wafer {wafer} cannot be begun in the STDF file: {error.strerror}"
                self._kernel.journal.record("problem", "master", text=text)

    def _end_wafer(self) -> None:
        if self._wafer is not None and self._writer is not None:
            self._writer.wafer_end(self._now_s)
            self._wafer = None
