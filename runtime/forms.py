"""Records that are alike but for a few fields: their JSON text is made once, and the changing fields are put in.

Rule: the text of a filled form is the text that :func:`json.dumps` makes of the same dictionary, byte by byte.
"""

from collections.abc import Callable, Mapping
from json.encoder import JSONEncoder, c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from math import isfinite
from typing import Any

Json = dict[str, Any]
_pieces = c_make_encoder(None, JSONEncoder().default, encode_basestring_ascii, None, ": ", ", ", False, False, True)
_OPEN = "\0open\0"
"""Stands for an open field while a form is made; no record holds this text."""


def dumps(value: object) -> str:
    """What :func:`json.dumps` gives, which makes a new encoder for every value."""
    return "".join(_pieces(value, 0))


class Form:
    """``record`` with the fields ``changing`` left open: ``open`` are their names, in its order."""

    def __init__(self, record: Json, *changing: str) -> None:
        self.record = record
        self.open = tuple(name for name in record if name in changing)
        fixed = dumps({**record, **dict.fromkeys(changing, _OPEN)}).split(dumps(_OPEN))
        self._pieces = [""] * (2 * len(fixed) - 1)
        self._pieces[::2] = fixed

    def filled(self, fields: Mapping[str, Any]) -> "Filled":
        """The record with ``fields`` filled in: all that are open, in any order, and no others."""
        record = Filled(self.record)
        record.update(fields)
        record.form = self
        return record

    def text(self, record: Mapping[str, Any]) -> str:
        """The JSON text of ``record``, which this form was filled into."""
        if not self.open:
            return self._pieces[0]
        pieces = self._pieces.copy()
        pieces[1::2] = texts([record[name] for name in self.open])
        return "".join(pieces)


class Filled(Json):
    """A record that a :class:`Form` made; its other fields are not to be changed."""

    __slots__ = ("form",)
    form: Form


def texts(values: list[Any]) -> list[str]:
    """The JSON text of each value, which may be a filled form or a list with filled forms in it."""
    return [_WAYS.get(type(value), dumps)(value) for value in values]


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else dumps(value)


_WAYS: Mapping[type, Callable[[Any], str]] = {
    int: repr,
    float: _number,
    str: encode_basestring_ascii,
    list: lambda values: f"[{', '.join(texts(values))}]",
    Filled: lambda record: record.form.text(record),
}
"""How the text of a value of that type is made; :func:`dumps` knows all, more slowly."""
