"""Fields of one record -> bytes: strict, by the record tables.

Absent fields (no key, or None) at the end are not written. An absent field before a present one is written as its
"missing" value; that is an error where the format has none, or where a flag byte given by the caller contradicts it.
Counts, and flag bytes named OPT_FLAG, are computed when absent and checked or kept when given.
"""

import struct
from collections.abc import Iterable
from math import copysign, inf, isfinite
from typing import Any, Literal

from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.packing import flag_byte, length, packers, packers_of_kin
from drycell.runtime.stdf.rules import LARGEST_R4, LONGEST_CN, STRICT, Notes, Rules, spell
from drycell.runtime.stdf.table import REQUIRED, Absence, Field, Kin, Record, RecordType
from drycell.runtime.stdf.values import BAD_VALUE, FLOATS, RIGHT, writer

Order = Literal["<", ">"]
LITTLE: Order = "<"
BIG: Order = ">"


class Encoder:
    """Writes records in one byte order under one set of rules; ``notes`` counts what the rules changed or kept.

    ``encode(record)`` gives header and body. Raises ``StdfError`` naming record type, field and what would be right.
    """

    def __init__(self, order: Order = LITTLE, rules: Rules = STRICT) -> None:
        if order not in (LITTLE, BIG):
            raise StdfError(f"{order!r} is no byte order", right='"<" (little endian) or ">" (big endian)')
        self.order = order
        self.rules = rules
        self.notes = Notes()
        self._charset = "latin-1" if rules.text == "latin-1" else "ascii"
        self._header = struct.Struct(order + "HBB").pack

    def encode(self, record: Record) -> bytes:
        """The record as it stands in a file."""
        rtype, fields = record.type, record.fields
        body = self._quick(rtype, fields, record.kin)
        if body is None:
            body = self._careful(rtype, fields)
        size = len(body)
        if size > 65535:
            raise StdfError(f"its body has {size} bytes", right="at most 65535: split the record", record=rtype.name)
        return self._header(size, rtype.typ, rtype.sub) + body

    def encode_all(self, records: Iterable[Record]) -> bytes:
        """Many records in one piece."""
        return b"".join([self.encode(r) for r in records])

    def _quick(self, rtype: RecordType, fields: dict[str, Any], kin: Kin | None = None) -> bytes | None:
        """The body when nothing in it needs a rule or a second look; else None."""
        if kin is None:
            plan = packers(rtype, tuple(fields), self.order, self._charset)
        else:
            plan = packers_of_kin(rtype, kin, self.order, self._charset)
        if plan is None:
            return None
        try:
            return b"".join([pack(fields) for pack in plan])
        except BAD_VALUE:
            return None

    def _careful(self, rtype: RecordType, given: dict[str, Any]) -> bytes:
        """The body with what is absent filled; field by field if a rule applies or something is wrong."""
        body = self._quick(rtype, complete(rtype, given))
        if body is not None:
            return body
        return b"".join([raw for _, raw in self.pieces(Record(rtype, given))])

    def pieces(self, record: Record) -> list[tuple[Field, bytes]]:
        """The body in pieces: each field that is written, with its bytes."""
        rtype = record.type
        fields = complete(rtype, record.fields)
        parts = []
        for name, value in fields.items():
            f = rtype.fields[rtype.index[name]]
            parts.append((f, self._one(rtype, f, self._by_rules(rtype, f, value), fields)))
        return parts

    def _one(self, rtype: RecordType, f: Field, value: Any, fields: dict[str, Any]) -> bytes:
        if f.count and len(value) != fields[f.count]:
            raise StdfError(
                f"has {len(value)} values, but {f.count} says {fields[f.count]}",
                right="leave the count out to have it computed",
                record=rtype.name,
                field=f.name,
            )
        try:
            return writer(f.type, self.order, self._charset)(value, 0)
        except BAD_VALUE:
            raise StdfError(
                f"cannot hold {_shown(value)}", right=f"it takes {_right(f.type)}", record=rtype.name, field=f.name
            ) from None

    def _by_rules(self, rtype: RecordType, f: Field, value: Any) -> Any:
        kind = f.type.removeprefix("k")
        if f.type.startswith("k") and kind in ("Cn", "Sn", *FLOATS):
            if not isinstance(value, list | tuple):
                return value
            return [self._value_by_rules(rtype, f, kind, v) for v in value]
        if f.type == "Vn" and isinstance(value, list | tuple):
            return [(code, self._value_by_rules(rtype, f, code, v)) for code, v in value]
        return self._value_by_rules(rtype, f, kind, value)

    def _value_by_rules(self, rtype: RecordType, f: Field, kind: str, value: Any) -> Any:
        if kind in ("Cn", "Sn", "C1") and isinstance(value, str):
            return self._text_by_rules(rtype, f, value, 65535 if kind == "Sn" else LONGEST_CN)
        if kind in FLOATS and isinstance(value, float) and not isfinite(value):
            if self.rules.nonfinite == "error":
                raise StdfError(
                    f"is {value}, which STDF does not define",
                    right='give a finite number, mark it invalid by its flag, or write with nonfinite="keep"',
                    record=rtype.name,
                    field=f.name,
                )
            self.notes.add(rtype.name, f.name, f"{value} kept")
        elif kind == "R4" and self.rules.nonfinite == "keep" and isinstance(value, float) and abs(value) > LARGEST_R4:
            self.notes.add(rtype.name, f.name, "beyond single precision, became infinite")
            return copysign(inf, value)
        return value

    def _text_by_rules(self, rtype: RecordType, f: Field, value: str, longest: int) -> str:
        if not _fits(value, self._charset):
            if self.rules.text != "spell":
                bad = next(c for c in value if not _fits(c, self._charset))
                raise StdfError(
                    f"{_shown(value)} has the character {bad!r}, which {self._charset.upper()} cannot hold",
                    right='STDF text is ASCII; write with text="spell" for a spelling such as "degC"',
                    record=rtype.name,
                    field=f.name,
                )
            spelled = spell(value)
            self.notes.add(rtype.name, f.name, f"{_shown(value)} spelled {spelled!r}")
            value = spelled
        if len(value) > longest:
            if self.rules.long == "error":
                raise StdfError(
                    f"has {len(value)} characters",
                    right=f'at most {longest}; write with long="cut" to cut it',
                    record=rtype.name,
                    field=f.name,
                )
            self.notes.add(rtype.name, f.name, f"cut to {longest} characters")
            value = value[:longest]
        return value


