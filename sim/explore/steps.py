"""Strategies for the timeline: when something happens, and what.

A *kind of deed* is a fault of the palette by its name, ``kill`` (a signal), ``operator`` (buttons at the master's
panel), or one of the harmless ones: ``options``, ``loglevel``, ``bin`` and ``parameter``.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

from hypothesis import strategies as st

from drycell.sim.explore.known import Known
from drycell.sim.explore.values import NOTHING, Strategy, durations_s, fields, model
from drycell.sim.faults import Fault, MessageFault
from drycell.sim.hooks import registry
from drycell.sim.scenario.actions import Command, Kill, Options
from drycell.sim.scenario.timeline import Trigger
from drycell.sim.scenario.words import LogLevel

HARMLESS = ("options", "loglevel", "bin", "parameter")
"""Kinds of deeds that break no promise of a cell that works."""
_DISTURBING: Mapping[str, Callable[[Known], Strategy]] = {
    "kill": lambda known: model(Kill, known).map(lambda kill: {"kill": kill}),
    "operator": lambda known: st.sampled_from(get_args(Command)).map(_operator("command")),
}
_OCCURRENCES = st.sampled_from((*("touchdown", "part") * 3, "says", "master", "handler", "control", "command"))
_NTH = st.sampled_from((1, 1, 2, 3, 5))
_NARROWED_BY = {"says": ("site", "part"), "control": ("site",), "command": ("part",)}
_NARROWED = st.sampled_from((False, False, True))
"""Out of three occurrences that could be narrowed down, one is."""


def kinds(dialect: str | None = None) -> tuple[str, ...]:
    """Every kind of deed that disturbs a cell: ``kill``, ``operator``, and the faults of all installed plugins; with
    ``dialect`` those that make a difference there."""
    faults = registry().faults.items()
    return (*_DISTURBING, *(name for name, fault in faults if dialect is None or dialect in fault.dialects))


@lru_cache(maxsize=4096)
def deed(kind: str, known: Known) -> Strategy:
    """What a step may ``do`` of this kind, as plain values; ``nothing()`` where there is nothing to strike."""
    make = _DISTURBING.get(kind) or _HARMLESS.get(kind)
    if make is not None:
        return make(known)
    return fault(registry().faults[kind], known).map(lambda drawn: {kind: drawn})


def fault(kind: type[Fault], known: Known) -> Strategy:
    """Values of one fault, derived from its fields; also for faults of plugins."""
    if not issubclass(kind, MessageFault):
        return model(kind, known)
    if kind.main == "message":
        return model(kind, known, always=("message",))
    return model(kind, known, never=("message",))


@lru_cache(maxsize=1024)
def stretch(known: Known) -> Strategy:
    """An option that is set at one touchdown and taken back at a later one: two steps."""

    def both(name: str, first: int, length: int) -> list[dict[str, Any]]:
        return [
            {"when": {"touchdown": first}, "do": {"options": {name: True}}},
            {"when": {"touchdown": first + length}, "do": {"options": {name: False}}},
        ]

    touchdowns = st.integers(1, max(1, known.touchdowns - 1))
    return st.builds(both, st.sampled_from(tuple(Options.model_fields)), touchdowns, st.integers(1, 2))


@lru_cache(maxsize=1024)
def triggers(known: Known) -> Strategy:
    """When something may happen: at an instant, again and again, or with an occurrence in this cell."""
    instants = durations_s(known)
    rhythms = st.builds(
        lambda every_s, count: {"every": every_s, "count": count},
        instants.filter(bool),
        st.integers(1, 5),
    )
    occurrences = _occurrences(known)
    late = st.builds(lambda when, delay_s: {**when, "with_delay": delay_s}, occurrences, instants)
    return st.one_of(instants.map(lambda at_s: {"at": at_s}), occurrences, occurrences, late, rhythms)


def _occurrences(known: Known) -> Strategy:
    required, optional = fields(Trigger, known)
    return _occurrence(required | optional | {"touchdown": st.integers(1, known.touchdowns)})


@st.composite
def _occurrence(draw: st.DrawFn, values: Mapping[str, Strategy]) -> dict[str, Any]:
    kind = draw(_OCCURRENCES)
    when = {kind: draw(values[kind])}
    for key in _NARROWED_BY.get(kind, ()):
        if draw(_NARROWED):
            when[key] = draw(values[key])
    if kind not in ("touchdown", "part"):
        when["nth"] = draw(_NTH)
    return {"when": when}


def _operator(key: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {"operator": {key: value}}


def _bins(known: Known) -> Strategy:
    if not known.soft_bins:
        return NOTHING
    pairs: Strategy = st.fixed_dictionaries(
        {"soft": st.sampled_from(known.soft_bins), "hard": st.sampled_from(known.hard_bins)}
    )
    return pairs.map(_operator("bin"))


def _parameters(known: Known) -> Strategy:
    if not known.inputs:
        return NOTHING

    def settings(name: str) -> Strategy:
        low, high = known.inputs[name]
        return st.sampled_from((low, high, (low + high) / 2)).map(
            lambda value: {"operator": {"parameter": {"name": name, "value": value}}}
        )

    return st.sampled_from(tuple(known.inputs)).flatmap(settings)


def _options(known: Known) -> Strategy:
    on = st.sampled_from((True, True, True, False))
    asked = st.fixed_dictionaries({"active": on, "value": st.integers(-1, known.tests)})
    flags = dict.fromkeys(Options.model_fields, on) | {"trigger_on_test": asked}
    names: Sequence[str] = tuple(flags)
    some = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return some.flatmap(lambda chosen: st.fixed_dictionaries({name: flags[name] for name in chosen})).map(
        lambda options: {"options": options}
    )


_LEVELS = get_args(LogLevel)
_HARMLESS: Mapping[str, Callable[[Known], Strategy]] = {
    "options": _options,
    "loglevel": lambda known: st.sampled_from(_LEVELS).map(_operator("loglevel")),
    "bin": _bins,
    "parameter": _parameters,
}
