"""A bench from its description: device, chamber, instruments and the wires between them, on one clock.

Rules that hold here:
- Everything hangs on nodes by name: ``in`` and ``out`` are the usual pins of a device, ``load`` lies behind the
  multimeter's shunt, ``smu`` before the switch matrix, ``gnd`` is ground.
- A description without ``instruments`` gets all eight of them on ports 5001 to 5008.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drycell.plugins_sim.devices.ldo import Ldo as Drawn
from drycell.plugins_sim.devices.on_bench import on_bench
from drycell.plugins_sim.instruments import pyvisa_sim
from drycell.plugins_sim.instruments.chamber import Chamber
from drycell.plugins_sim.instruments.common import BenchInstrument, Setup
from drycell.plugins_sim.instruments.described import Described
from drycell.plugins_sim.instruments.digitizer import Digitizer
from drycell.plugins_sim.instruments.files import read_file, refuse_unknown, section
from drycell.plugins_sim.instruments.load import ElectronicLoad
from drycell.plugins_sim.instruments.magnet import Magnet
from drycell.plugins_sim.instruments.multimeter import Multimeter
from drycell.plugins_sim.instruments.scpi import Profile
from drycell.plugins_sim.instruments.smu import SourceMeasureUnit
from drycell.plugins_sim.instruments.supply import PowerSupply
from drycell.plugins_sim.instruments.switch import SwitchMatrix
from drycell.plugins_sim.physics.circuit import Element
from drycell.plugins_sim.physics.devices import DeviceModel, Diode, Part, make_device
from drycell.plugins_sim.physics.dut_site import Site
from drycell.plugins_sim.physics.elements import Resistor
from drycell.plugins_sim.physics.thermal import ThermalConstants
from drycell.plugins_sim.physics.world import World
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import Device, ServedInstrument
from drycell.sim.suggest import did_you_mean

FIRST_PORT = 5001
SITES_LIMIT = 64
MODELS: Mapping[str, Callable[[Setup], BenchInstrument]] = {
    "chamber": Chamber,
    "supply": PowerSupply,
    "multimeter": Multimeter,
    "load": ElectronicLoad,
    "smu": SourceMeasureUnit,
    "digitizer": Digitizer,
    "switch": SwitchMatrix,
    "magnet": Magnet,
}
USUAL = (
    ("chamber", "chamber"), ("psu", "supply"), ("dmm", "multimeter"), ("load", "load"), ("smu", "smu"),
    ("digitizer", "digitizer"), ("switch", "switch"), ("magnet", "magnet"),
)  # fmt: skip
_DRIVERS = {MODELS[model]: name for name, model in USUAL}  # drivers are called as the usual bench calls instruments
_KEYS = ("sites", "seed", "profile", "device", "thermal", "instruments", "board")
_INSTRUMENT_KEYS = ("model", "file", "device", "port", "resources", "latency_s", "connect", "options")
Read = Callable[[Path], Mapping[str, Any]]
_EMPTY = Part((), ())


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench ready for use. ``served``: every instrument by name as it is reached; ``ports``: where it listens;
    ``resources``: VISA resource names by which programs know instruments."""

    world: World
    instruments: Mapping[str, BenchInstrument]
    served: Mapping[str, ServedInstrument]
    ports: Mapping[str, int]
    resources: Mapping[str, str]

    def ask(self, instrument: str, message: str) -> str:
        """One message to an instrument, in-process and without its latency. Raises KeyError for an unknown name."""
        return self.served[instrument].answer(message)

    @property
    def drivers(self) -> Mapping[str, str]:
        """Instrument -> the name of its driver in ``runtime.instruments``, for those of a known model."""
        return {name: _DRIVERS[type(one)] for name, one in self.instruments.items() if type(one) in _DRIVERS}

    def insert(self, site: int, device: DeviceModel | None) -> None:
        """Put a device into a socket, or take it out (None)."""
        self.world.insert(site, device or _EMPTY)

    def seat(self, site: int, device: Device | None) -> None:
        """Put a device of a lot into a socket (None: take it out). DrycellError if it has no electrical model."""
        if device is None:
            self.insert(site, None)
        elif isinstance(device, Drawn):
            self.insert(site, on_bench(device, site))
        elif isinstance(device, DeviceModel):
            self.insert(site, device)
        else:
            raise DrycellError(f"a {type(device).__name__} has no electrical model; the bench knows the ldo model.")


def load_bench(path: Path, now_ns: Callable[[], int], overrides: Mapping[str, Any] | None = None) -> Bench:
    """The bench that a YAML file describes, or the resources of a file of pyvisa-sim.

    ``overrides`` win over its keys. Raises DrycellError for mistakes.
    """
    data = read_file(path)
    if pyvisa_sim.is_one(data):
        data = {"instruments": pyvisa_sim.instruments(data, path)}
    return make_bench({**data, **(overrides or {})}, now_ns, path.parent, str(path))


