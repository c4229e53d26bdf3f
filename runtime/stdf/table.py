"""How a record type is described: a list of fields, each with its type and the rule for its absence.

Rules that hold here: a field type is a short code ("U2", "Cn", "kU2"; see ``values``); an array names the field that
counts it; an absent field is either not in the record at all (only the last ones can be, STDF V4 "Optional Fields and
Missing/Invalid Data"), or is written as the value that means "missing"; some are marked as missing by a bit of a
flag byte instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final


class Absence(Enum):
    """Rules of absence that are not a plain value."""

    REQUIRED = "must be present"
    FLAGS = "a flag byte, computed from which of the fields it speaks about are absent"
    COUNT = "a count, computed from the arrays it counts"


REQUIRED: Final = Absence.REQUIRED


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``missing`` is the value that stands for "missing", or a rule.

    ``flag`` and ``bits``: the field is invalid if one of these bits of that flag byte is set; a writer that has to
    fill the field sets the first. ``base``: the bits of a computed flag byte that are always set.
    """

    name: str
    type: str
    missing: Any = REQUIRED
    count: str = ""
    flag: str = ""
    bits: tuple[int, ...] = ()
    base: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RecordType:
    """A record type: its name, its codes and its fields in file order."""

    name: str
    typ: int
    sub: int
    title: str
    fields: tuple[Field, ...]
    names: tuple[str, ...] = field(init=False)
    index: dict[str, int] = field(init=False)
    needed: int = field(init=False)  # how many leading fields every record of this type has

    def __post_init__(self) -> None:
        names = tuple(f.name for f in self.fields)
        needed = max((i + 1 for i, f in enumerate(self.fields) if _in_every_record(f)), default=0)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "index", {name: i for i, name in enumerate(names)})
        object.__setattr__(self, "needed", needed)

    @property
    def code(self) -> int:
        """REC_TYP and REC_SUB as one number."""
        return self.typ << 8 | self.sub

    def __repr__(self) -> str:
        return f"<RecordType {self.name} {self.typ},{self.sub}>"


def _in_every_record(f: Field) -> bool:
    return f.missing is REQUIRED or f.missing is Absence.COUNT


@dataclass(frozen=True, slots=True, eq=False)
class Kin:
    """What records have in common that are made alike: the ``names`` of their fields, and the values of some of them,
    which are ``fixed``."""

    names: tuple[str, ...]
    fixed: dict[str, Any]


class Record:
    """One record: its type and the fields that are present, by name; an absent field has no key.

    ``number`` (1 = first) and ``offset`` (of the header) say where it stood in a file; both are 0 and -1 for a record
    that was made, and do not count for equality; nor does ``kin``, which one of many that are alike has. Values: int
    for U, I and B1; float for R; str for C; bytes for Bn; ``Bits`` for Dn; list for arrays; list of (type code,
    value) for Vn.
    """

    __slots__ = ("fields", "kin", "number", "offset", "type")

    def __init__(
        self, type: RecordType, fields: dict[str, Any], number: int = 0, offset: int = -1, kin: Kin | None = None
    ) -> None:
        self.type = type
        self.kin = kin
        self.fields = fields
        self.number = number
        self.offset = offset

    @property
    def name(self) -> str:
        """Name of the record type, for example "PTR"."""
        return self.type.name

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value, or ``default`` if it is absent."""
        return self.fields.get(name, default)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self.type is other.type and self.fields == other.fields

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        inner = ", ".join(f"{k}={v!r}" for k, v in self.fields.items())
        return f"{self.type.name}({inner})"
