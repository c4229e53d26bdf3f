"""What a drawn scenario may name: sites, devices, bins, inputs, peripherals. Learnt from a base scenario."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from drycell.sim.cell.program_model import ProgramModel, load_program_model
from drycell.sim.hooks import PopulationRequest, registry
from drycell.sim.scenario import Scenario
from drycell.sim.scenario.cell import default_layout

_SETTLE_MOST_S = 1.0
"""Longer pauses of every test would add up to a late result, which the operator alone would be to blame for."""
Layout = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Known:
    """The names and numbers that make sense in one cell. Compared by identity, so that strategies can be kept by it.

    ``layouts``: places of the sites that the program is made for. ``inputs``: inputs of tests that the operator may
    set, with their range. ``soft_bins``/``hard_bins``: of the program's bin table. ``tests``: how many tests it has.
    ``timeouts_s``: every duration at which the protocol gives up.
    """

    sites: tuple[int, ...]
    layouts: tuple[Layout, ...]
    devices: int
    lot: str
    peripherals: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    device_parameters: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    soft_bins: tuple[int, ...] = ()
    hard_bins: tuple[int, ...] = ()
    tests: int = 1
    timeouts_s: tuple[float, ...] = ()

    @lru_cache(maxsize=1024)  # noqa: B019  # as long-lived as the strategies that are kept by it
    def of(self, sites: tuple[int, ...], devices: int) -> Self:
        """The same for a cell with these sites and a lot of so many devices; the same object each time."""
        return replace(self, sites=sites, devices=devices)

    @property
    def touchdowns(self) -> int:
        """How many touchdowns the lot takes, without retests."""
        return math.ceil(self.devices / len(self.sites))


def known(base: Scenario) -> Known:
    """What is known of the cell, the devices and, when it has definitions, the program of ``base``.

    Raises DrycellError for definitions that cannot be read and for an unknown device model.
    """
    cell, devices = base.cell, base.devices
    about = Known(
        sites=cell.sites,
        layouts=(tuple(cell.layout[site] for site in cell.sites),),
        devices=devices.size,
        lot=devices.lot,
        peripherals=tuple(kind for kind, one in cell.peripherals.items() if one.owner == "tcc"),
        instruments=tuple(base.instruments),
        device_parameters=_device_parameters(base),
        timeouts_s=_timeouts_s(base),
    )
    if base.program.definitions is None:
        return about
    return _with_program(about, base, load_program_model(base.path_of(base.program.definitions)))


def _with_program(about: Known, base: Scenario, program: ProgramModel) -> Known:
    inputs = {
        f"{test.instance}.{name}": (entry.low, _SETTLE_MOST_S if name == test.settle_input else entry.high)
        for test in program.tests
        for name, entry in test.inputs.items()
        if entry.shmoo
    }
    return replace(
        about,
        layouts=_layouts(base, program) or about.layouts,
        inputs=inputs,
        soft_bins=tuple(program.bin_names),
        hard_bins=tuple(program.bin_table),
        tests=len(program.tests),
    )


def _layouts(base: Scenario, program: ProgramModel) -> tuple[Layout, ...]:
    """The layouts that the program is made for; one that the base names itself too."""
    own = tuple(base.cell.layout[site] for site in base.cell.sites)
    chosen = () if base.cell.layout == default_layout(base.cell.sites) else (own,)
    return tuple(sorted({*chosen, *program.strategies}, key=lambda layout: (len(layout), layout)))


def _device_parameters(base: Scenario) -> tuple[str, ...]:
    request = PopulationRequest(base.seed, base.devices.lot, 1)
    return tuple(registry().population(base.devices.model, request).device(1).parameters)


def _timeouts_s(base: Scenario) -> tuple[float, ...]:
    usual = {name: float(seconds) for name, seconds in base.cell.protocol.timeouts_s.items()}
    changed = {str(name): seconds for name, seconds in base.cell.timeouts.items()}
    return tuple(sorted({*(usual | changed).values()}))
