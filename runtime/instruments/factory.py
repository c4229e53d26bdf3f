"""From a configuration to instruments: the same program on a simulated and on a real bench by one changed word."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, Self, TypeVar

from drycell.runtime.instruments.drivers import (
    ElectronicLoadDriver,
    MultimeterDriver,
    PowerSupplyDriver,
    ThermalChamberDriver,
)
from drycell.runtime.instruments.interfaces import IElectronicLoad, IMultimeter, IPowerSupply, IThermalChamber
from drycell.runtime.instruments.scpi_driver import BaseDriver
from drycell.runtime.instruments.transports import TCPTransport, Transport
from drycell.runtime.instruments.visa import VisaTransport

BACKENDS = ("simulator", "pyvisa")
_SIMULATOR_KEYS = {
    "host": "simulator_host",
    "thermal_chamber_port": "chamber_port",
    "power_supply_port": "psu_port",
    "multimeter_port": "dmm_port",
    "electronic_load_port": "load_port",
}
_PYVISA_KEYS = {
    "thermal_chamber": "chamber_visa",
    "power_supply": "psu_visa",
    "multimeter": "dmm_visa",
    "electronic_load": "load_visa",
}

Driver = TypeVar("Driver", bound=BaseDriver)


@dataclass(frozen=True, slots=True)
class InstrumentConfig:
    """Where the instruments are. ``backend``: simulator (TCP, ports as ``drycell serve`` has them) or pyvisa.

    ``check_errors``: ask for errors after every command. ``load_port`` or ``load_visa`` None: no load.
    """

    backend: str = "simulator"
    simulator_host: str = "localhost"
    chamber_port: int = 5001
    psu_port: int = 5002
    dmm_port: int = 5003
    load_port: int | None = 5004
    chamber_visa: str | None = None
    psu_visa: str | None = None
    dmm_visa: str | None = None
    load_visa: str | None = None
    timeout_s: float = 5.0
    check_errors: bool = True

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Self:
        """From the section ``instruments`` of a configuration file: backend, simulator: {...}, pyvisa: {...}.

        Raises ValueError for a key that has no meaning.
        """
        values: dict[str, Any] = {}
        own = {"backend", "timeout_s", "check_errors"}
        for key, value in data.items():
            if key in own:
                values[key] = value
            elif key in ("simulator", "pyvisa"):
                names = _SIMULATOR_KEYS if key == "simulator" else _PYVISA_KEYS
                for name, inner in (value or {}).items():
                    if name not in names:
                        raise ValueError(f"instruments.{key}.{name} has no meaning; known are {', '.join(names)}")
                    values[names[name]] = inner
            else:
                raise ValueError(
                    f"instruments.{key} has no meaning; known are {', '.join(sorted(own))}, simulator, pyvisa"
                )
        return cls(**values)


@dataclass(frozen=True, slots=True)
class InstrumentSet:
    """The instruments of a bench. ``with`` connects them all and disconnects them whatever happens."""

    chamber: IThermalChamber
    psu: IPowerSupply
    dmm: IMultimeter
    load: IElectronicLoad | None = None
    _open: ExitStack = field(default_factory=ExitStack, compare=False, repr=False)

    def connect(self) -> None:
        """Connect every instrument; all or none. ConnectionError for the first that cannot be reached."""
        with ExitStack() as stack:
            for one in fields(self):
                driver = getattr(self, one.name)
                if isinstance(driver, BaseDriver) and not driver.is_connected:
                    stack.enter_context(driver)
            self._open.push(stack.pop_all())

    def disconnect(self) -> None:
        """Disconnect every instrument; never raises."""
        self._open.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()


class InstrumentFactory:
    """Makes instrument sets."""

    @staticmethod
    def create(config: InstrumentConfig) -> InstrumentSet:
        """The set of ``config``, not yet connected. ValueError for an unknown backend or a missing address."""
        ways: Mapping[str, Callable[[InstrumentConfig, str], Transport]] = {"simulator": _tcp, "pyvisa": _visa}
        if config.backend not in ways:
            raise ValueError(f"backend {config.backend!r} is unknown; use {' or '.join(BACKENDS)}")
        way = ways[config.backend]

        def make(kind: type[Driver], name: str) -> Driver:
            return kind(way(config, name), config.check_errors)

        address = config.load_port if config.backend == "simulator" else config.load_visa
        return InstrumentSet(
            make(ThermalChamberDriver, "chamber"),
            make(PowerSupplyDriver, "psu"),
            make(MultimeterDriver, "dmm"),
            None if address is None else make(ElectronicLoadDriver, "load"),
        )


def _tcp(config: InstrumentConfig, name: str) -> Transport:
    return TCPTransport(config.simulator_host, getattr(config, f"{name}_port"), config.timeout_s)


def _visa(config: InstrumentConfig, name: str) -> Transport:
    resource = getattr(config, f"{name}_visa")
    if not resource:
        raise ValueError(f"backend pyvisa needs {name}_visa, such as TCPIP::10.0.0.5::INSTR")
    return VisaTransport(resource, config.timeout_s)
