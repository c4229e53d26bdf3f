"""The bench of a cell: its sockets follow the test head, its instruments are served to programs and to the TCC."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from drycell.sim.cell.addresses import fixed_addresses, variable_of
from drycell.sim.cell.instruments import InstrumentServer
from drycell.sim.cell.seams import Seams
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import BenchRequest, Device, ServedBench, registry
from drycell.sim.lockstep import visa_environment
from drycell.sim.scenario import Scenario
from drycell.sim.suggest import did_you_mean

FIRST_CHANNEL = 1
"""Channels of bench instruments count from 1: site 0 is channel 1."""


class CellBench:
    """The scenario's bench, its instruments on servers. DrycellError for a description or a name that is wrong."""

    def __init__(
        self, scenario: Scenario, now_ns: Callable[[], int], record: Callable[..., object], seams: Seams
    ) -> None:
        wanted = scenario.bench
        assert wanted is not None
        self._bench = _made(scenario, now_ns)
        lone_site = "0" if scenario.cell.sites == (0,) else ""
        self.servers = {
            name: InstrumentServer(name, one, record, seams.reply, FIRST_CHANNEL, lone_site)
            for name, one in self._bench.served.items()
        }
        self.variables = {variable_of(name): name for name in self.servers} | dict(wanted.variables)
        self.drivers = self._bench.drivers
        self._resources = {**self._bench.resources, **wanted.resources}
        _check_names(scenario, self.servers, self._bench.resources)
        for site in range(max(scenario.cell.sites) + 1):
            self._bench.seat(site, None)

    def seat(self, site: int, device: Device | None) -> None:
        """A device touches ``site`` now, or nothing does."""
        self._bench.seat(site, device)

    def fixed_addresses(self) -> Iterator[tuple[str, int, str]]:
        """Addresses that the resources name: host, port (0: every one), instrument."""
        return fixed_addresses(self._resources)

    def visa_environment(self) -> dict[str, str]:
        """What leads a program's PyVISA to the instruments; only after their servers have started."""
        return visa_environment({resource: self.servers[name].address for resource, name in self._resources.items()})


def _made(scenario: Scenario, now_ns: Callable[[], int]) -> ServedBench:
    wanted = scenario.bench
    assert wanted is not None
    request = BenchRequest(
        now_ns,
        None if wanted.file is None else scenario.path_of(wanted.file),
        wanted.profile,
        max(scenario.cell.sites) + 1,
        scenario.seed,
    )
    return registry().bench(wanted.model, request)


def _check_names(scenario: Scenario, servers: Mapping[str, Any], resources: Mapping[str, str]) -> None:
    """Every instrument that the scenario names is there, and none is there twice."""
    wanted = scenario.bench
    assert wanted is not None
    twice = next((name for name in servers if name in scenario.instruments), None)
    if twice is not None:
        raise DrycellError(f"instruments: {twice!r} is also the name of an instrument of the bench; rename it")
    named = [(f"bench.variables.{key}", name) for key, name in wanted.variables.items()]
    named += [(f"bench.resources.{key}", name) for key, name in wanted.resources.items()]
    for kind, peripheral in scenario.cell.peripherals.items():
        named += [(f"cell.peripherals.{kind}.does.{ioctl}", deed.to) for ioctl, deed in peripheral.does.items()]
    for place, name in named:
        if name not in servers:
            raise DrycellError(f"{place}: the bench has no instrument {name!r}; {did_you_mean(name, servers)}")
    known = {*servers, *scenario.instruments}
    for address, name in scenario.hosts.items():
        if name not in known:
            raise DrycellError(f"hosts: {address} leads to {name!r}; {did_you_mean(name, known)}")
