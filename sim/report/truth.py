"""The devices' true values: what only the simulator knows, for comparison with what the program measured.

Rules
- A journal that has them is believed.
- Otherwise they are drawn again, which gives the same values because a device is a pure function of scenario and
  seed; but only for a run of this very version of drycell, and never instead of an error.
"""

from collections.abc import Iterable

from drycell import __version__
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import PopulationRequest, registry
from drycell.sim.report.parts import Device
from drycell.sim.scenario import Scenario

FROM_JOURNAL = "as the journal has them"
FROM_SEED = "drawn again from scenario and seed"


def add_true_values(devices: Iterable[Device], scenario: Scenario | None, version: str | None) -> str:
    """Fill in ``true`` where it is missing; returns where the values come from, or "" when there are none."""
    found = list(devices)
    if any(device.true for device in found):
        return FROM_JOURNAL
    if scenario is None or version != __version__:
        return ""
    made = scenario.devices
    request = PopulationRequest(scenario.seed, made.lot, made.size, made.defects, dict(made.spread))
    try:
        population = registry().population(made.model, request)
        for device in found:
            device.true = dict(population.device(device.number).parameters)
    except (DrycellError, IndexError):
        for device in found:
            device.true = None
        return ""
    return FROM_SEED if found else ""
