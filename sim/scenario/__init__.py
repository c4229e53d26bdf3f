"""Scenario model and its loading from YAML or JSON. Pure: text in, validated values out.

Nothing here starts, waits or draws; a scenario is a value. May import ``drycell.runtime`` (names of timeouts, quirks)
and nothing else of ``drycell.sim`` but the errors and the words of the kernel's pace.
"""

from drycell.sim.scenario.actions import (
    Action,
    BinMap,
    Kill,
    OperatorAction,
    Option,
    Options,
    Parameter,
)
from drycell.sim.scenario.cell import Cell, Handler, Operator, Peripheral, Wafer
from drycell.sim.scenario.loading import canonical, from_data, from_text, identity, load, with_overrides
from drycell.sim.scenario.mistakes import Mistake, ScenarioError
from drycell.sim.scenario.model import Devices, Instrument, Limits, Program, Scenario, Shows
from drycell.sim.scenario.timeline import Step, Trigger

__all__ = [
    "Action",
    "BinMap",
    "Cell",
    "Devices",
    "Handler",
    "Instrument",
    "Kill",
    "Limits",
    "Mistake",
    "Operator",
    "OperatorAction",
    "Option",
    "Options",
    "Parameter",
    "Peripheral",
    "Program",
    "Scenario",
    "ScenarioError",
    "Shows",
    "Step",
    "Trigger",
    "Wafer",
    "canonical",
    "from_data",
    "from_text",
    "identity",
    "load",
    "with_overrides",
]
