"""Magnet MG-SIM-001: a flux density at all sites that moves at a constant rate."""

from dataclasses import dataclass

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Boolean, Call, Command, Number, boolean
from drycell.plugins_sim.instruments.scpi.response import number
from drycell.sim.errors import DrycellError

RAMPING_BIT = 8  # OPERation status, SWEeping


@dataclass(frozen=True, slots=True)
class MagnetOptions:
    """``rate_t_per_s``: rate of change after *RST."""

    max_tesla: float = 1.0
    rate_t_per_s: float = 0.1


class Magnet(BenchInstrument):
    """Switched off, it goes back to zero at the same rate. *OPC? waits until the field has arrived."""

    MODEL, SERIAL = "MG-SIM-001", "MGSIM001"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(MagnetOptions, setup.options, setup.name)
        if o.max_tesla <= 0.0 or o.rate_t_per_s <= 0.0:
            raise DrycellError(f"max_tesla and rate_t_per_s of {setup.name} must be above 0.")
        self._defaults()
        rate = Number("", 1e-6, 100.0, o.rate_t_per_s, positive=True)
        field = Number("T", -o.max_tesla, o.max_tesla)
        self.scpi = self.scpi_face(
            (
                Command(
                    "[SOURce]:FIELd[:LEVel]",
                    self._set_target,
                    lambda call: number(self._target, 6),
                    (field,),
                    show=lambda value: number(value, 6),
                ),
                Command("[SOURce]:FIELd:RAMP", self._set_rate, lambda call: number(self._rate, 6), (rate,)),
                Command("FIELd:ACTual", ask=lambda call: number(self.tesla(), 6)),
                Command("MEASure:FIELd", ask=lambda call: number(self.tesla(), 6)),
                Command("FIELd:STABle", ask=lambda call: boolean(self._arrived())),
                Command("OUTPut[:STATe]", self._switch, lambda call: boolean(self._on), (Boolean(),)),
            ),
            self._reset,
            conditions=lambda: (0 if self._arrived() else RAMPING_BIT, 0),
        )

    def _defaults(self) -> None:
        self._target, self._rate, self._on = 0.0, self._options.rate_t_per_s, False

    def tesla(self) -> float:
        """Flux density now."""
        return self.world.sites[0].flux.at(self.world.now_s)

    def _arrived(self) -> bool:
        return self.world.now_s >= self.world.sites[0].flux.quiet_at_s

    def _set_target(self, call: Call) -> None:
        self._target = call[0]
        self._go()

    def _set_rate(self, call: Call) -> None:
        self._rate = call[0]
        self._go()

    def _switch(self, call: Call) -> None:
        self._on = call[0]
        self._go()

    def _go(self) -> None:
        with self.world.change() as at_s:
            for site in self.world.sites:
                site.flux.go(self._target if self._on else 0.0, self._rate, at_s)
        self.scpi.busy_for(max(0.0, self.world.sites[0].flux.quiet_at_s - self.world.now_s))

    def _reset(self) -> None:
        self._defaults()
        self._go()
