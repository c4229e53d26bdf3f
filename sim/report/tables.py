"""A run as CSV files: events, devices, measured values. Text that a spreadsheet takes for a formula is defused."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from drycell.sim.report.collected import Collected

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(collected: Collected, folder: Path) -> list[Path]:
    """Write ``events.csv``, ``devices.csv`` and ``values.csv`` into ``folder``; returns them."""
    return [
        _write(folder / "events.csv", ("seq", "t_s", "lane", "kind", "to", "state", "text"), _events(collected)),
        _write(
            folder / "devices.csv",
            ("device", "part", "wafer", "x", "y", "site", "touchdown", "attempts", "soft_bin", "hard_bin", "failed"),
            _devices(collected),
        ),
        _write(
            folder / "values.csv",
            ("device", "part", "test", "name", "value", "units", "low_limit", "high_limit", "failed"),
            _values(collected),
        ),
    ]


def _write(path: Path, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows([_safe(cell) for cell in row] for row in rows)
    return path


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _events(collected: Collected) -> Iterable[Sequence[object]]:
    for row in collected.timeline.rows():
        yield row.seq, f"{row.t_ns / 1e9:.9f}", row.lane, row.kind, " ".join(row.to), row.state, row.text


def _devices(collected: Collected) -> Iterable[Sequence[object]]:
    for device in collected.parts.devices.values():
        place = device.place or ("", "", "")
        failed = " ".join(map(str, device.failed))
        bins = (device.soft_bin, device.hard_bin, failed)
        yield device.number, device.part, *place, device.site, device.touchdown, device.attempts, *bins


def _values(collected: Collected) -> Iterable[Sequence[object]]:
    for device in collected.parts.devices.values():
        for number, value in device.values.items():
            test = collected.parts.tests[number]
            limits = (test.low, test.high, int(number in device.failed))
            yield device.number, device.part, number, test.name, repr(value), test.units, *limits
