"""Multimeter DMM-SIM-001: DC voltage, DC current (its shunt sits before the load), two-wire resistance.

Rules that hold here:
- A reading is true at the end of its integration time, nplc periods of the line, which costs simulated time.
- Noise is Gaussian, drawn from the run's seed reading by reading, 0 unless an option says otherwise.
- Readings have six decimals; more than 120 % of a range reads 9.9E+37.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Boolean, Call, Channels, Command, Failure, Number, Profile, boolean
from drycell.plugins_sim.instruments.scpi.parameters import Parameter
from drycell.plugins_sim.instruments.scpi.response import number, quoted
from drycell.plugins_sim.physics.circuit import Element
from drycell.plugins_sim.physics.elements import SENSE_OHM, Resistor, SourceMeasure
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.streams import stream

RANGES = MappingProxyType(
    {
        "VOLT:DC": (0.1, 1.0, 10.0, 100.0, 1000.0),
        "CURR:DC": (0.001, 0.01, 0.1, 1.0, 3.0, 10.0),
        "RES": (100.0, 1e3, 1e4, 1e5, 1e6, 1e7),
    }
)
_NAMES = MappingProxyType({"VOLT:DC": "VOLTage[:DC]", "CURR:DC": "CURRent[:DC]", "RES": "RESistance"})
_UNITS = MappingProxyType({"VOLT:DC": "V", "CURR:DC": "A", "RES": "OHM"})
OVERLOAD = 1.2
TEST_VOLTS_LIMIT = 12.0
READINGS_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class MultimeterOptions:
    """``noise_*``: standard deviation of a reading at 1 power line cycle; ``shunt_ohm``: in the current path."""

    nplc: float = 1.0
    line_hz: float = 50.0
    noise_volts: float = 0.0
    noise_amperes: float = 0.0
    noise_ohm: float = 0.0
    shunt_ohm: float = SENSE_OHM


@dataclass(frozen=True, slots=True)
class Range:
    """What a range parameter says: None is automatic."""

    ranges: tuple[float, ...]
    unit: str
    optional: bool = True

    def read(self, text: str, limits: bool) -> float | None:
        """The smallest range that holds the number; None for AUTO and DEF."""
        if text.upper() in ("AUTO", "DEF", "DEFAULT"):
            return None
        number = Number(self.unit, 0.0, self.ranges[-1], self.ranges[0])
        value = self.ranges[0] if text.upper() in ("MIN", "MINIMUM") else number.read(text, limits)
        return next((r for r in self.ranges if r >= value * (1 - 1e-9)), self.ranges[-1])


class Multimeter(BenchInstrument):
    """Terminals: ``volts`` is measured against ground, ``amps_in`` to ``amps_out`` is the current path."""

    MODEL, SERIAL = "DMM-SIM-001", "DMMSIM001"
    TERMINALS = MappingProxyType({"volts": "out", "amps_in": "out", "amps_out": "load"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(MultimeterOptions, setup.options, setup.name)
        if not (0.001 <= o.nplc <= 1000.0 and o.line_hz > 0.0 and o.shunt_ohm > 0.0):
            raise DrycellError(f"the options of {setup.name}: nplc is 0.001 to 1000, line_hz and shunt_ohm above 0.")
        node = self._nodes
        self._shunts = [Resistor(node["amps_in"], node["amps_out"], o.shunt_ohm) for _ in range(setup.sites)]
        self._testers = [SourceMeasure(node["volts"], kind="curr") for _ in range(setup.sites)]
        self._noise = stream(setup.seed, "instrument", setup.name, "noise")
        self._defaults()
        self.scpi = self.scpi_face(self._commands(), self._reset, trigger=self._initiate)

    def _defaults(self) -> None:
        self._function = "VOLT:DC"
        self._ranges: dict[str, float | None] = dict.fromkeys(RANGES)
        self._nplc = self._options.nplc
        self._samples = 1
        self._stored: list[float] = []

    def board(self, site: int) -> Sequence[Element]:
        return (self._shunts[site], self._testers[site])

    # the table -----------------------------------------------------------------------------------------------------

    def _commands(self) -> tuple[Command, ...]:
        channels = self.channel_list()
        rows: list[Command] = [*self.selection()]
        for function in RANGES:
            rows += self._function_rows(function, channels)
        return (
            *rows,
            Command("CONFigure", ask=lambda call: quoted(self._function)),
            Command("[SENSe]:FUNCtion", ask=lambda call: quoted(self._function)),
            Command("READ", ask=self._read, asks=(channels,), cost_s=lambda call: self._cost_s * self._samples),
            Command("INITiate[:IMMediate]", lambda call: self._initiate()),
            Command("FETCh", ask=self._fetch),
            Command(
                "SAMPle:COUNt", self._set_samples, lambda call: str(self._samples),
                (Number(low=1, high=READINGS_LIMIT, default=1, whole=True),),
            ),
        )  # fmt: skip

    def _function_rows(self, function: str, channels: Channels) -> list[Command]:
        name, unit = _NAMES[function], _UNITS[function]
        ranging = Range(RANGES[function], unit)
        resolution = Number(unit, 0.0, RANGES[function][-1], 0.0, optional=True)
        takes: tuple[Parameter, ...] = (ranging, resolution)

        def configure(call: Call) -> None:
            self._function, self._ranges[function] = function, call[0]

        def measure(call: Call) -> str:
            configure(call)
            return ",".join(self._shown(site) for site in self.targets(call, 2))

        def set_range(call: Call) -> None:
            self._ranges[function] = call[0]

        def set_automatic(call: Call) -> None:
            self._ranges[function] = None if call[0] else (self._ranges[function] or RANGES[function][-1])

        def shown_range(call: Call) -> str:
            return f"{self._ranges[function] or RANGES[function][-1]:g}"

        return [
            Command(f"CONFigure:{name}", configure, takes=takes),
            Command(
                f"MEASure[:SCALar]:{name}", ask=measure, asks=(*takes, channels), cost_s=lambda call: self._cost_s
            ),
            Command(f"[SENSe]:{name}:RANGe[:UPPer]", set_range, shown_range, (Range(RANGES[function], unit, False),)),
            Command(
                f"[SENSe]:{name}:RANGe:AUTO",
                set_automatic,
                lambda call: boolean(self._ranges[function] is None),
                (Boolean(),),
            ),
            Command(
                f"[SENSe]:{name}:NPLCycles",
                self._set_nplc,
                lambda call: f"{self._nplc:g}",
                (Number(low=0.001, high=1000.0, default=1.0),),
                show=lambda value: f"{value:g}",
            ),
        ]

    # measuring -----------------------------------------------------------------------------------------------------

    @property
    def _cost_s(self) -> float:
        return 0.0 if self.setup.profile is Profile.SEED else self._nplc / self._options.line_hz

    def true_value(self, site: int) -> float:
        """What the selected function would read without noise and range."""
        reading = self.world.read(site)
        if self._function == "VOLT:DC":
            return reading.solution.voltage(self._nodes["volts"])
        if self._function == "CURR:DC":
            return reading.solution.current(self._shunts[site])
        amperes = 1.0 / max(self._ranges["RES"] or 1e3, 1e3)
        tester = self._testers[site]
        tester.level.target, tester.limit, tester.on = amperes, TEST_VOLTS_LIMIT, True
        try:
            solution = self.world.sites[site].probe(reading)
        finally:
            tester.on = False
        volts = solution.voltage(self._nodes["volts"])
        return math.inf if solution.mode(tester) != "set" else volts / amperes

    def _value(self, site: int) -> float:
        o = self._options
        sigma = {"VOLT:DC": o.noise_volts, "CURR:DC": o.noise_amperes, "RES": o.noise_ohm}[self._function]
        value = self.true_value(site)
        if sigma > 0.0:
            value += sigma / math.sqrt(self._nplc) * float(self._noise.standard_normal())
        limit = (self._ranges[self._function] or RANGES[self._function][-1]) * OVERLOAD
        return math.copysign(math.inf, value) if abs(value) > limit else value

    def _shown(self, site: int) -> str:
        return number(self._value(site), 6)

    def _read(self, call: Call) -> str:
        return ",".join(self._shown(site) for site in self.targets(call, 0) for _ in range(self._samples))

    def _initiate(self) -> None:
        self._stored = [self._value(self._selected) for _ in range(self._samples)]
        self.scpi.busy_for(self._cost_s * self._samples)

    def _fetch(self, call: Call) -> str:
        if not self._stored:
            raise Failure(-230, "there is no reading yet; send INIT or READ?")
        return ",".join(number(value, 6) for value in self._stored)

    def _set_samples(self, call: Call) -> None:
        self._samples = int(call[0])

    def _set_nplc(self, call: Call) -> None:
        self._nplc = call[0]

    def _reset(self) -> None:
        self._defaults()
        self._selected = 0
