"""Which classes play the roles of a dialect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drycell.sim.cell.base_master import BaseMaster
from drycell.sim.cell.master import Master
from drycell.sim.cell.master_specification import SpecificationMaster
from drycell.sim.cell.modelled_program import ModelledProgram
from drycell.sim.cell.sequencer import ModelledSequencer
from drycell.sim.cell.sequencer_specification import SpecificationSequencer
from drycell.sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Roles:
    """``master`` and ``program`` play these roles; ``settings(scenario)``: what only this master is told."""

    master: Callable[..., BaseMaster]
    program: Callable[..., ModelledProgram]
    settings: Callable[[Scenario], dict[str, Any]]


def _of_specification(scenario: Scenario) -> dict[str, Any]:
    return {"peripherals": tuple(scenario.cell.peripherals), "site_table": scenario.cell.protocol.tables["site"]}


ROLES = {
    "semi-ate": Roles(Master, ModelledSequencer, lambda scenario: {"loglevel": scenario.cell.loglevel}),
    "specification": Roles(SpecificationMaster, SpecificationSequencer, _of_specification),
}
"""By name of the dialect."""
