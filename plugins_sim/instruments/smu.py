"""Source-measure unit SM-SIM-001: sources voltage or current in four quadrants, measures both, limits the other."""

import math
from dataclasses import dataclass
from types import MappingProxyType

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Boolean, Call, Choice, Command, Number, boolean
from drycell.plugins_sim.instruments.scpi.response import scientific
from drycell.plugins_sim.physics.elements import SourceMeasure
from drycell.sim.errors import DrycellError

COMPLIANCE_BIT = 1  # QUEStionable status
LEAST_LIMIT_A, LEAST_LIMIT_V = 1e-9, 1e-3


@dataclass(frozen=True, slots=True)
class SmuOptions:
    """``settle_s``: time constant of the source after a new level."""

    max_volts: float = 40.0
    max_amperes: float = 3.0
    limit_volts: float = 20.0
    limit_amperes: float = 0.1
    settle_s: float = 0.0


class SourceMeasureUnit(BenchInstrument):
    """Currents count as given by the unit. Its usual node is ``smu``, which a switch matrix leads to the device."""

    MODEL, SERIAL = "SM-SIM-001", "SMSIM001"
    TERMINALS = MappingProxyType({"hi": "smu"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(SmuOptions, setup.options, setup.name)
        if not (
            LEAST_LIMIT_V <= o.limit_volts <= o.max_volts
            and LEAST_LIMIT_A <= o.limit_amperes <= o.max_amperes
            and o.settle_s >= 0.0
        ):
            raise DrycellError(f"the limits of {setup.name} must be above 0 and at most max_volts and max_amperes.")
        self._units = [SourceMeasure(self._nodes["hi"]) for _ in range(setup.sites)]
        self._levels = [self._defaults() for _ in range(setup.sites)]
        for site, unit in enumerate(self._units):
            unit.level.settle_s = o.settle_s
            self._apply(site, 0.0, fresh=True)
        self.scpi = self.scpi_face(self._commands(), self._reset, conditions=self._conditions)

    def _defaults(self) -> dict[str, float]:
        o = self._options
        return {"VOLT": 0.0, "CURR": 0.0, "VOLT:PROT": o.limit_volts, "CURR:PROT": o.limit_amperes}

    def board(self, site: int) -> tuple[SourceMeasure]:
        return (self._units[site],)

    def _commands(self) -> tuple[Command, ...]:
        o, units, channels = self._options, self._units, self.channel_list()
        return (
            *self.selection(),
            self._level("VOLT", "[SOURce]:VOLTage[:LEVel]", Number("V", -o.max_volts, o.max_volts)),
            self._level("CURR", "[SOURce]:CURRent[:LEVel]", Number("A", -o.max_amperes, o.max_amperes)),
            self._level(
                "VOLT:PROT", "[SENSe]:VOLTage:PROTection[:LEVel]", Number("V", LEAST_LIMIT_V, o.max_volts, 20.0)
            ),
            self._level(
                "CURR:PROT", "[SENSe]:CURRent:PROTection[:LEVel]", Number("A", LEAST_LIMIT_A, o.max_amperes, 0.1)
            ),
            Command(
                "[SOURce]:FUNCtion[:MODE]",
                self._set_kind,
                self.per_site(lambda site: units[site].kind.upper()),
                (Choice(("VOLTage", "CURRent")), channels),
                (channels,),
            ),
            Command(
                "OUTPut[:STATe]",
                self._switch,
                self.per_site(lambda site: boolean(units[site].on)),
                (Boolean(), channels),
                (channels,),
            ),
            self.measuring("[SENSe]:VOLTage:PROTection:TRIPped", lambda site: boolean(self._limited(site, "curr"))),
            self.measuring("[SENSe]:CURRent:PROTection:TRIPped", lambda site: boolean(self._limited(site, "volt"))),
            self.measuring("MEASure[:SCALar]:VOLTage[:DC]", lambda site: scientific(self.volts(site))),
            self.measuring("MEASure[:SCALar]:CURRent[:DC]", lambda site: scientific(self.amperes(site))),
            self.measuring("MEASure[:SCALar]:RESistance", lambda site: scientific(self._ohms(site))),
            self.measuring("READ", lambda site: f"{scientific(self.volts(site))},{scientific(self.amperes(site))}"),
        )

    def _level(self, word: str, pattern: str, parameter: Number) -> Command:
        def put(site: int, value: float, at_s: float) -> None:
            self._levels[site][word] = value
            self._apply(site, at_s)

        channels = self.channel_list()

        def run(call: Call) -> None:
            sites = self.targets(call, 1)
            with self.world.change(*sites) as at_s:
                for site in sites:
                    put(site, call[0], at_s)

        ask = self.per_site(lambda site: scientific(self._levels[site][word]))
        return Command(pattern, run, ask, (parameter, channels), (channels,), scientific)

    def volts(self, site: int) -> float:
        """Voltage at its terminals."""
        return self.world.read(site).solution.voltage(self._units[site].plus)

    def amperes(self, site: int) -> float:
        """Current it gives, negative when it takes."""
        return -self.world.read(site).solution.current(self._units[site])

    def _ohms(self, site: int) -> float:
        amperes = self.amperes(site)
        return self.volts(site) / amperes if amperes else math.inf

    def _limited(self, site: int, kind: str) -> bool:
        unit = self._units[site]
        return unit.on and unit.kind == kind and self.world.read(site).solution.mode(unit) != "set"

    def _apply(self, site: int, at_s: float, fresh: bool = False) -> None:
        unit, levels = self._units[site], self._levels[site]
        word, other = ("VOLT", "CURR") if unit.kind == "volt" else ("CURR", "VOLT")
        unit.limit = levels[f"{other}:PROT"]
        if unit.level.target != levels[word] or fresh:
            unit.level.go(levels[word], at_s, 0.0 if fresh else None)
            if not fresh:
                self.scpi.busy_for(5.0 * self._options.settle_s)

    def _set_kind(self, call: Call) -> None:
        sites = self.targets(call, 1)
        with self.world.change(*sites) as at_s:
            for site in sites:
                if self._units[site].kind != call[0].lower():
                    self._units[site].kind = call[0].lower()
                    self._apply(site, at_s, fresh=True)

    def _switch(self, call: Call) -> None:
        sites = self.targets(call, 1)
        with self.world.change(*sites) as at_s:
            for site in sites:
                if call[0] and not self._units[site].on:
                    self._apply(site, at_s, fresh=True)
                self._units[site].on = call[0]

    def _conditions(self) -> tuple[int, int]:
        limited = any(self._limited(site, unit.kind) for site, unit in enumerate(self._units))
        return 0, COMPLIANCE_BIT if limited else 0

    def _reset(self) -> None:
        with self.world.change() as at_s:
            for site, unit in enumerate(self._units):
                unit.on, unit.kind, self._levels[site] = False, "volt", self._defaults()
                self._apply(site, at_s, fresh=True)
        self._selected = 0
