"""The short way from a record's fields to bytes: packers for each set of present fields, compiled from the tables.

Rules: a packer gives the bytes that ``encode`` gives field by field, or raises one of ``BAD_VALUE``, and ``encode``
says what is wrong or what a rule makes of it. Where the set cannot tell what fills an absent field there are none.
"""

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any

from drycell.runtime.stdf.table import REQUIRED, Absence, Field, RecordType
from drycell.runtime.stdf.values import FIXED, FLOATS, LENGTH_BYTE, writer

Pack = Callable[[dict[str, Any]], bytes]


@lru_cache(maxsize=512)
def packers(rtype: RecordType, names: tuple[str, ...], order: str, charset: str) -> tuple[Pack, ...] | None:
    """What packs a body of the fields ``names``, piece by piece; None when only values can tell how."""
    present = set(names)
    if not present <= rtype.index.keys():
        return None
    packs: list[Pack] = []
    run: list[Field] = []
    for f in rtype.fields[: length(rtype, present)]:
        if f.name in present and f.type in FIXED:
            run.append(f)
            continue
        if run:
            packs.append(_run(run, order))
            run = []
        pack = _present(f, order, charset) if f.name in present else _absent(rtype, f, present, order, charset)
        if pack is None:
            return None
        packs.append(pack)
    if run:
        packs.append(_run(run, order))
    return tuple(packs)


def length(rtype: RecordType, present: Iterable[str]) -> int:
    """How many fields a record with the fields ``present`` has: up to the last present or needed one."""
    return max([rtype.needed, *(rtype.index[name] + 1 for name in present)])


def flag_byte(rtype: RecordType, flag: Field, present: Iterable[str]) -> int:
    """The flag byte that says which fields are absent."""
    about: dict[int, list[bool]] = {}
    for f in rtype.fields:
        if f.flag == flag.name:
            about.setdefault(f.bits[0], []).append(f.name in present)
    return flag.base | sum(1 << bit for bit, there in about.items() if not any(there))


def _absent(rtype: RecordType, f: Field, present: set[str], order: str, charset: str) -> Pack | None:
    """The value that stands for "missing", as long as the fields that are there agree that it is."""
    if any(a.count == f.name and a.name in present for a in rtype.fields):
        return None
    if f.count:
        return _no_array(f.count) if f.count in present else _constant(b"")
    if f.missing is REQUIRED:
        return None
    missing = f.missing
    if missing is Absence.COUNT:
        missing = 0
    elif missing is Absence.FLAGS:
        missing = flag_byte(rtype, f, present)
    raw = writer(f.type, order, charset)(missing, 0)
    if not f.flag:
        return _constant(raw)
    mask = sum(1 << bit for bit in f.bits)
    if f.flag in present:
        return _flagged(raw, f.flag, mask)
    flag = rtype.fields[rtype.index[f.flag]]
    return _constant(raw) if flag.missing is Absence.FLAGS and flag_byte(rtype, flag, present) & mask else None


def _constant(raw: bytes) -> Pack:
    return lambda fields: raw


def _flagged(raw: bytes, flag: str, mask: int) -> Pack:
    def pack(fields: dict[str, Any]) -> bytes:
        if not fields[flag] & mask:
            raise ValueError
        return raw

    return pack


def _no_array(count: str) -> Pack:
    def pack(fields: dict[str, Any]) -> bytes:
        if fields[count] != 0:
            raise ValueError
        return b""

    return pack


def _run(run: list[Field], order: str) -> Pack:
    pack = struct.Struct(order + "".join(FIXED[f.type] for f in run)).pack
    floats = [i for i, f in enumerate(run) if f.type in FLOATS]
    names = [f.name for f in run]
    if len(run) == 1:
        name = names[0]
        if not floats:
            return lambda fields: pack(fields[name])

        def one(fields: dict[str, Any]) -> bytes:
            if not isfinite(fields[name]):
                raise ValueError
            return pack(fields[name])

        return one
    get = itemgetter(*names)
    if not floats:
        return lambda fields: pack(*get(fields))

    def many(fields: dict[str, Any]) -> bytes:
        values = get(fields)
        for i in floats:
            if not isfinite(values[i]):
                raise ValueError
        return pack(*values)

    return many


def _present(f: Field, order: str, charset: str) -> Pack:
    return _text(f, charset) if f.type == "Cn" else _other(f, order, charset)


def _text(f: Field, charset: str) -> Pack:
    name = f.name

    def pack(fields: dict[str, Any]) -> bytes:
        raw: bytes = fields[name].encode(charset)
        return LENGTH_BYTE[len(raw)] + raw  # IndexError beyond 255: the careful way then says so

    return pack


def _other(f: Field, order: str, charset: str) -> Pack:
    write, name, count = writer(f.type, order, charset), f.name, f.count
    if f.type == "kR4":

        def pack_floats(fields: dict[str, Any]) -> bytes:
            values = fields[name]
            if len(values) != fields[count] or not all(map(isfinite, values)):
                raise ValueError
            return write(values, 0)

        return pack_floats
    if f.type == "Vn":

        def refuse(_fields: dict[str, Any]) -> bytes:
            raise ValueError  # its values may need rules: always the careful way

        return refuse
    if not count:
        return lambda fields: write(fields[name], 0)

    def pack_array(fields: dict[str, Any]) -> bytes:
        if len(fields[name]) != fields[count]:
            raise ValueError
        return write(fields[name], 0)

    return pack_array
