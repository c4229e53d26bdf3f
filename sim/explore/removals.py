"""What can be taken away from a scenario: events, devices, sites, tests, and every other key. Pure.

Rules
- A scenario is plain values here, without defaults, as :func:`drycell.sim.scenario.files.plain` makes them.
- A row names the items that can go, and makes the scenario without some of them: nothing, or several ways to do so.
- What a row makes may be no scenario at all (two steps may need each other); whoever asks has to check.
- Instruments and peripherals go only when nothing at all changes: a program without its meter is another failure,
  not a smaller one.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]
Item = Hashable
Place = tuple[str | int, ...]
SITE_KEYS = ("site", "as")
"""The keys with which triggers and faults name a site."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One kind of things that can go. ``what``: one of them, in words. ``unused``: it may go only when the violation
    stays the very same, event by event."""

    what: str
    items: Callable[[Data], Sequence[Item]]
    without: Callable[[Data, Collection[Item]], Iterator[Data]]
    unused: bool = False


# events ------------------------------------------------------------------------------------------------------------


def _events(data: Data) -> Sequence[int]:
    return range(len(data.get("timeline", ())))


def _without_events(data: Data, gone: Collection[Item]) -> Iterator[Data]:
    """Steps that wait for one that is gone go with it."""
    steps = data["timeline"]
    out = {index for index in range(len(steps)) if index in gone}
    while True:
        names = {steps[index].get("name") for index in out} - {None}
        waiting = {index for index, step in enumerate(steps) if step.get("after") in names} - out
        if not waiting:
            break
        out |= waiting
    yield with_timeline(data, [step for index, step in enumerate(steps) if index not in out])


def with_timeline(data: Data, steps: Sequence[Data]) -> Data:
    """The same with these steps, the key left out when there are none."""
    rest = {key: value for key, value in data.items() if key != "timeline"}
    return {**rest, "timeline": list(steps)} if steps else rest


# devices -----------------------------------------------------------------------------------------------------------


def size_of(data: Data) -> int:
    """The number of devices."""
    size: int = data.get("devices", {}).get("size", 20)
    return size


def _devices(data: Data) -> Sequence[int]:
    return range(1, size_of(data) + 1) if size_of(data) > 1 else ()


def _without_devices(data: Data, gone: Collection[Item]) -> Iterator[Data]:
    """A smaller lot, in which triggers follow the device that they meant, or the next one that is left."""
    size = size_of(data)
    left = [number for number in range(1, size + 1) if number not in gone]
    if not left:
        return

    def renumbered(part: int) -> int:
        return min(sum(number < part for number in left) + 1, len(left))

    smaller = {**data, "devices": {**data.get("devices", {}), "size": len(left)}}
    yield _with_parts(smaller, renumbered)


def _with_parts(data: Data, renumbered: Callable[[int], int]) -> Data:
    steps = deepcopy(data.get("timeline", []))
    for step in steps:
        for holder in (step.get("when", {}), *_deeds(step)):
            if isinstance(holder.get("part"), int):
                holder["part"] = renumbered(holder["part"])
    return with_timeline(data, steps)


def _deeds(step: Data) -> Iterator[Data]:
    return (value for value in step["do"].values() if isinstance(value, dict))


# sites -------------------------------------------------------------------------------------------------------------


def sites_of(data: Data) -> list[int]:
    """The site numbers of the cell."""
    return list(data.get("cell", {}).get("sites", (0,)))


def _sites(data: Data) -> Sequence[int]:
    return sites_of(data) if len(sites_of(data)) > 1 else ()


def _without_sites(data: Data, gone: Collection[Item]) -> Iterator[Data]:
    """What happens on a site that is gone does not happen, or happens on the first one that is left."""
    left = [site for site in sites_of(data) if site not in gone]
    if not left:
        return
    smaller = with_sites(data, left)
    steps = data.get("timeline", [])
    struck = {index for index, step in enumerate(steps) if gone & named_sites(step)}  # type: ignore[operator]
    moved = renamed_sites(smaller, {site: left[0] for site in sites_of(data) if site in gone})
    for candidate in (*(_without_events(smaller, struck) if struck else ()), moved):
        yield candidate
        if "layout" in candidate["cell"]:
            yield _copy_without(candidate, (), frozenset({("cell", "layout")}))


def with_sites(data: Data, sites: Sequence[int]) -> Data:
    """The same cell with these sites, each at its place."""
    cell = {**data.get("cell", {}), "sites": list(sites)}
    if "layout" in cell:
        cell["layout"] = {key: place for key, place in cell["layout"].items() if int(key) in sites}
    return {**data, "cell": cell}


def named_sites(step: Data) -> set[int]:
    """The sites that a step names."""
    holders = (step.get("when", {}), *_deeds(step))
    return {holder[key] for holder in holders for key in SITE_KEYS if isinstance(holder.get(key), int)}


def renamed_sites(data: Data, names: dict[int, int]) -> Data:
    """The same timeline with other site numbers in its steps."""
    steps = deepcopy(data.get("timeline", []))
    for step in steps:
        for holder in (step.get("when", {}), *_deeds(step)):
            for key in SITE_KEYS:
                if isinstance(holder.get(key), int):
                    holder[key] = names.get(holder[key], holder[key])
    return with_timeline(data, steps)


# tests -------------------------------------------------------------------------------------------------------------


def _tests(data: Data) -> Sequence[str]:
    named: list[str] = data.get("program", {}).get("tests", [])
    return named if len(named) > 1 else ()


def _without_tests(data: Data, gone: Collection[Item]) -> Iterator[Data]:
    left = [name for name in data["program"]["tests"] if name not in gone]
    if left:
        yield {**data, "program": {**data["program"], "tests": left}}


# all other keys ----------------------------------------------------------------------------------------------------

_ELSEWHERE: frozenset[Place] = frozenset(
    {
        *((key,) for key in ("drycell", "name", "seed", "rung", "pace", "expect", "timeline", "program")),
        *((key,) for key in ("cell", "devices", "instruments", "hosts")),
        *(("program", key) for key in ("definitions", "path", "python", "tests")),
        *(("cell", key) for key in ("dialect", "sites", "peripherals", "broker")),
        ("devices", "size"),
    }
)
"""Keys that say what is run at all, or that other rows take away, or that hold such keys."""
_WHOLE: tuple[Place, ...] = (("program", "tests"), ("cell", "sites"), ("cell", "layout"), ("expect",), ("timeline",))
"""Nothing within these is a key of its own."""
_HARDWARE: tuple[Place, ...] = (("instruments",), ("hosts",), ("cell", "peripherals"))


def _keys(data: Data) -> Sequence[Place]:
    found = [place for place in _places(data, ()) if not _is_elsewhere(place)]
    for index, step in enumerate(data.get("timeline", ())):
        found += [("timeline", index, *place) for place in _places(step, ()) if place[0] != "do" or len(place) > 2]
    return found


def _is_elsewhere(place: Place) -> bool:
    within = any(place[: len(above)] == above and len(place) > len(above) for above in _WHOLE)
    return within or place in _ELSEWHERE or place[:-1] in _HARDWARE or place[-1] == "variable"


def _hardware(data: Data) -> Sequence[Place]:
    found = [(*above, name) for above in _HARDWARE for name in _at(data, above)]
    return [*(place for place in _HARDWARE if _at(data, place)), *found]


def _at(data: Data, place: Place) -> Data:
    for key in place:
        data = data.get(str(key), {})
    return data


def _places(value: Any, above: Place) -> Iterator[Place]:
    """Where a key or an entry of a list stands, the outer ones first."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inside:
        yield (*above, key)
        yield from _places(entry, (*above, key))


def _without_keys(data: Data, gone: Collection[Item]) -> Iterator[Data]:
    """A wafer goes with its prober."""
    prober = ("cell", "handler", "kind") in gone
    yield _copy_without(data, (), frozenset(gone) | ({("cell", "handler", "wafer")} if prober else frozenset()))


def _copy_without(value: Any, here: Place, gone: frozenset[Item]) -> Any:
    if isinstance(value, dict):
        kept = {key: entry for key, entry in value.items() if (*here, key) not in gone}
        return {key: _copy_without(entry, (*here, key), gone) for key, entry in kept.items()}
    if isinstance(value, list):
        return [
            _copy_without(entry, (*here, place), gone)
            for place, entry in enumerate(value)
            if (*here, place) not in gone
        ]
    return value


REMOVALS = (
    Removal("event", _events, _without_events),
    Removal("device", _devices, _without_devices),
    Removal("site", _sites, _without_sites),
    Removal("test", _tests, _without_tests),
    Removal("key", _keys, _without_keys),
    Removal("unused hardware", _hardware, _without_keys, unused=True),
)
"""What can be taken away, in the order in which it is tried: the dearest first."""
