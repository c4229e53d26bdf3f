"""Thermal chamber TC-SIM-001: set-point, ramp, stability of the air that surrounds all sites."""

import math
from dataclasses import dataclass

from drycell.plugins_sim.instruments.common import BenchInstrument, Setup, read_options
from drycell.plugins_sim.instruments.scpi import Call, Command, Number, Profile, boolean
from drycell.plugins_sim.instruments.scpi.response import number
from drycell.plugins_sim.physics.world import World
from drycell.sim.errors import DrycellError

SETTLING_BIT, RAMPING_BIT = 2, 8  # OPERation status: SETTling, SWEeping


@dataclass(frozen=True, slots=True)
class ChamberOptions:
    """``ramp_c_per_min`` 0: no limit. ``dwell_s``: how long the air must be inside the window to count as stable."""

    ramp_c_per_min: float = 10.0
    window_c: float = 0.5
    dwell_s: float = 0.0
    low_c: float = -70.0
    high_c: float = 180.0


class Chamber(BenchInstrument):
    """Profile ``seed`` stores the ramp and lets the air follow its time constant alone."""

    MODEL, SERIAL = "TC-SIM-001", "TCSIM001"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._options = o = read_options(ChamberOptions, setup.options, setup.name)
        if o.ramp_c_per_min < 0.0 or o.window_c <= 0.0 or o.dwell_s < 0.0 or not o.low_c < o.high_c:
            raise DrycellError(
                f"the options of {setup.name} contradict each other: ramp and dwell are 0 or more, the window is "
                "above 0, low_c is below high_c."
            )
        self._ramp, self._window_c, self._dwell_s = o.ramp_c_per_min, o.window_c, o.dwell_s
        target = Number("CEL", o.low_c, o.high_c, 25.0)
        air = Command(
            "TEMPerature:SETPoint",
            lambda call: self.world.set_chamber(call[0]),
            lambda call: number(self.world.setpoint_c, 2),
            (target,),
            show=lambda value: number(value, 2),
        )
        self.scpi = self.scpi_face(
            (
                air,
                Command("[SOURce:]TEMPerature:SPOint", air.run, air.ask, (target,), show=air.show),
                Command("TEMPerature:ACTual", ask=lambda call: number(self.world.air_c(), 2)),
                Command("TEMPerature:STABle", ask=lambda call: boolean(self._stable())),
                Command(
                    "TEMPerature:RAMP", self._set_ramp, lambda call: number(self._ramp, 2),
                    (Number(low=0.01, high=1000.0, default=10.0, positive=True),),
                ),
                Command(
                    "TEMPerature:WINDow", self._set_window, lambda call: number(self._window_c, 2),
                    (Number("CEL", 0.01, 20.0, 0.5, positive=True),),
                ),
                Command(
                    "TEMPerature:DWELl", self._set_dwell, lambda call: number(self._dwell_s, 1),
                    (Number("S", 0.0, 3600.0, 0.0),),
                ),
                Command("MEASure:TEMPerature", ask=lambda call: number(self.world.air_c(), 2)),
            ),
            self._reset,
            conditions=self._conditions,
        )  # fmt: skip

    def join(self, world: World) -> None:
        super().join(world)
        self._apply_ramp()

    def _stable(self) -> bool:
        return self.world.stable(self._window_c, self._dwell_s)

    def _conditions(self) -> tuple[int, int]:
        apart = abs(self.world.air_c() - self.world.setpoint_c) > self._window_c
        return (0 if self._stable() else SETTLING_BIT) | (RAMPING_BIT if apart else 0), 0

    def _set_ramp(self, call: Call) -> None:
        self._ramp = call[0]
        self._apply_ramp()

    def _set_window(self, call: Call) -> None:
        self._window_c = call[0]

    def _set_dwell(self, call: Call) -> None:
        self._dwell_s = call[0]

    def _apply_ramp(self) -> None:
        if self.setup.profile is not Profile.SEED:
            self.world.set_chamber(ramp_c_per_min=self._ramp if math.isfinite(self._ramp) else 0.0)

    def _reset(self) -> None:
        o = self._options
        self._ramp, self._window_c, self._dwell_s = o.ramp_c_per_min, o.window_c, o.dwell_s
        self.world.set_chamber(25.0)
        self._apply_ramp()
