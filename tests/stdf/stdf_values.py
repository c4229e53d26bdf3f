"""Hypothesis strategies made from the record tables themselves: any valid record of any type."""

from typing import Any

from hypothesis import strategies as st

from drycell.runtime.stdf import TYPES, Bits, Record
from drycell.runtime.stdf.table import Field, RecordType

KNOWN = [t for t in TYPES.values() if not t.name.startswith("R18")]
_LATIN = st.characters(min_codepoint=0, max_codepoint=255)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "U1": st.integers(0, 2**8 - 1),
    "U2": st.integers(0, 2**16 - 1),
    "U4": st.integers(0, 2**32 - 1),
    "U8": st.integers(0, 2**64 - 1),
    "I1": st.integers(-(2**7), 2**7 - 1),
    "I2": st.integers(-(2**15), 2**15 - 1),
    "I4": st.integers(-(2**31), 2**31 - 1),
    "R4": st.floats(width=32, allow_nan=False),
    "R8": st.floats(allow_nan=False),
    "B1": st.integers(0, 255),
    "C1": _LATIN,
    "Cn": st.text(_LATIN, max_size=255) | st.text(_LATIN, max_size=8),
    "Sn": st.text(_LATIN, max_size=300),
    "Bn": st.binary(max_size=255),
    "Raw": st.binary(min_size=1, max_size=64),
    "N1": st.integers(0, 15),
    "B0": st.none(),
}
_SCALARS["Dn"] = st.integers(0, 80).flatmap(
    lambda n: st.builds(Bits, st.just(n), st.binary(min_size=(n + 7) // 8, max_size=(n + 7) // 8))
)
_GENERIC = st.sampled_from(["B0", "U1", "U2", "U4", "I1", "I2", "I4", "R4", "R8", "Cn", "Bn", "Dn", "N1"]).flatmap(
    lambda code: st.tuples(st.just(code), _SCALARS[code])
)


def _value(f: Field, counts: dict[str, int]) -> st.SearchStrategy[Any]:
    if not f.count:
        return _SCALARS[f.type]
    n = counts[f.count]
    element = _GENERIC if f.type == "Vn" else _SCALARS[f.type[1:]]
    return st.lists(element, min_size=n, max_size=n)


@st.composite
def records(draw: st.DrawFn, rtype: RecordType) -> Record:
    """A record of this type that ends after any of its optional fields."""
    stop = draw(st.integers(rtype.needed, len(rtype.fields)))
    names = {f.count for f in rtype.fields if f.count}
    counts: dict[str, int] = {}
    fields: dict[str, Any] = {}
    for f in rtype.fields[:stop]:
        if f.name in names:
            counts[f.name] = fields[f.name] = draw(st.integers(0, 9))
        else:
            fields[f.name] = draw(_value(f, counts))
    for f in rtype.fields[stop:]:  # an array of no elements is always there: it takes no bytes
        if not (f.count and counts.get(f.count) == 0):
            break
        fields[f.name] = []
    return Record(rtype, fields)
