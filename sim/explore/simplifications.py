"""What can be written more simply in a scenario that stays as large as it is: the simplest first. Pure.

Rules
- Every candidate of a row is simpler than what it is made from, in one order per row, so that no two rows undo each
  other for ever: fewer devices, a smaller seed, lower sites, a plainer fault, an instant instead of a rhythm, the
  first touchdown instead of an odd instant, a number with fewer digits or, with as many, a smaller one.
- What a row makes may be no scenario at all; whoever asks has to check.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drycell.sim.explore.removals import (
    Data,
    Place,
    named_sites,
    renamed_sites,
    sites_of,
    size_of,
    with_sites,
    with_timeline,
)

FEW_DEVICES = (1, 2, 3)
SEEDS = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Simplification:
    """One way to write more simply. ``what``: what becomes simpler, in words."""

    what: str
    candidates: Callable[[Data], Iterator[Data]]


def _other_devices(data: Data) -> Iterator[Data]:
    """A few devices of another lot, all of them bad perhaps, may show what so far needed one device of many."""
    for size in FEW_DEVICES:
        if size < size_of(data):
            for seed in (data.get("seed", 0), *SEEDS):
                yield from _defective({**data, "devices": {**data.get("devices", {}), "size": size}, "seed": seed})


def _smaller_seed(data: Data) -> Iterator[Data]:
    for seed in SEEDS:
        if seed < data.get("seed", 0):
            yield from _defective({**data, "seed": seed})


def _defective(data: Data) -> Iterator[Data]:
    yield data
    devices = data.get("devices", {})
    if devices.get("defects", 0.0) != 1.0:
        yield {**data, "devices": {**devices, "defects": 1.0}}


def _sites_from_zero(data: Data) -> Iterator[Data]:
    sites = sites_of(data)
    wanted = list(range(len(sites)))
    if sites != wanted:
        moved = renamed_sites(data, dict(zip(sites, wanted, strict=True)))
        moved = {**moved, "cell": {key: value for key, value in moved["cell"].items() if key != "layout"}}
        yield with_sites(moved, wanted)


def _first_site(data: Data) -> Iterator[Data]:
    """What happens on a site happens on the first one instead, and the other way round."""
    first = sites_of(data)[0]
    named = {site for step in data.get("timeline", ()) for site in named_sites(step)}
    if first not in named:
        for site in sorted(named):
            yield renamed_sites(data, {site: first})


PLAINER = {"segfault": "kill", "out_of_memory": "kill", "exit": "kill", "signal": "kill", "take_over": "cut"}
"""Fault -> the plainer one that may do."""


def _plainer_faults(data: Data) -> Iterator[Data]:
    steps = data.get("timeline", [])
    for index, step in enumerate(steps):
        verb, what = next(iter(step["do"].items()))
        if verb in PLAINER and isinstance(what, dict):
            plainer = {**step, "do": {PLAINER[verb]: {"site": what.get("site", 0)}}}
            yield with_timeline(data, [*steps[:index], plainer, *steps[index + 1 :]])


def _once(data: Data) -> Iterator[Data]:
    """One instant instead of a rhythm."""
    steps = data.get("timeline", [])
    for index, step in enumerate(steps):
        if "every" in step:
            rest = {key: value for key, value in step.items() if key not in ("every", "count")}
            once = {**rest, "at": step.get("at", step["every"])}
            yield with_timeline(data, [*steps[:index], once, *steps[index + 1 :]])


def _first_touchdown(data: Data) -> Iterator[Data]:
    """Just before the first touchdown, instead of at an odd instant or with a message."""
    steps = data.get("timeline", [])
    for index, step in enumerate(steps):
        when = step.get("when", {})
        if step.get("at") or (when and not when.keys() & {"touchdown", "part"}) or "with_delay" in step:
            rest = {key: value for key, value in step.items() if key in ("name", "do")}
            early = {**rest, "when": {"touchdown": 1}}
            yield with_timeline(data, [*steps[:index], early, *steps[index + 1 :]])


# numbers -----------------------------------------------------------------------------------------------------------

_NUMBERS_ELSEWHERE = (("drycell",), ("seed",), ("devices", "size"), ("cell", "sites"), ("cell", "layout"))
SMALL = (0, 1, 2, 3, 4)


def _numbers(data: Data) -> Iterator[Data]:
    for place, number in _found(data, ()):
        if not any(place[: len(other)] == other for other in _NUMBERS_ELSEWHERE):
            for simple in simpler_numbers(number):
                yield _put(data, place, simple)


def simpler_numbers(number: int | float) -> Iterator[int | float]:
    """Simpler numbers than ``number``, the simplest first: small whole ones, then rounded and halved ones."""
    kind = type(number)
    rounded = [float(f"{number:.{digits}g}") for digits in (1, 2, 3)]
    wanted = [*SMALL, *rounded, float(f"{number / 2:.1g}")]
    seen = dict.fromkeys(kind(value) for value in wanted)
    yield from (value for value in seen if simplicity(value) < simplicity(number))


def simplicity(number: int | float) -> tuple[int, float]:
    """The order of numbers: how many digits it takes to write one, then its size."""
    digits = f"{abs(number):.12g}".replace(".", "").strip("0")
    return len(digits), abs(number)


def _found(value: Any, place: Place) -> Iterator[tuple[Place, int | float]]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield place, value
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inside:
        yield from _found(entry, (*place, key))


def _put(value: Any, place: Place, number: int | float) -> Any:
    if not place:
        return number
    changed = dict(value) if isinstance(value, Mapping) else list(value)
    changed[place[0]] = _put(changed[place[0]], place[1:], number)  # type: ignore[index]
    return changed


SIMPLIFICATIONS = (
    Simplification("the devices", _other_devices),
    Simplification("the seed", _smaller_seed),
    Simplification("the numbers of the sites", _sites_from_zero),
    Simplification("the sites of events", _first_site),
    Simplification("the faults", _plainer_faults),
    Simplification("the rhythms", _once),
    Simplification("the triggers", _first_touchdown),
    Simplification("the numbers", _numbers),
)
"""What can be simpler, in the order in which it is tried."""
