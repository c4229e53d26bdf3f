"""A run as tables for other tools: events, devices, measured values; as CSV or, with PyArrow, as Parquet files.

In CSV, text that a spreadsheet takes for a formula is defused.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from drycell.sim.errors import DrycellError
from drycell.sim.report.collected import Collected

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE = 50_000
Rows = Iterable[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, each with its Parquet type, and the rows of a run; None where there is no value."""

    name: str
    columns: Mapping[str, str]
    rows: Callable[[Collected], Rows]


def write_csv(collected: Collected, folder: Path) -> list[Path]:
    """Write ``events.csv``, ``devices.csv`` and ``values.csv`` into ``folder``; returns them."""
    return [_write_csv(table, collected, folder / f"{table.name}.csv") for table in TABLES]


def write_parquet(collected: Collected, folder: Path) -> list[Path]:
    """The same tables as Parquet files. Raises DrycellError when PyArrow is not installed."""
    return [_write_parquet(table, collected, folder / f"{table.name}.parquet") for table in TABLES]


def _write_csv(table: Table, collected: Collected, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows([_safe(cell) for cell in row] for row in table.rows(collected))
    return path


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _write_parquet(table: Table, collected: Collected, path: Path) -> Path:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DrycellError("Parquet needs PyArrow; pip install 'drycell[parquet]'") from None
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in table.columns.items()])
    rows = iter(table.rows(collected))
    with path.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            columns = zip(*batch, strict=True)
            arrays = [pyarrow.array(cells, kind) for cells, kind in zip(columns, schema.types, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
    return path


def _events(collected: Collected) -> Rows:
    for row in collected.timeline.rows():
        yield row.seq, row.t_ns, row.lane, row.kind, " ".join(row.to), row.state, row.text


def _devices(collected: Collected) -> Rows:
    for device in collected.parts.devices.values():
        wafer, x, y = device.place or (None, None, None)
        place = (None if wafer is None else str(wafer), x, y)
        failed = " ".join(map(str, device.failed))
        bins = (device.soft_bin, device.hard_bin, failed)
        yield device.number, device.part, *place, device.site, device.touchdown, device.attempts, *bins


def _values(collected: Collected) -> Rows:
    for device in collected.parts.devices.values():
        for number, value in device.values.items():
            test = collected.parts.tests[number]
            limits = (test.low, test.high, int(number in device.failed))
            yield device.number, device.part, number, test.name, value, test.units, *limits


TABLES = (
    Table(
        "events",
        {
            "seq": "int64", "t_ns": "int64", "lane": "string", "kind": "string", "to": "string", "state": "string",
            "text": "string",
        },
        _events,
    ),
    Table(
        "devices",
        {
            "device": "int64", "part": "string", "wafer": "string", "x": "int64", "y": "int64", "site": "string",
            "touchdown": "int64", "attempts": "int64", "soft_bin": "int64", "hard_bin": "int64", "failed": "string",
        },
        _devices,
    ),
    Table(
        "values",
        {
            "device": "int64", "part": "string", "test": "int64", "name": "string", "value": "float64",
            "units": "string", "low_limit": "float64", "high_limit": "float64", "failed": "int64",
        },
        _values,
    ),
)  # fmt: skip
