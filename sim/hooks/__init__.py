"""The "drycell" hookspec: how device models, instruments, faults and oracles are found.

A plugin is any object with hook functions, named by an entry point of group ``drycell``. Nothing of
``drycell.plugins_sim`` is ever imported here: our own plugins come the same way as everybody else's.
"""

from drycell.sim.hooks.registry import Registry, registry
from drycell.sim.hooks.spec import (
    BenchRequest,
    Device,
    DeviceAt,
    Instrument,
    Planned,
    Population,
    PopulationRequest,
    Prepared,
    Seated,
    ServedBench,
    ServedInstrument,
    Tester,
    hookimpl,
    hookspec,
)

__all__ = [
    "BenchRequest",
    "Device",
    "DeviceAt",
    "Instrument",
    "Planned",
    "Population",
    "PopulationRequest",
    "Prepared",
    "Registry",
    "Seated",
    "ServedBench",
    "ServedInstrument",
    "Tester",
    "hookimpl",
    "hookspec",
    "registry",
]
