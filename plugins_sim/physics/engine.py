"""The bench as one object without instruments: set-point, input voltage and load in, temperatures and voltages out.

For code that wants the physics alone. It keeps its own time, which only ``step`` and ``advance`` move.
"""

from dataclasses import dataclass

from drycell.plugins_sim.physics.devices import DeviceModel
from drycell.plugins_sim.physics.dut_site import Site
from drycell.plugins_sim.physics.elements import Load, Supply
from drycell.plugins_sim.physics.ldo import Ldo
from drycell.plugins_sim.physics.thermal import PhysicsError, ThermalConstants
from drycell.plugins_sim.physics.world import NS_PER_S, World


@dataclass(frozen=True, slots=True)
class ThermalState:
    """Temperatures in degrees Celsius at ``timestamp`` seconds."""

    chamber_temperature: float
    case_temperature: float
    junction_temperature: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class ElectricalState:
    """Volts, amperes and watts at the device."""

    input_voltage: float
    output_voltage: float
    load_current: float
    quiescent_current: float
    power_dissipation: float


class PhysicsEngine:
    """Chamber, supply, load and one regulator (another model with pins ``in`` and ``out`` may take its place).

    ``step`` advances by ``1 / update_rate_hz`` seconds; the result does not depend on that size.
    """

    def __init__(
        self,
        dut_model: DeviceModel | None = None,
        update_rate_hz: float = 100.0,
        constants: ThermalConstants | None = None,
        supply_limit_a: float = 10.0,
    ) -> None:
        if not 0.0 < update_rate_hz <= 1e6:
            raise PhysicsError(f"the update rate is {update_rate_hz:g} Hz; it must be above 0, at most 1e6.")
        self._dt_ns = round(NS_PER_S / update_rate_hz)
        self._now_ns = 0
        self._supply = Supply("in", limit_amperes=supply_limit_a)
        self._load = Load("out", on=True)
        self._input_volts = 0.0
        used = constants or ThermalConstants()
        site = Site(dut_model or Ldo(), (self._supply, self._load), used)
        self._world = World((site,), lambda: self._now_ns, used)

    def step(self) -> None:
        """One time step."""
        self._now_ns += self._dt_ns

    def advance(self, seconds: float) -> None:
        """Any number of seconds at once. Raises PhysicsError for a negative one."""
        if not seconds >= 0.0:
            raise PhysicsError(f"time cannot go by {seconds:g} s; it must be 0 or more.")
        self._now_ns += round(seconds * NS_PER_S)

    @property
    def simulation_time(self) -> float:
        """Seconds since the engine was made."""
        return self._now_ns / NS_PER_S

    @property
    def is_output_enabled(self) -> bool:
        """Whether the supply is on."""
        return self._supply.on

    def set_chamber_setpoint(self, temperature_c: float) -> None:
        """Send the chamber to a temperature."""
        self._world.set_chamber(temperature_c)

    def set_input_voltage(self, volts: float) -> None:
        """Voltage of the supply."""
        with self._world.change() as at_s:
            self._input_volts = volts
            self._supply.level.go(volts, at_s)

    def set_load_current(self, amperes: float) -> None:
        """Current of the load."""
        with self._world.change():
            self._load.value = amperes

    def set_output_enabled(self, enabled: bool) -> None:
        """Switch the supply."""
        with self._world.change():
            self._supply.on = enabled

    def get_thermal_state(self) -> ThermalState:
        """The temperatures now."""
        reading = self._world.read()
        return ThermalState(reading.air_c, reading.case_c, reading.junction_c, self.simulation_time)

    def get_electrical_state(self) -> ElectricalState:
        """The device's electrical state now; ``input_voltage`` as set, all else 0 while the output is off."""
        if not self._supply.on:
            return ElectricalState(self._input_volts, 0.0, 0.0, 0.0, 0.0)
        reading = self._world.read()
        load = reading.solution.current(self._load)
        given = -reading.solution.current(self._supply)
        return ElectricalState(
            reading.solution.voltage("in"), reading.solution.voltage("out"), load, given - load, reading.power_w
        )
