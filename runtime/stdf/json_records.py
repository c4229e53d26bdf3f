"""STDF records as JSON objects, as sequencers of dialect "semi-ate" send them (packages 1.0.17).

An object has "type" (and "rec_id") with the record's name, REC_LEN, REC_TYP, REC_SUB, and all fields by name; null
means unset; flag fields are integers; an unset B*n field may be the integer 0.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from struct import Struct
from types import NoneType
from typing import Any, NamedTuple

from drycell.runtime.forms import Filled, Form
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.records import OPAQUE, TYPES
from drycell.runtime.stdf.table import Field, Kin, Record, RecordType
from drycell.runtime.stdf.values import FIXED, FLOATS, RIGHT, Bits

_ENVELOPE = frozenset({"type", "rec_id", "REC_LEN", "REC_TYP", "REC_SUB"})
_SINGLE = Struct("<f")
_OPAQUE_NAMES = frozenset(t.name for t in OPAQUE)
_MOST_SHAPES = 256
_PLAIN: Mapping[str, frozenset[type]] = {
    **dict.fromkeys(FIXED, frozenset({int})),
    **dict.fromkeys(FLOATS, frozenset({int, float})),
    **dict.fromkeys(("Cn", "C1", "Sn"), frozenset({str})),
}
"""Field type -> the kinds of values that are right whatever they are."""
_NONE: frozenset[type] = frozenset()


def from_json(data: object) -> Record:
    """The record that a JSON object stands for.

    Raises ``StdfError`` naming record, field and site if it is no object, of no known type, has an unknown field or a
    value of the wrong type. Ranges and missing fields are judged when the record is written.
    """
    sent = as_sent(data)
    return Record(sent.type, dict(sent.fields))


def as_sent(data: object) -> Record:
    """The same record, which knows its kin: nobody may change its fields, which others may have too."""
    if type(data) is Filled:
        shape = _shape_filled(data.form, tuple([type(data[name]) for name in data.form.open]))
    elif isinstance(data, (dict, Mapping)):
        shape = _shape_of(data, tuple(map(type, data.values())))
    else:
        raise StdfError(f"a record is {_kind(data)}", right="a JSON object with type, REC_TYP, REC_SUB and fields")
    if shape is None:
        return _judged(data, data.get("type", data.get("rec_id")))
    fields = shape.fields(data)
    for f in shape.doubtful:
        fields[f.name] = _value(shape.type.name, f, fields[f.name], _site(data))
    return Record(shape.type, fields, kin=shape.kin)


class _Shape(NamedTuple):
    """What objects with the same keys and kinds of values have in common, when that is all right.

    ``codes``: what REC_TYP and REC_SUB may be; ``fields(object)``: those that are set;
    ``doubtful``: those whose values have to be looked at; ``kin``: what the records share.
    """

    type: RecordType
    kin: Kin
    codes: tuple[tuple[int | None, int | None], ...]
    fields: Callable[[Mapping[str, Any]], dict[str, Any]]
    doubtful: tuple[Field, ...]


def _shape_of(data: Mapping[Any, Any], kinds: tuple[type, ...]) -> _Shape | None:
    """The shape of an object whose values are of these kinds; None when something is wrong with it."""
    name = data.get("type", data.get("rec_id"))
    shape = _shape(name, tuple(data), kinds) if isinstance(name, str) else None
    if shape is None or (data.get("REC_TYP"), data.get("REC_SUB")) not in shape.codes:
        return None
    return shape


@lru_cache(maxsize=_MOST_SHAPES)
def _shape_filled(form: Form, kinds: tuple[type, ...]) -> _Shape | None:
    """The shape of objects that ``form`` was made into with values of these kinds."""
    if not _ENVELOPE.isdisjoint(form.open):
        return None
    known = dict(zip(form.open, kinds, strict=True))
    shape = _shape_of(form.record, tuple([known.get(key, type(value)) for key, value in form.record.items()]))
    if shape is None:
        return None
    doubted = {f.name for f in shape.doubtful}
    fixed = {name: form.record[name] for name in shape.kin.names if name not in known and name not in doubted}
    fields = (lambda _: fixed) if len(fixed) == len(shape.kin.names) else shape.fields
    return shape._replace(kin=Kin(shape.kin.names, fixed), fields=fields)


@lru_cache(maxsize=_MOST_SHAPES)
def _shape(name: str, keys: tuple[Any, ...], kinds: tuple[type, ...]) -> _Shape | None:
    """The shape of such objects; None when something is wrong with it."""
    if name not in TYPES or name in _OPAQUE_NAMES:
        return None
    rtype = TYPES[name]
    present, doubtful = [], []
    for key, kind in zip(keys, kinds, strict=True):
        if kind is NoneType or key in _ENVELOPE:
            continue
        if key not in rtype.index:
            return None
        f = rtype.fields[rtype.index[key]]
        present.append(key)
        if f.type not in _PLAIN:
            doubtful.append(f)
        elif kind not in _PLAIN[f.type]:
            return None
    codes = ((rtype.typ, rtype.sub), (None, None), (rtype.typ, None), (None, rtype.sub))
    return _Shape(rtype, Kin(tuple(present), {}), codes, _picker(keys, present), tuple(doubtful))


def _picker(keys: tuple[str, ...], present: list[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What takes the fields ``present`` out of an object with these ``keys``, the shorter way."""
    others = [key for key in keys if key not in present]
    if len(present) < len(others):
        return lambda data: {key: data[key] for key in present}

    def without_others(data: Mapping[str, Any]) -> dict[str, Any]:
        fields = dict(data)
        for key in others:
            del fields[key]
        return fields

    return without_others


