"""Strategies for the fields of a pydantic model: what a value may be follows from its type, bounds and meaning.

Rules
- The simplest value comes first, so that shrinking leads there.
- Numbers are drawn from a few that matter: the bounds, the default and its neighbours, small counts. Durations are
  the protocol's timeouts, just before and just after, and some short ones.
- A text that nothing is known about cannot be drawn: its field keeps the default.
"""

import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from drycell.sim.explore.known import Known
from drycell.sim.scenario.words import Meaning

M = TypeVar("M", bound=BaseModel)
Strategy = st.SearchStrategy[Any]
NOTHING: Strategy = st.nothing()
_SHORT_S = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0, 2.0)
_SMALL = (0, 1, 2, 3, 5, 10, 100)
_LARGE = 1000
"""Whole numbers beyond this are drawn only near a default: a run with 10,000 resets shows nothing that 100 do not."""
_MOST_FIELDS = 3
"""How many of the optional fields of one value are drawn at most; the others keep their default."""


def durations_s(known: Known) -> Strategy:
    """Short times, and every timeout of the protocol: a second before it, itself, a second after."""
    around = {max(0.0, limit + more) for limit in known.timeouts_s for more in (-1.0, 0.0, 1.0)}
    return _one_of(sorted({*_SHORT_S, *around}))


MEANINGS: Mapping[str, Callable[[Known], Strategy]] = {
    "site": lambda known: _one_of(known.sites),
    "part": lambda known: _one_of(range(1, known.devices + 1)),
    "lot": lambda known: _one_of((known.lot, "000000.000")),
    "peripheral": lambda known: _one_of(known.peripherals),
    "instrument": lambda known: _one_of(known.instruments),
    "device parameter": lambda known: _one_of(known.device_parameters),
    "duration": durations_s,
}
"""Meaning of a field -> what it may be in a cell."""


def model(
    kind: type[M], known: Known, *, always: Collection[str] = (), never: Collection[str] = (), least: int = 0
) -> st.SearchStrategy[M]:
    """Values of the pydantic model ``kind``: its required fields, those in ``always``, and a few of the others.

    ``least``: how many of the others at least. ``nothing()`` when a required field cannot be drawn.
    """
    required, optional = fields(kind, known)
    required |= {name: optional.pop(name) for name in always if name in optional}
    if any(strategy.is_empty for strategy in required.values()):
        return NOTHING
    drawable = [name for name, strategy in optional.items() if not strategy.is_empty and name not in never]
    most = min(_MOST_FIELDS, len(drawable))
    names = st.lists(_one_of(drawable), min_size=least, max_size=most, unique=True) if drawable else st.just([])
    return _model(kind, required, optional, names)


@st.composite
def _model(
    draw: st.DrawFn,
    kind: type[M],
    required: Mapping[str, Strategy],
    optional: Mapping[str, Strategy],
    names: Strategy,
) -> M:
    """One value of ``kind``: everything ``required``, and what ``names`` says of the rest."""
    data = {name: draw(strategy) for name, strategy in required.items()}
    return kind.model_validate(data | {name: draw(optional[name]) for name in draw(names)})


def fields(kind: type[BaseModel], known: Known) -> tuple[dict[str, Strategy], dict[str, Strategy]]:
    """Strategies for the required and for the optional fields of ``kind``, by the key that a file uses."""
    required: dict[str, Strategy] = {}
    optional: dict[str, Strategy] = {}
    for name, info in kind.model_fields.items():
        (required if info.is_required() else optional)[info.alias or name] = of_field(info, known)
    return required, optional


def of_field(info: FieldInfo, known: Known) -> Strategy:
    """Values of one field; ``nothing()`` when nobody can know what it may be."""
    return _value(info.annotation, info.metadata, info.default, known)


def _value(annotation: Any, metadata: Sequence[Any], default: Any, known: Known) -> Strategy:
    meaning = next((mark for mark in metadata if isinstance(mark, Meaning)), None)
    if meaning is not None:
        return MEANINGS[meaning.what](known)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0], [*arguments[1:], *metadata], default, known)
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        kinds = [_value(kind, metadata, default, known) for kind in arguments if kind is not types.NoneType]
        return st.one_of(kinds)
    if origin in (tuple, list, Sequence):
        return st.lists(_value(arguments[0], (), None, known), min_size=1, max_size=3)
    if origin is Mapping:
        keys, values = (_value(kind, (), None, known) for kind in arguments)
        return NOTHING if keys.is_empty else st.dictionaries(keys, values, min_size=1, max_size=2)
    return _plain(annotation, metadata, default, known)


def _plain(annotation: Any, metadata: Sequence[Any], default: Any, known: Known) -> Strategy:
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        number = default if isinstance(default, int) else None
        near = () if number is None else (number - 1, number, number + 1)
        values = _within((*_SMALL, *near, *(value * 10 for value in near[1:2])), metadata)
        return _one_of(value for value in values if abs(value) <= _LARGE or value in near)
    if annotation is float:
        usual = default if isinstance(default, float) else 1.0
        return _one_of(_within((0.0, usual, usual * 10, usual / 10, 1.0, -usual), metadata))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return model(annotation, known)
    return NOTHING


def _within(candidates: Iterable[Any], metadata: Sequence[Any]) -> list[Any]:
    """The candidates and the bounds, as far as the bounds permit them, the simplest first."""
    bounds = [bound for mark in metadata for bound in _bounds(mark)]
    ends = [value for permits_end, value, _ in bounds if permits_end]
    found = [value for value in (*candidates, *ends) if all(permits(value) for _, _, permits in bounds)]
    return sorted(set(found), key=lambda value: (abs(value), value < 0))


def _bounds(mark: Any) -> list[tuple[bool, Any, Callable[[Any], bool]]]:
    """(whether the end itself is permitted, the end, what is permitted) of one mark of a field."""
    if isinstance(mark, annotated_types.Ge):
        return [(True, mark.ge, lambda value: bool(value >= mark.ge))]
    if isinstance(mark, annotated_types.Le):
        return [(True, mark.le, lambda value: bool(value <= mark.le))]
    if isinstance(mark, annotated_types.Gt):
        return [(False, mark.gt, lambda value: bool(value > mark.gt))]
    if isinstance(mark, annotated_types.Lt):
        return [(False, mark.lt, lambda value: bool(value < mark.lt))]
    return [found for inner in getattr(mark, "metadata", ()) for found in _bounds(inner)]


def _one_of(values: Iterable[Any]) -> Strategy:
    listed = list(values)
    return st.sampled_from(listed) if listed else NOTHING
