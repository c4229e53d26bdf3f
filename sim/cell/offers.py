"""What real programs find behind the names of their plugins: the offers of a cell's bridge."""

from collections.abc import Callable, Mapping

from drycell.sim.cell.actuator_calls import ActuatorCalls
from drycell.sim.cell.bridge import Calls, Offer
from drycell.sim.cell.instrument_calls import InstrumentCalls
from drycell.sim.cell.instruments import InstrumentServer
from drycell.sim.cell.port import Port
from drycell.sim.cell.tester_calls import CallsToTester
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import Tester
from drycell.sim.kernel import Kernel
from drycell.sim.scenario import Scenario
from drycell.sim.suggest import did_you_mean


def check_names(scenario: Scenario, instruments: Mapping[str, InstrumentServer]) -> None:
    """Raises DrycellError when a plugin's name leads to an instrument that the cell does not have."""
    for name, target in scenario.plugins.instruments.items():
        if target not in instruments:
            advice = did_you_mean(target, instruments)
            raise DrycellError(f"plugins.instruments.{name}: there is no instrument {target!r}; {advice}")


def offers(
    scenario: Scenario,
    kernel: Kernel,
    port: Callable[[str], Port],
    *,
    tester: Tester | None,
    instruments: Mapping[str, InstrumentServer],
    drivers: Mapping[str, str],
) -> dict[str, Offer]:
    """By kind; empty when the scenario names none. ``port(actor)`` makes the port of one who speaks at the cell;
    ``drivers``: instrument -> name of its driver."""
    cell, plugins = scenario.cell, scenario.plugins
    found: dict[str, Offer] = {}
    if cell.tester is not None and tester is not None:
        at, sites = port("tester"), max(cell.sites) + 1
        found["tester"] = Offer(cell.tester.names or None, lambda name, site: CallsToTester(at, tester, sites))
    if plugins.instruments:

        def instrument(name: str, site: int) -> Calls:
            target = plugins.instruments[name]
            put, record = instruments[target].put, kernel.journal.record
            return InstrumentCalls(kernel, target, put, record, drivers.get(target))

        found["instrument"] = Offer(plugins.instruments, instrument)
    if plugins.actuators:
        ports = {site: port(f"program{site}") for site in cell.sites}
        timeout_s = cell.timeouts.get("peripheral_s", cell.protocol.timeouts_s["peripheral_s"])
        topics = cell.protocol.topics(cell.device_id, cell.handler.id)

        def actuator(name: str, site: int) -> Calls:
            if site not in ports:
                raise ValueError(f"the cell has no site {site}")
            return ActuatorCalls(ports[site], cell.protocol, topics, site, plugins.actuators[name], timeout_s)

        found["actuator"] = Offer(plugins.actuators, actuator)
    return found
