"""Hypothesis strategies that draw whole scenarios, valid by construction.

Rules
- A scenario is drawn around a *base*, which says what is under test: program, instruments, peripherals, rung, quirks.
  Cell, lot, devices and timeline are drawn.
- Swarm testing (Groce et al., ISSTA 2012): each scenario first draws the few kinds of deeds it may contain, so that
  kinds which hide each other are also seen apart.
- ``expect`` keeps the base's oracles; its sentences are about the base's own lot and are left out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from drycell.sim.errors import DrycellError
from drycell.sim.explore.known import Known, known
from drycell.sim.explore.steps import HARMLESS, deed, kinds, stretch, triggers
from drycell.sim.explore.values import Strategy
from drycell.sim.oracles import ORACLES
from drycell.sim.scenario import Scenario, from_data
from drycell.sim.suggest import did_you_mean

VIRTUAL_S = 1200.0
"""When a drawn run is stopped at the latest: four times the longest timeout of the protocol."""
LOT_SIZES = (1, 2, 3, 5, 8, 10, 20)
_MOST_HARMLESS, _MOST_DISTURBING = 2, 3
"""Kinds of deeds in one swarm. What is harmless is drawn apart: there are few such kinds, and many defects show with
an option only."""
_SEEDS, _NUMBERS_OF_STEPS = st.integers(0, 2**32), st.integers(1, 4)
_STRETCHED = st.sampled_from((False, True))
"""Where options are among the deeds, half of the steps are one that is on for a stretch."""
_OTHER_SITES = ((0, 1, 2, 3), (2, 5, 7, 11), (255, 0, 128, 1))


def scenarios(
    base: Scenario,
    *,
    sites: int | Collection[int] | None = None,
    devices: int | None = None,
    faults: Collection[str] | None = None,
    without: Collection[str] = (),
    more: Mapping[str, Strategy] | None = None,
) -> st.SearchStrategy[Scenario]:
    """Scenarios around ``base``.

    ``sites``: how many sites, or their numbers; None: any that the program is made for. ``devices``: the most devices
    in a lot. ``faults``: only these kinds of deeds (:func:`~drycell.sim.explore.steps.kinds`), none for an empty
    collection; ``without``: not these. ``more``: kind of deed -> strategy of what a step may ``do``, as plain values,
    for kinds of your own or in place of the derived ones.

    Raises DrycellError for kinds and sites that do not exist.
    """
    about = known(base)
    chosen = _kinds(base.cell.dialect, faults, without, more or {})
    offered = _offered((*HARMLESS, *chosen), about, more or {})
    cells, lots = _cells(base, about, sites), _lots(about, devices)
    return _scenario(_dumped(base), base.folder, about, cells, lots, _swarms(offered), offered)


def clean(
    base: Scenario, *, sites: int | Collection[int] | None = None, devices: int | None = None
) -> st.SearchStrategy[Scenario]:
    """Scenarios in which nothing goes wrong and no oracle may be violated: no faults, a patient operator who only
    changes options, log levels, bins and inputs."""
    return scenarios(base, sites=sites, devices=devices, faults=())


@st.composite
def _scenario(
    draw: st.DrawFn,
    dumped: dict[str, Any],
    folder: Path,
    about: Known,
    cells: Strategy,
    lots: Strategy,
    swarms: Strategy,
    offered: Mapping[str, Callable[[Known], Strategy]],
) -> Scenario:
    """One scenario: ``dumped``, a base as plain values, with what is drawn in its place."""
    cell, devices = draw(cells), draw(lots)
    here = about.of(tuple(cell["sites"]), devices["size"])
    data = dumped | {
        "seed": draw(_SEEDS),
        "cell": dumped["cell"] | cell,
        "devices": dumped["devices"] | devices,
        "timeline": _timeline(draw, draw(swarms), here, offered),
    }
    return from_data(data, folder=folder)


def _dumped(base: Scenario) -> dict[str, Any]:
    """The base as plain values, with what its own lot alone was about left out."""
    data = base.model_dump(mode="json", by_alias=True)
    limits = data["limits"] | {"virtual_s": min(base.limits.virtual_s, VIRTUAL_S)}
    return data | {"expect": _expected(base), "limits": limits, "shows": None}


def _offered(
    chosen: Iterable[str], about: Known, more: Mapping[str, Strategy]
) -> dict[str, Callable[[Known], Strategy]]:
    """Kind of deed -> its strategy in a cell, for the kinds that have anything to strike there."""
    makers = {kind: (lambda _, own=more[kind]: own) if kind in more else partial(deed, kind) for kind in chosen}
    return {kind: make for kind, make in makers.items() if not make(about).is_empty}


def _swarms(offered: Iterable[str]) -> Strategy:
    """The kinds of deeds in one scenario, in two groups: the harmless and the disturbing."""
    harmless = sorted((kind for kind in offered if kind in HARMLESS), key=lambda kind: kind != "options")
    disturbing = [kind for kind in offered if kind not in HARMLESS]
    often = harmless[:1] * len(harmless) + harmless[1:]
    return st.tuples(_some(often, _MOST_HARMLESS), _some(disturbing, _MOST_DISTURBING))


def _some(kinds_: Sequence[str], most: int) -> Strategy:
    """From none to ``most`` of these kinds, each number as likely as the others."""
    if not kinds_:
        return st.just([])
    one = st.sampled_from(kinds_)
    some = [st.lists(one, min_size=n, max_size=n).map(dict.fromkeys).map(list) for n in range(most + 1)]
    return st.integers(0, most).flatmap(some.__getitem__)


def _timeline(
    draw: st.DrawFn, swarm: Sequence[Sequence[str]], here: Known, offered: Mapping[str, Callable[[Known], Strategy]]
) -> list[Any]:
    """Steps of these groups of kinds, one group as likely as the other; an option may also be on for a stretch."""
    deeds = [st.one_of([offered[kind](here) for kind in group]) for group in swarm if group]
    if not deeds:
        return []
    when, do = triggers(here), st.one_of(deeds)
    found: list[Any] = []
    for _ in range(draw(_NUMBERS_OF_STEPS)):
        if "options" in swarm[0] and draw(_STRETCHED):
            found += draw(stretch(here))
        else:
            found.append({**draw(when), "do": draw(do)})
    return found


def _cells(base: Scenario, about: Known, sites: int | Collection[int] | None) -> Strategy:
    """The drawn part of the cell: its sites and their places, handler or prober, operator, peripherals."""
    kept = base.cell.handler.model_dump(mode="json")
    handlers = st.fixed_dictionaries(
        {
            "index_time_s": st.sampled_from((0.1, 0.0, 0.3, 2.0)),
            "retest_bins": st.lists(st.sampled_from(about.hard_bins or (2,)), max_size=2, unique=True),
            "retests": st.integers(0, 3),
        },
    ).map(lambda drawn: {**kept, **drawn, "kind": "handler", "wafer": None})
    probers = st.fixed_dictionaries(
        {"columns": st.integers(1, 6), "rows": st.integers(1, 6), "change_time_s": st.sampled_from((1.0, 20.0))}
    ).map(lambda wafer: {**kept, "kind": "prober", "wafer": wafer})
    fixed = {
        "operator": st.fixed_dictionaries(
            {"resets": st.integers(0, 5), "reset_after_s": st.sampled_from((0.5, 0.0, 5.0, 20.0))}
        ),
        "handler": st.one_of(handlers, handlers, probers),
        "peripherals": st.fixed_dictionaries(
            {
                name: st.fixed_dictionaries(
                    {"latency_s": st.sampled_from((entry.latency_s, 0.0, 0.5)), "answer": st.just(entry.answer)}
                )
                for name, entry in base.cell.peripherals.items()
            }
        ),
    }
    return st.builds(lambda places, rest: places | rest, _places(base, about, sites), st.fixed_dictionaries(fixed))


def _places(base: Scenario, about: Known, sites: int | Collection[int] | None) -> Strategy:
    """Sites with a layout that the program is made for."""
    if sites is None:
        wanted = [tuple(numbers) for numbers in _OTHER_SITES]
        choices = [(numbers[: len(layout)], layout) for layout in about.layouts for numbers in wanted]
    else:
        numbers = tuple(range(sites)) if isinstance(sites, int) else tuple(sites)
        choices = [(numbers, layout) for layout in about.layouts if len(layout) == len(numbers)]
    choices = [(numbers, layout) for numbers, layout in choices if len(numbers) == len(layout)]
    if not choices:
        made_for = ", ".join(str(len(layout)) for layout in about.layouts)
        raise DrycellError(f"sites={sites}: the program is made for {made_for} sites")
    return st.sampled_from(choices).map(
        lambda choice: {"sites": list(choice[0]), "layout": dict(zip(choice[0], choice[1], strict=True))}
    )


def _lots(about: Known, most_devices: int | None) -> Strategy:
    sizes = [size for size in LOT_SIZES if most_devices is None or size <= most_devices]
    if not sizes:
        raise DrycellError(f"devices={most_devices}: a lot has at least one device")
    spreads: Strategy = st.just({})
    if about.device_parameters:
        shares = st.sampled_from((0.0, 0.01, 0.1))
        spreads = st.dictionaries(st.sampled_from(about.device_parameters), shares, max_size=2)
    return st.fixed_dictionaries(
        {
            "size": st.sampled_from(sizes),
            "defects": st.sampled_from((0.0, 0.16, 0.6, 1.0)),
            "spread": spreads,
        }
    )


def _expected(base: Scenario) -> list[str]:
    """The base's oracles, and all that are not ambient, but for modelled peers that were told to break some."""
    told = base.rung == "model" and base.cell.quirks
    return [oracle.name for oracle in ORACLES.values() if oracle.name in base.expect or not (told or oracle.ambient)]


def _kinds(
    dialect: str, faults: Collection[str] | None, without: Collection[str], more: Mapping[str, Strategy]
) -> tuple[str, ...]:
    all_ = tuple(dict.fromkeys((*kinds(), *more)))
    for name in (*(faults or ()), *without):
        if name not in all_:
            raise DrycellError(f"there is no fault {name!r}; {did_you_mean(name, all_)}")
    offered = dict.fromkeys((*kinds(dialect), *more))
    return tuple(name for name in offered if (faults is None or name in faults) and name not in without)
