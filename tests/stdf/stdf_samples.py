"""One or more records of every type with a layout, with telling values: full, minimal, and with odd arrays."""

from typing import Any

from drycell.runtime.stdf import Bits, Record
from drycell.runtime.stdf.records import V4, V4_2007
from drycell.runtime.stdf.table import Field, RecordType

_TOP = {"U1": 200, "U2": 60000, "U4": 4_000_000_000, "U8": 2**60, "I1": -100, "I2": -30000, "I4": -2_000_000_000}


def samples() -> list[Record]:
    """All samples, always the same."""
    out = []
    for rtype in (*V4, *V4_2007):
        for count, stop in (
            (3, len(rtype.fields)),
            (2, len(rtype.fields)),
            (0, len(rtype.fields)),
            (1, rtype.needed),
        ):
            rec = _sample(rtype, count, stop)
            if rec not in out:
                out.append(rec)
    return out


def _sample(rtype: RecordType, count: int, stop: int) -> Record:
    counts = {f.count for f in rtype.fields if f.count}
    fields: dict[str, Any] = {}
    for i, f in enumerate(rtype.fields[:stop]):
        if f.name in counts:
            fields[f.name] = count
        elif f.type == "Vn":
            fields[f.name] = _generic()[:count]
        elif f.count:
            fields[f.name] = [_value(f.type[1:], i + j) for j in range(count)]
        else:
            fields[f.name] = _flags(f) if f.type == "B1" else _value(f.type, i)
    if rtype.name == "FAR":
        fields = {"CPU_TYPE": 2, "STDF_VER": 4}
    return Record(rtype, fields)


def _flags(f: Field) -> int:
    return {"OPT_FLAG": f.base, "TEST_FLG": 0x80, "PARM_FLG": 0xC0}.get(f.name, 0x11)


def _value(kind: str, i: int) -> Any:
    if kind in _TOP:
        return _TOP[kind] + i
    special: dict[str, Any] = {
        "R4": 0.5 + i, "C1": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 26], "Cn": f"text {i}", "Sn": f"long text {i}",
        "Bn": bytes((0x81, i)), "Dn": Bits.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 1), "N1": (i * 3 + 1) % 16,
    }  # fmt: skip
    return special[kind]


def _generic() -> list[tuple[str, Any]]:
    return [("U2", 513), ("Cn", "text"), ("R4", 0.5)]
