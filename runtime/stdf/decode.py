"""Bytes of one record -> fields: decoders compiled from the record tables.

A run of fixed-size fields is one ``struct`` call; strings are handled in the loop, all other types by their reader. A
record may end before any optional field: what it does not hold is absent from the result.
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.records import BY_CODE
from drycell.runtime.stdf.table import RecordType
from drycell.runtime.stdf.values import FIXED, RIGHT, Read, reader

Decode = Callable[[bytes, int, int], dict[str, Any]]
_RUN, _TEXT, _CALL = 0, 1, 2
_Step = tuple[int, Any, int, int]  # kind, what, size or index of the count, index of the first field


def _steps(rtype: RecordType, order: str) -> list[_Step]:
    steps: list[_Step] = []
    run: list[str] = []

    def close(before: int) -> None:
        if run:
            layout = struct.Struct(order + "".join(FIXED[t] for t in run))
            steps.append((_RUN, layout.unpack_from, layout.size, before - len(run)))
            run.clear()

    for i, f in enumerate(rtype.fields):
        if f.type in FIXED:
            run.append(f.type)
            continue
        close(i)
        if f.type == "Cn":
            steps.append((_TEXT, None, 0, i))
        else:
            steps.append((_CALL, reader(f.type, order), rtype.index[f.count] if f.count else -1, i))
    close(len(rtype.fields))
    return steps


@cache
def decoder(rtype: RecordType, order: str) -> Decode:
    """The decoder of this record type in this byte order: ``decode(data, start, end) -> fields``.

    It raises ``StdfError`` naming record type and field, without number and offset.
    """
    steps = _steps(rtype, order)
    names, needed, every = rtype.names, rtype.needed, len(rtype.names)

    def decode(data: bytes, pos: int, end: int) -> dict[str, Any]:
        values: list[Any] = []
        for kind, what, extra, first in steps:
            if kind == _RUN:
                stop = pos + extra
                if stop > end:
                    if pos < end:
                        pos = _part_of_run(rtype, order, data, pos, end, values)
                    break
                values += what(data, pos)
                pos = stop
            elif kind == _TEXT:
                if pos >= end:
                    break
                stop = pos + 1 + data[pos]
                if stop > end:
                    raise _cut(rtype, first, data, pos, end)
                values.append(data[pos + 1 : stop].decode("latin-1"))
                pos = stop
            else:
                count = values[extra] if extra >= 0 else 0
                if pos >= end and (extra < 0 or count):
                    break
                value, pos = _call(rtype, first, what, data, pos, end, count)
                values.append(value)
        if pos != end:
            raise _beyond(rtype, end - pos)
        if len(values) == every:
            return dict(zip(names, values, strict=True))
        if len(values) < needed:
            raise _missing(rtype, len(values))
        return dict(zip(names, values, strict=False))

    return decode


def _call(rtype: RecordType, i: int, read: Read, data: bytes, pos: int, end: int, count: int) -> tuple[Any, int]:
    try:
        return read(data, pos, end, count)
    except StdfError as error:
        error.record, error.field = rtype.name, rtype.names[i]
        raise


def _part_of_run(rtype: RecordType, order: str, data: bytes, pos: int, end: int, values: list[Any]) -> int:
    """The fields of a run that the record still holds whole; an error if it ends inside one."""
    while pos < end:
        i = len(values)
        value, pos = _call(rtype, i, reader(rtype.fields[i].type, order), data, pos, end, 0)
        values.append(value)
    return pos


def _cut(rtype: RecordType, i: int, data: bytes, pos: int, end: int) -> StdfError:
    return StdfError(
        f"its length byte says {data[pos]} characters, but the record has {end - pos - 1} bytes left",
        right="REC_LEN or the length byte is wrong",
        record=rtype.name,
        field=rtype.names[i],
    )


def _beyond(rtype: RecordType, extra: int) -> StdfError:
    last = rtype.names[-1] if rtype.names else "(none)"
    return StdfError(
        f"{extra} bytes follow its last field {last}", right="REC_LEN or a count before is wrong", record=rtype.name
    )


def _missing(rtype: RecordType, have: int) -> StdfError:
    f = rtype.fields[have]
    return StdfError(
        "the record ends before this required field",
        right=f"{f.name} is {RIGHT.get(f.type, f.type)}" if not f.count else "every record of this type has it",
        record=rtype.name,
        field=f.name,
    )


@cache
def decoders(order: str) -> dict[int, tuple[RecordType, Decode]]:
    """Record code (REC_TYP << 8 | REC_SUB) -> type and decoder, for every known type."""
    return {code: (rtype, decoder(rtype, order)) for code, rtype in BY_CODE.items()}
