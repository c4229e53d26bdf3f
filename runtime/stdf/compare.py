"""The difference of two STDF files, record by record, with times masked.

Rules: records are matched in order; where the two files disagree on which record comes next (type, head, site, test
or part), the nearest common record within ``LOOK_AHEAD`` is sought and what lies before it is reported as only in one
file. Damaged stretches are items of their own. Byte order is not compared, nor the fields of ``TIMES`` unless asked.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from drycell.runtime.stdf.damage import Gap
from drycell.runtime.stdf.reading import read_tolerant
from drycell.runtime.stdf.table import Record
from drycell.runtime.stdf.window import Source

LOOK_AHEAD = 256
TIMES = frozenset(
    {
        "ATR.MOD_TIM", "MIR.SETUP_T", "MIR.START_T", "MRR.FINISH_T", "WIR.START_T", "WRR.FINISH_T", "PRR.TEST_T",
        "TSR.TEST_TIM",
    }
)  # fmt: skip
BYTE_ORDER = frozenset({"FAR.CPU_TYPE"})
_KEYS = ("HEAD_NUM", "SITE_NUM", "TEST_NUM", "HBIN_NUM", "SBIN_NUM", "PMR_INDX", "GRP_INDX")
_Item = Record | Gap


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``kind``: "value" (both have the record), "first" or "second" (only that file has it).

    ``numbers`` and ``offsets`` are those of the record in the first and second file (None where it is not).
    """

    kind: str
    record: str
    field: str
    values: tuple[Any, Any]
    numbers: tuple[int | None, int | None]
    offsets: tuple[int | None, int | None]

    def __str__(self) -> str:
        if self.kind == "value":
            a, b = self.values
            there = f"records {self.numbers[0]} and {self.numbers[1]} ({self.record})"
            return f"{there}, field {self.field}: {_shown(a)} and {_shown(b)}"
        side = 0 if self.kind == "first" else 1
        where = f"record {self.numbers[side]} ({self.record}) at byte {self.offsets[side]}"
        return f"{where} is only in the {self.kind} file"


def compare(first: Source, second: Source, *, mask: Collection[str] = TIMES) -> Iterator[Difference]:
    """The differences of two files. ``mask`` names fields not to compare, for example "PRR.TEST_T"."""
    hidden = frozenset(mask) | BYTE_ORDER
    a, b = _Ahead(read_tolerant(first)), _Ahead(read_tolerant(second))
    while True:
        x, y = a.peek(0), b.peek(0)
        if x is None and y is None:
            return
        if x is None or y is None or _key(x) != _key(y):
            skip_a, skip_b = _meet(a, b)
            yield from (_only(item, "first") for item in a.take(skip_a))
            yield from (_only(item, "second") for item in b.take(skip_b))
            continue
        a.take(1)
        b.take(1)
        yield from _fields(x, y, hidden)


class _Ahead:
    """A stream of which the next items can be looked at."""

    def __init__(self, items: Iterator[_Item]) -> None:
        self._items = items
        self._queue: deque[_Item] = deque()

    def peek(self, i: int) -> _Item | None:
        while len(self._queue) <= i:
            item = next(self._items, None)
            if item is None:
                return None
            self._queue.append(item)
        return self._queue[i]

    def ahead(self) -> list[_Item]:
        self.peek(LOOK_AHEAD - 1)
        return list(islice(self._queue, LOOK_AHEAD))

    def take(self, count: int) -> list[_Item]:
        return [self._queue.popleft() for _ in range(count)]


def _meet(a: _Ahead, b: _Ahead) -> tuple[int, int]:
    """How many items to skip in each so that both go on with the same record; all that is in sight if nowhere."""
    left, right = a.ahead(), b.ahead()
    where: dict[Any, int] = {}
    for j, item in enumerate(right):
        where.setdefault(_key(item), j)
    best = min(
        ((i + where[key], i, where[key]) for i, item in enumerate(left) if (key := _key(item)) in where), default=None
    )
    return (best[1], best[2]) if best else (len(left), len(right))


def _key(item: _Item) -> tuple[Any, ...]:
    if isinstance(item, Gap):
        return ("damage", item.error.problem)
    keys = tuple(item.fields.get(name) for name in _KEYS if not isinstance(item.fields.get(name), list))
    return (item.name, *keys, item.fields.get("PART_ID") if item.name == "PRR" else None)


def _name(item: _Item) -> str:
    return f"damage: {item.error.problem}" if isinstance(item, Gap) else item.name


def _only(item: _Item, kind: str) -> Difference:
    one = (item.number, None) if kind == "first" else (None, item.number)
    where = (item.offset, None) if kind == "first" else (None, item.offset)
    return Difference(kind, _name(item), "", (None, None), one, where)


def _fields(x: _Item, y: _Item, hidden: frozenset[str]) -> Iterator[Difference]:
    numbers, offsets = (x.number, y.number), (x.offset, y.offset)
    if isinstance(x, Gap) or isinstance(y, Gap):
        yield Difference("value", _name(x), "", ("damaged", "damaged"), numbers, offsets)
        return
    if x.fields == y.fields:
        return
    for name in x.type.names:
        a, b = x.fields.get(name), y.fields.get(name)
        if f"{x.name}.{name}" not in hidden and not same(a, b):
            yield Difference("value", x.name, name, (a, b), numbers, offsets)


def same(a: Any, b: Any) -> bool:
    """Equality of values in which NaN equals NaN."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (a != a and b != b)  # NaN


def _shown(value: Any) -> str:
    return "absent" if value is None else repr(value)