def complete(rtype: RecordType, given: dict[str, Any]) -> dict[str, Any]:
    """All fields from the first to the last present one, in table order, with what is absent between them filled."""
    present = {name: value for name, value in given.items() if value is not None}
    for name in present:
        if name not in rtype.index:
            raise StdfError(
                f"there is no field {name!r}", right=f"one of {', '.join(rtype.names)}", record=rtype.name
            )
    fields: dict[str, Any] = {}
    for f in rtype.fields[: length(rtype, present)]:
        fields[f.name] = present[f.name] if f.name in present else _fill(rtype, f, present, fields)
    return fields


def _fill(rtype: RecordType, f: Field, present: dict[str, Any], before: dict[str, Any]) -> Any:
    counted = [present[a.name] for a in rtype.fields if a.count == f.name and a.name in present]
    if counted or f.missing is Absence.COUNT:
        return len(counted[0]) if counted and hasattr(counted[0], "__len__") else 0
    if f.missing is Absence.FLAGS:
        return flag_byte(rtype, f, present)
    if f.missing is REQUIRED and not (f.count and before[f.count] == 0):
        raise StdfError(
            "is absent, but required", right=f"it takes {_right(f.type)}", record=rtype.name, field=f.name
        )
    if f.count:
        return _fill_array(rtype, f, before[f.count])
    if f.flag:
        flags = before[f.flag]
        if isinstance(flags, int) and not any(flags >> bit & 1 for bit in f.bits):
            bits = " or ".join(str(b) for b in f.bits)
            raise StdfError(
                f"is absent, but {f.flag} ({flags}) does not say so",
                right=f"give a value, or set bit {bits} of {f.flag}",
                record=rtype.name,
                field=f.name,
            )
    return f.missing


def _fill_array(rtype: RecordType, f: Field, count: int) -> list[Any]:
    if count and f.missing is None:
        raise StdfError(
            f"is absent, but {f.count} is {count}",
            right=f"give {count} values, or leave out the fields after it",
            record=rtype.name,
            field=f.name,
        )
    return [f.missing] * count


def _fits(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _right(code: str) -> str:
    kind = code.removeprefix("k")
    return f"a list, each {RIGHT[kind]}" if code.startswith("k") and kind != "N1" else RIGHT[kind]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