def make_bench(
    data: Mapping[str, Any], now_ns: Callable[[], int], folder: Path = Path(), where: str = "the bench"
) -> Bench:
    """The bench that ``data`` describes (see docs/instruments.md); files it names are relative to ``folder``."""
    refuse_unknown(data, _KEYS, where)
    sites = _whole(data.get("sites", 1), 1, SITES_LIMIT, f"{where}: sites")
    common = Setup("", now_ns, sites, _whole(data.get("seed", 0), 0, 2**64 - 1, f"{where}: seed"), _profile(data))
    read = cache(read_file)  # several instruments may stand in one file
    made: dict[str, BenchInstrument | pyvisa_sim.PyvisaSimDevice] = {}
    ports: dict[str, int] = {}
    resources: dict[str, str] = {}
    entries = section(data, "instruments", where) or {name: {"model": model} for name, model in USUAL}
    for index, (name, entry) in enumerate(entries.items()):
        place = f"{where}: instrument {name}"
        if not isinstance(entry, Mapping):
            raise DrycellError(f"{place} must be a mapping with the key model or file.")
        refuse_unknown(entry, _INSTRUMENT_KEYS, place)
        shunt = any(isinstance(e, Mapping) and e.get("model") == "multimeter" for e in entries.values())
        made[name] = _instrument(name, _behind_shunt(entry) if shunt else entry, common, read, folder, place)
        ports[name] = _whole(entry.get("port", FIRST_PORT + index), 0, 65535, f"{place}: port")
        for resource in _resources(entry, place):
            if resource in resources:
                raise DrycellError(f"{place}: {resource} is the resource of {resources[resource]} already.")
            resources[resource] = name
    own = {name: one for name, one in made.items() if isinstance(one, BenchInstrument)}
    world = _world(data, sites, own, now_ns, where)
    for instrument in own.values():
        instrument.join(world)
    served = {name: one.scpi if isinstance(one, BenchInstrument) else one for name, one in made.items()}
    return Bench(world, own, served, ports, resources)


def _world(
    data: Mapping[str, Any],
    sites: int,
    instruments: Mapping[str, BenchInstrument],
    now_ns: Callable[[], int],
    where: str,
) -> World:
    device = section(data, "device", where)
    refuse_unknown(device, ("model", "parameters"), f"{where}: device")
    parameters = section(device, "parameters", f"{where}: device")
    constants = _constants(section(data, "thermal", where), "thermal_shutdown_c" in parameters, where)
    extra = data.get("board", ())
    if not isinstance(extra, (list, tuple)):
        raise DrycellError(f"{where}: board must be a list of parts.")
    made = []
    for index in range(sites):
        board = [element for instrument in instruments.values() for element in instrument.board(index)]
        board += [_part(entry, f"{where}: board") for entry in extra]
        model = str(device.get("model", "ldo"))
        specimen = _EMPTY if model == "none" else make_device(model, parameters)
        made.append(Site(specimen, board, constants))
    return World(made, now_ns, constants)


def _instrument(
    name: str, entry: Mapping[str, Any], common: Setup, read: Read, folder: Path, where: str
) -> BenchInstrument | pyvisa_sim.PyvisaSimDevice:
    latency_s = entry.get("latency_s", 0.0)
    if isinstance(latency_s, bool) or not isinstance(latency_s, (int, float)):
        raise DrycellError(f"{where}: latency_s is {latency_s!r}; it must be a number of seconds.")
    connect = {terminal: str(node) for terminal, node in section(entry, "connect", where).items()}
    setup = Setup(
        name, common.now_ns, common.sites, common.seed, common.profile, float(latency_s),
        section(entry, "options", where), connect,
    )  # fmt: skip
    if "file" in entry:
        path = folder / str(entry["file"])
        data = read(path)
        if "drycell-instrument" in data:
            return Described(setup, data, path)
        device = entry.get("device")
        return pyvisa_sim.load(data, path, None if device is None else str(device), common.seed, name)
    model = entry.get("model")
    if model not in MODELS:
        raise DrycellError(f"{where}: there is no model {model!r}; {did_you_mean(str(model), MODELS)}")
    return MODELS[str(model)](setup)


def _behind_shunt(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A load takes its current through the multimeter's shunt, unless the bench wires it otherwise."""
    if entry.get("model") != "load" or entry.get("connect"):
        return entry
    return {**entry, "connect": {"in": "load"}}


def _constants(data: Mapping[str, Any], feedback: bool, where: str) -> ThermalConstants:
    known = ("chamber_time_constant_s", "case_time_constant_s", "theta_jc", "theta_ca", "junction_feedback")
    refuse_unknown(data, known, f"{where}: thermal")
    for key, value in data.items():
        if isinstance(value, bool) != (key == "junction_feedback") or not isinstance(value, (int, float)):
            raise DrycellError(
                f"{where}: thermal.{key} is {value!r}; junction_feedback is a truth, the rest numbers."
            )
    return ThermalConstants(**{"junction_feedback": feedback, **data})


def _part(entry: Any, where: str) -> Element:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("between"), (list, tuple)):
        raise DrycellError(f"{where}: a part is a mapping such as {{between: [out, gnd], ohm: 1000}}.")
    refuse_unknown(entry, ("between", "ohm", "diode"), where)
    nodes = [str(node) for node in entry["between"]]
    value = entry.get("ohm", entry.get("diode"))
    if len(nodes) != 2 or isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0.0:
        raise DrycellError(f"{where}: a part lies between two nodes and has an ohm or diode (amperes) above 0.")
    plus, minus = nodes
    return Resistor(plus, minus, float(value)) if "ohm" in entry else Diode(plus, minus, float(value))


def _profile(data: Mapping[str, Any]) -> Profile:
    word = data.get("profile", "scpi")
    try:
        return Profile(word)
    except ValueError:
        raise DrycellError(f"profile {word!r} is unknown; use scpi or seed.") from None


def _resources(entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
    given = entry.get("resources", ())
    listed = (given,) if isinstance(given, str) else given
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, str) and one for one in listed):
        raise DrycellError(f"{where}: resources is {given!r}; write VISA resource names such as [GPIB0::5::INSTR].")
    return tuple(listed)


def _whole(value: Any, low: int, high: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DrycellError(f"{where} is {value!r}; it must be a whole number from {low} to {high}.")
    return value
