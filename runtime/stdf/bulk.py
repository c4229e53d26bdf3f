"""Many records of the same shape at once: a template of bytes in which only some fields vary, filled by numpy.

Rules: a template is one or more records, for example all records of one part; fields of fixed size may vary, and text
and arrays whose length does not. Values are judged as strictly as single ones: out of range, not finite (unless the
rules keep that; beyond single precision always) or of another length is an error that names row and field. Reading
back checks that every byte that does not vary is that of the template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from drycell.runtime.stdf.encode import LITTLE, Encoder, Order
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.rules import STRICT, Rules
from drycell.runtime.stdf.table import Field, Record
from drycell.runtime.stdf.values import FIXED, FLOATS, RIGHT

_NUMPY = {"B": "u1", "H": "u2", "I": "u4", "Q": "u8", "b": "i1", "h": "i2", "i": "i4", "f": "f4", "d": "f8"}


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one varying field is."""

    record: str
    field: str
    kind: str  # field type without "k"
    at: int
    format: Any  # numpy format


class Template:
    """Rows of bytes that differ only in named columns.

    ``vary`` maps a column name to (index of the record, field name). Raises ``StdfError`` if a record cannot be
    written or a field cannot vary.
    """

    def __init__(
        self,
        records: Sequence[Record],
        vary: Mapping[str, tuple[int, str]],
        *,
        order: Order = LITTLE,
        rules: Rules = STRICT,
    ) -> None:
        encoder = Encoder(order, rules)
        self._rules = rules
        self._row = encoder.encode_all(records)
        self._slots: dict[str, _Slot] = {}
        starts = [0]
        for rec in records:
            starts.append(starts[-1] + len(encoder.encode(rec)))
        for column, (i, name) in vary.items():
            if not 0 <= i < len(records):
                raise StdfError(f"column {column!r} names record {i}", right=f"there are {len(records)} records")
            self._slots[column] = _slot(encoder, records[i], name, starts[i] + 4)
        self.dtype = np.dtype(
            {
                "names": list(self._slots),
                "formats": [slot.format for slot in self._slots.values()],
                "offsets": [slot.at for slot in self._slots.values()],
                "itemsize": len(self._row),
            }
        )

    @classmethod
    def one(cls, record: Record, *fields: str, order: Order = LITTLE, rules: Rules = STRICT) -> "Template":
        """A template of one record whose columns are its varying fields, by their own names."""
        return cls([record], {name: (0, name) for name in fields}, order=order, rules=rules)

    @property
    def row_bytes(self) -> int:
        """Size of one row in bytes."""
        return len(self._row)

    def fill(self, columns: Mapping[str, npt.ArrayLike]) -> bytearray:
        """The bytes of as many rows as the columns have values; a single value is repeated."""
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        if set(arrays) != set(self._slots):
            raise StdfError(f"the columns are {sorted(arrays)}", right=f"{sorted(self._slots)}")
        counts = {len(a) for name, a in arrays.items() if a.ndim > self._slots_ndim(name)}
        if len(counts) > 1:
            raise StdfError(f"the columns have {sorted(counts)} values", right="the same number in all")
        data = bytearray(self._row) * (counts.pop() if counts else 1)
        rows = np.frombuffer(data, dtype=self.dtype)
        for name, values in arrays.items():
            rows[name] = self._judged(self._slots[name], values)
        return data

    def read(self, data: bytes | bytearray) -> npt.NDArray[Any]:
        """The columns of bytes that this template could have written, as a structured array over ``data``.

        Raises ``StdfError`` with the offset of the first byte that is not the template's.
        """
        if len(data) % len(self._row):
            raise StdfError(f"{len(data)} bytes are no whole rows", right=f"a row has {len(self._row)} bytes")
        fixed = np.ones(len(self._row), dtype=bool)
        for slot in self._slots.values():
            fixed[slot.at : slot.at + np.dtype(slot.format).itemsize] = False
        columns = np.flatnonzero(fixed)
        grid = np.frombuffer(data, dtype=np.uint8).reshape(-1, len(self._row))
        row = np.frombuffer(self._row, dtype=np.uint8)
        wrong = (grid[:, columns] != row[columns]).any(axis=1)
        if wrong.any():
            i = int(np.argmax(wrong))
            at = int(columns[np.argmax(grid[i, columns] != row[columns])])
            raise StdfError(
                f"row {i} has the byte {int(grid[i, at])} where the template has {int(row[at])}",
                right="read such records one by one",
                offset=i * len(self._row) + at,
            )
        return np.frombuffer(data, dtype=self.dtype)

    def _slots_ndim(self, name: str) -> int:
        return len(np.dtype(self._slots[name].format).shape)

    def _judged(self, slot: _Slot, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if slot.kind == "Cn":
            return _texts(slot, values)
        if slot.kind in FLOATS:
            return self._floats(slot, values)
        if values.dtype.kind not in "iu":
            raise _bad(slot, f"takes no {values.dtype}", RIGHT[slot.kind])
        info = np.iinfo(np.dtype(slot.format).base)
        if values.size and (int(values.min()) < info.min or int(values.max()) > info.max):
            outside = (values < info.min) | (values > info.max)
            raise _bad(slot, f"row {_first(outside)} is out of range", RIGHT[slot.kind])
        return values

    def _floats(self, slot: _Slot, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind not in "fiu":
            raise _bad(slot, f"takes no {values.dtype}", RIGHT[slot.kind])
        with np.errstate(over="ignore"):
            stored = values.astype(np.dtype(slot.format).base)
        good = np.isfinite(stored)
        if good.all():
            return stored
        if self._rules.nonfinite == "error" or np.isfinite(values[~good]).any():
            i = _first(~good)
            raise _bad(slot, f"row {i} is {np.atleast_1d(values)[i]}", f"it takes {RIGHT[slot.kind]}, finite")
        return stored


def _slot(encoder: Encoder, rec: Record, name: str, start: int) -> _Slot:
    at = start
    for f, raw in encoder.pieces(rec):
        if f.name == name:
            shift, form = _format(rec, f, raw, encoder.order)
            return _Slot(rec.name, name, f.type.removeprefix("k"), at + shift, form)
        at += len(raw)
    raise StdfError("is not in the template's record", right="give it a value there", record=rec.name, field=name)


def _format(rec: Record, f: Field, raw: bytes, order: Order) -> tuple[int, Any]:
    kind = f.type.removeprefix("k")
    if f.type == "Cn" and len(raw) > 1:
        return 1, f"S{len(raw) - 1}"
    if kind in FIXED and raw:
        element = order + _NUMPY[FIXED[kind]]
        if not f.type.startswith("k"):
            return 0, element
        return 0, (element, (len(raw) // np.dtype(element).itemsize,))
    raise StdfError(
        f"of type {f.type} cannot vary", right="fields of fixed size, or text that is not empty", record=rec.name,
        field=f.name,
    )  # fmt: skip


def _texts(slot: _Slot, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    size = np.dtype(slot.format).itemsize
    try:
        stored = np.char.encode(values, "ascii") if values.dtype.kind == "U" else values.astype("S")
    except UnicodeEncodeError:
        raise _bad(slot, "has a character that ASCII cannot hold", "STDF text is ASCII") from None
    wrong = np.char.str_len(stored) != size
    if wrong.any():
        raise _bad(slot, f"row {_first(wrong)} has another length", f"each text has {size} characters")
    return stored


def _first(wrong: npt.NDArray[Any]) -> int:
    flat = np.atleast_1d(wrong)
    return int(np.argmax(flat.reshape(len(flat), -1).any(axis=1)))


def _bad(slot: _Slot, problem: str, right: str) -> StdfError:
    return StdfError(problem, right=right, record=slot.record, field=slot.field)
