"""The short way from a record's fields to bytes: packers for each set of present fields, compiled from the tables.

Rules: a packer gives the bytes that ``encode`` gives field by field, or raises one of ``BAD_VALUE``, and ``encode``
says what is wrong or what a rule makes of it. Where the set cannot tell what fills an absent field there are none.
"""

import struct
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple

from drycell.runtime.stdf.table import REQUIRED, Absence, Field, Kin, RecordType
from drycell.runtime.stdf.values import BAD_VALUE, FIXED, FLOATS, LENGTH_BYTE, writer

Pack = Callable[[dict[str, Any]], bytes]
_KEPT_TEXTS = 128
"""Most texts of a lot are the same from device to device; so many are kept packed, for each place they stand in."""


@lru_cache(maxsize=512)
def packers(rtype: RecordType, names: tuple[str, ...], order: str, charset: str) -> tuple[Pack, ...] | None:
    """What packs a body of the fields ``names``, piece by piece; None when only values can tell how."""
    pieces = _pieces(rtype, names, order, charset)
    return None if pieces is None else tuple([piece.pack for piece in pieces])


@lru_cache(maxsize=512)
def packers_of_kin(rtype: RecordType, kin: Kin, order: str, charset: str) -> tuple[Pack, ...] | None:
    """The same for records of one kin: what their fixed fields become is packed beforehand."""
    pieces = _pieces(rtype, kin.names, order, charset)
    if pieces is None:
        return None
    packs: list[Pack] = []
    for is_fixed, group in groupby(pieces, key=lambda piece: kin.fixed.keys() >= set(piece.of)):
        own = [piece.pack for piece in group]
        try:
            packs += [_constant(b"".join([pack(kin.fixed) for pack in own]))] if is_fixed else own
        except BAD_VALUE:
            return None
    return tuple(packs)


class _Piece(NamedTuple):
    """What packs a part of a body, and the names of the fields that it looks at."""

    pack: Pack
    of: Collection[str]


def _pieces(rtype: RecordType, names: tuple[str, ...], order: str, charset: str) -> list[_Piece] | None:
    present = set(names)
    if not present <= rtype.index.keys():
        return None
    floats = [f.name for f in rtype.fields if f.name in present and f.type in FLOATS]
    pieces = [_Piece(_finite(floats), floats)] if floats else []
    for way, fields in groupby(rtype.fields[: length(rtype, present)], key=lambda f: _way(f, present)):
        run = list(fields)
        if way is _absent:
            fillings = [_absent(rtype, f, present, order, charset) for f in run]
            if None in fillings:
                return None
            pieces += _fillings([filling for filling in fillings if filling is not None])
        elif way is _other:
            pieces += [_Piece(_other(f, order, charset), {f.name, f.count} - {""}) for f in run]
        else:
            pack = _fixed(run, order) if way is _fixed else _texts(run, charset)
            pieces.append(_Piece(pack, [f.name for f in run]))
    return pieces


def _way(f: Field, present: set[str]) -> object:
    """Which of the functions below packs the field."""
    if f.name not in present:
        return _absent
    return _fixed if f.type in FIXED else _texts if f.type == "Cn" else _other


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


class _Filling(NamedTuple):
    """The bytes of an absent field. They are right while ``flag`` is "", or while it has one of the bits of each of
    ``masks`` set; without masks, while ``flag`` is a count of 0."""

    raw: bytes
    flag: str = ""
    masks: tuple[int, ...] = ()


def _absent(rtype: RecordType, f: Field, present: set[str], order: str, charset: str) -> _Filling | None:
    """The value that stands for "missing", as long as the fields that are there agree that it is."""
    if any(a.count == f.name and a.name in present for a in rtype.fields):
        return None
    if f.count:
        return _Filling(b"", f.count if f.count in present else "")
    if f.missing is REQUIRED:
        return None
    missing = f.missing
    if missing is Absence.COUNT:
        missing = 0
    elif missing is Absence.FLAGS:
        missing = flag_byte(rtype, f, present)
    raw = writer(f.type, order, charset)(missing, 0)
    if not f.flag:
        return _Filling(raw)
    mask = sum(1 << bit for bit in f.bits)
    if f.flag in present:
        return _Filling(raw, f.flag, (mask,))
    flag = rtype.fields[rtype.index[f.flag]]
    return _Filling(raw) if flag.missing is Absence.FLAGS and flag_byte(rtype, flag, present) & mask else None


def _fillings(run: list[_Filling]) -> list[_Piece]:
    """Packers of absent fields that follow each other, one for all that hang on the same flag."""
    pieces = []
    for (flag, is_count), group in groupby(run, key=lambda filling: (filling.flag, not filling.masks)):
        fillings = list(group)
        raw = b"".join([filling.raw for filling in fillings])
        masks = tuple(mask for filling in fillings for mask in filling.masks)
        pack = _constant(raw) if not flag else _no_array(flag) if is_count else _flagged(raw, flag, masks)
        pieces.append(_Piece(pack, {flag} - {""}))
    return pieces


def _constant(raw: bytes) -> Pack:
    return lambda fields: raw


def _flagged(raw: bytes, flag: str, masks: tuple[int, ...]) -> Pack:
    def pack(fields: dict[str, Any]) -> bytes:
        flags = fields[flag]
        for mask in masks:
            if not flags & mask:
                raise ValueError
        return raw

    return pack


def _no_array(count: str) -> Pack:
    def pack(fields: dict[str, Any]) -> bytes:
        if fields[count] != 0:
            raise ValueError
        return b""

    return pack


def _finite(floats: list[str]) -> Pack:
    """Nothing, as long as these fields are finite; that their sum overflows does no harm."""
    get = _getter(floats)

    def check(fields: dict[str, Any]) -> bytes:
        if not isfinite(sum(get(fields))):
            raise ValueError
        return b""

    return check


def _fixed(run: list[Field], order: str) -> Pack:
    pack = struct.Struct(order + "".join(FIXED[f.type] for f in run)).pack
    get = _getter([f.name for f in run])
    return lambda fields: pack(*get(fields))


def _texts(run: list[Field], charset: str) -> Pack:
    get = _getter([f.name for f in run])

    @lru_cache(maxsize=_KEPT_TEXTS)
    def packed(*texts: str) -> bytes:
        raws = [text.encode(charset) for text in texts]
        return b"".join([LENGTH_BYTE[len(raw)] + raw for raw in raws])  # IndexError beyond 255: then the careful way

    return lambda fields: packed(*get(fields))


def _getter(names: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda fields: (fields[name],)


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