def _judged(data: Mapping[Any, Any], name: object) -> Record:
    """Key by key, so that what is wrong can be named."""
    site = _site(data)
    if not isinstance(name, str) or name not in TYPES or name in _OPAQUE_NAMES:
        raise StdfError(f"there is no record type {name!r}", right="type names one of STDF V4", site=site)
    rtype = TYPES[name]
    for key, code in (("REC_TYP", rtype.typ), ("REC_SUB", rtype.sub)):
        if data.get(key, code) not in (code, None):
            raise StdfError(f"is {data[key]!r}", right=f"{code} for {name}", record=name, field=key, site=site)
    fields = {}
    for key, value in data.items():
        if value is None or key in _ENVELOPE:
            continue
        i = rtype.index.get(key)
        if i is None:
            raise StdfError(f"there is no field {key!r}", right="a field of this type", record=name, site=site)
        fields[key] = _value(name, rtype.fields[i], value, site)
    return Record(rtype, fields)


def to_json(record: Record) -> dict[str, Any]:
    """The JSON object of a record, as :func:`from_json` reads it; absent fields are left out.

    Single-precision numbers are the shortest decimals that stand for them, so that 3.3 is 3.3 again.
    """
    rtype = record.type
    fields = {"type": rtype.name, "REC_TYP": rtype.typ, "REC_SUB": rtype.sub, **record.fields}
    for name, as_json in _other_in_json(rtype):
        if name in fields:
            fields[name] = as_json(fields[name])
    return fields


@cache
def _other_in_json(rtype: RecordType) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    """The fields of a type whose values are something else in JSON, and what."""
    return [(f.name, _AS_JSON[f.type]) for f in rtype.fields if f.type in _AS_JSON]


def _bits(value: Bits) -> list[int]:
    ones = set(value.ones())
    return [int(place in ones) for place in range(value.length)]


def _shortest(value: float) -> float:
    """The decimal with the fewest digits (9 are always enough, IEEE 754) that is this number in single precision."""
    return _with_fewest_digits(value) if value and math.isfinite(value) else float(value)


_AS_JSON: Mapping[str, Callable[[Any], Any]] = {
    "R4": _shortest,
    "kR4": lambda values: [_shortest(value) for value in values],
    "Bn": list,
    "Raw": list,
    "Dn": _bits,
}


@lru_cache(maxsize=4096)
def _with_fewest_digits(value: float) -> float:
    candidates = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((one for one in candidates if _SINGLE.unpack(_SINGLE.pack(one))[0] == value), value)


def _value(name: str, f: Field, value: Any, site: int | None) -> Any:
    array = f.type.startswith("k")
    kind = f.type.removeprefix("k")
    if f.type in ("Bn", "Dn"):
        good = _bytes_or_bits(f.type, value)
        if good is not None:
            return good
    elif _all_are(kind, value) if array else _is(kind, value):
        return value
    right = f"a list, each {RIGHT[kind]}" if array else RIGHT[kind]
    raise StdfError(f"is {_kind(value)}", right=f"it takes {right}", record=name, field=f.name, site=site)


def _all_are(kind: str, values: Any) -> bool:
    if not isinstance(values, list):
        return False
    return {*map(type, values)} <= _PLAIN.get(kind, _NONE) or all(_is(kind, v) for v in values)


def _is(kind: str, value: Any) -> bool:
    if kind in FLOATS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("Cn", "C1", "Sn"):
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool)


def _bytes_or_bits(kind: str, value: Any) -> bytes | Bits | None:
    if value in (0, "", []) and not isinstance(value, bool | float):
        return b"" if kind == "Bn" else Bits(0, b"")
    if not isinstance(value, list) or not all(_is("U1", v) for v in value):
        return None
    if kind == "Dn":
        return Bits.of(*value) if all(v in (0, 1) for v in value) else None
    return bytes(value) if all(0 <= v <= 255 for v in value) else None


def _site(data: Mapping[Any, Any]) -> int | None:
    site = data.get("SITE_NUM")
    return site if isinstance(site, int) and not isinstance(site, bool) else None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    words = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    text = repr(value)
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return f"{words.get(type(value), type(value).__name__)} ({shown})"
