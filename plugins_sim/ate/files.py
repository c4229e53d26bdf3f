"""Importers and exporters for files. Without a screen their dialog is the option ``path``; empty means cancelled.

The format of a wafer map is provisional, as no document gives one: a dictionary with ``lot``, ``wafer`` and ``bins``,
an array of whole numbers of shape (rows, columns), 0 where there is no die.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from drycell.runtime.plugins.interfaces import ExporterBase, ImporterBase

FILE_LIMIT = 64_000_000
WaferMap = dict[str, Any]


def _path(option: str) -> Path:
    if not option:
        raise RuntimeError("cancelled: no file was chosen (option path)")
    return Path(option)


def _rows(option: str) -> list[list[str]]:
    path = _path(option)
    if path.stat().st_size > FILE_LIMIT:
        raise RuntimeError(f"{path} is larger than {FILE_LIMIT} bytes")
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row]


class WaferMapImporter(ImporterBase):
    """Reads what :class:`WaferMapExporter` writes."""

    OPTIONS: ClassVar[Mapping[str, str]] = {"path": ""}

    def read(self) -> WaferMap:
        """The wafer map. Raises with the line that is wrong."""
        rows = _rows(self.option("path"))
        if len(rows) < 2 or len(rows[0]) != 2:
            raise RuntimeError(f"{self.option('path')} holds no wafer map: first lot and wafer, then a line per row")
        width = len(rows[1])
        for number, row in enumerate(rows[1:], 2):
            if len(row) != width or not all(cell.isascii() and cell.isdigit() and int(cell) < 65536 for cell in row):
                raise RuntimeError(f"line {number} of {self.option('path')} is not {width} bins of 0 to 65535")
        return {"lot": rows[0][0], "wafer": rows[0][1], "bins": np.array(rows[1:], np.uint16)}


class WaferMapExporter(ExporterBase):
    """One line with lot and wafer, then the bins, a line per row."""

    OPTIONS: ClassVar[Mapping[str, str]] = {"path": ""}

    def write(self, data: Any) -> None:
        """Write a wafer map."""
        bins = np.asarray(data["bins"])
        if bins.ndim != 2 or not np.issubdtype(bins.dtype, np.integer):
            raise RuntimeError("bins must be an array of whole numbers with rows and columns")
        with _path(self.option("path")).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([data["lot"], data["wafer"]])
            writer.writerows(bins.tolist())


class PinImporter(ImporterBase):
    """Pins of a device: a CSV file with a line ``number,name`` per pin gives a list of dictionaries."""

    OPTIONS: ClassVar[Mapping[str, str]] = {"path": ""}

    def read(self) -> list[dict[str, str]]:
        """The pins, in the order of the file. Raises with the line that is wrong."""
        pins = []
        for number, row in enumerate(_rows(self.option("path")), 1):
            if len(row) != 2 or not row[1].strip():
                raise RuntimeError(f"line {number} of {self.option('path')} is not a pin number and a name")
            pins.append({"number": row[0].strip(), "name": row[1].strip()})
        return pins
