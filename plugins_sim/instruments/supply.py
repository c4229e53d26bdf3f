"""Power supply PS-SIM-001: constant voltage up to a current limit, one channel per site."""

from dataclasses import dataclass
from types import MappingProxyType

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Boolean, Call, Command, Number, boolean
from drycell.plugins_sim.instruments.scpi.response import number
from drycell.plugins_sim.physics.elements import Supply
from drycell.sim.errors import DrycellError

CV_BIT, CC_BIT = 256, 1024  # OPERation status, instrument-specific bits 8 and 10
VOLTAGE_BIT = 1  # QUEStionable status: the voltage is not what was set


@dataclass(frozen=True, slots=True)
class SupplyOptions:
    """``settle_s``: time constant of the output after VOLT; 0 is at once."""

    max_volts: float = 60.0
    max_amperes: float = 10.0
    limit_amperes: float = 1.0
    settle_s: float = 0.0


class PowerSupply(BenchInstrument):
    """It gives current and takes none: an output driven from outside above its set-point is left alone."""

    MODEL, SERIAL = "PS-SIM-001", "PSSIM001"
    TERMINALS = MappingProxyType({"out": "in"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(SupplyOptions, setup.options, setup.name)
        if o.max_volts <= 0.0 or not 0.0 < o.limit_amperes <= o.max_amperes or o.settle_s < 0.0:
            raise DrycellError(
                f"the options of {setup.name} contradict each other: max_volts is above 0, limit_amperes is above 0 "
                "and at most max_amperes, settle_s is 0 or more."
            )
        self._outputs = [Supply(self._nodes["out"], limit_amperes=o.limit_amperes) for _ in range(setup.sites)]
        for output in self._outputs:
            output.level.settle_s = o.settle_s
        self._volts = [0.0] * setup.sites
        self.scpi = self.scpi_face(self._commands(), self._reset, conditions=self._conditions)

    def board(self, site: int) -> tuple[Supply]:
        return (self._outputs[site],)

    def _commands(self) -> tuple[Command, ...]:
        o, outputs = self._options, self._outputs
        channels = self.channel_list()
        return (
            *self.selection(),
            self.setting(
                "[SOURce]:VOLTage[:LEVel][:IMMediate][:AMPLitude]",
                Number("V", 0.0, o.max_volts),
                lambda site: self._volts[site],
                self._set_volts,
            ),
            self.setting(
                "[SOURce]:CURRent[:LEVel][:IMMediate][:AMPLitude]",
                Number("A", 0.0, o.max_amperes, o.limit_amperes),
                lambda site: outputs[site].limit_amperes,
                self._set_limit,
            ),
            Command(
                "OUTPut[:STATe]",
                self._switch,
                self.per_site(lambda site: boolean(outputs[site].on)),
                (Boolean(), channels),
                (channels,),
            ),
            self.measuring("MEASure[:SCALar]:VOLTage[:DC]", lambda site: number(self.volts(site), 3)),
            self.measuring("MEASure[:SCALar]:CURRent[:DC]", lambda site: number(self.amperes(site), 3)),
            self.measuring(
                "MEASure[:SCALar]:POWer[:DC]", lambda site: number(self.volts(site) * self.amperes(site), 3)
            ),
        )

    def volts(self, site: int) -> float:
        """Voltage at the terminals; 0 while the output is off."""
        if not self._outputs[site].on:
            return 0.0
        return self.world.read(site).solution.voltage(self._outputs[site].plus)

    def amperes(self, site: int) -> float:
        """Current given."""
        return -self.world.read(site).solution.current(self._outputs[site]) if self._outputs[site].on else 0.0

    def _set_volts(self, site: int, volts: float, at_s: float) -> None:
        self._volts[site] = volts
        if self._outputs[site].on:
            self._go(site, volts, at_s, None)

    def _go(self, site: int, volts: float, at_s: float, start: float | None) -> None:
        self._outputs[site].level.go(volts, at_s, start)
        self.scpi.busy_for(5.0 * self._options.settle_s)

    def _set_limit(self, site: int, amperes: float, at_s: float) -> None:
        self._outputs[site].limit_amperes = amperes

    def _switch(self, call: Call) -> None:
        sites = self.targets(call, 1)
        with self.world.change(*sites) as at_s:
            for site in sites:
                if call[0] and not self._outputs[site].on:
                    self._go(site, self._volts[site], at_s, 0.0)
                self._outputs[site].on = call[0]

    def _conditions(self) -> tuple[int, int]:
        modes = {
            self.world.read(site).solution.mode(output) for site, output in enumerate(self._outputs) if output.on
        }
        limited = "cc" in modes
        return (CV_BIT if "cv" in modes else 0) | (CC_BIT if limited else 0), VOLTAGE_BIT if limited else 0

    def _reset(self) -> None:
        with self.world.change() as at_s:
            for site, output in enumerate(self._outputs):
                output.on, output.limit_amperes, self._volts[site] = False, self._options.limit_amperes, 0.0
                output.level.go(0.0, at_s, 0.0)
        self._selected = 0
