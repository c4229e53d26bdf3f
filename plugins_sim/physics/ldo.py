"""A linear regulator: output by temperature and input, dropout, current limit, thermal fold-back.

Units: volts, amperes, degrees Celsius; currents flow into a pin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from drycell.plugins_sim.physics.circuit import (
    AMPERE_TOLERANCE,
    GROUND,
    VOLT_TOLERANCE,
    Element,
    Row,
    Solution,
)

REFERENCE_C = 25.0
KELVIN = 273.15
FOLD_BACK_C = 10.0  # a regulator in thermal shutdown gives nothing this far above its shutdown temperature
WEAK_BELOW_VOLTS = 0.05
STARTS_AT_VOLTS = 1.0  # below this input a regulator draws proportionally less quiescent current


@dataclass(frozen=True, slots=True)
class LdoParameters:
    """A linear regulator. Reference temperature 25 degC, for the dropout voltage 300 K."""

    nominal_output_voltage: float = 3.3
    tempco_ppm_per_c: float = 50.0
    quiescent_current_a: float = 50e-6
    quiescent_current_tempco: float = 0.003
    dropout_voltage: float = 0.3
    max_output_current: float = 0.5
    line_regulation_v_per_v: float = 0.0
    line_reference_v: float = 5.0
    thermal_shutdown_c: float = math.inf


@dataclass(slots=True, eq=False)
class Ldo:
    """A linear regulator. Modes of its output: regulated, dropout, limited, weak, blocked; of its input: full,
    ramp, off.

    Output: ``min(ideal(Tj), max(0, Vin - dropout(Tj)))`` up to the maximum current, beyond which the current stays.
    It sinks nothing: an output driven above its own voltage takes no current. Its last 50 mV above dropout carry
    proportionally less current (weak), so that a starved regulator fades instead of switching.
    """

    parameters: LdoParameters = field(default_factory=LdoParameters)
    in_pin: str = "in"
    out_pin: str = "out"
    modes: tuple[tuple[str, str], ...] = tuple(
        (out, into)
        for out in ("regulated", "dropout", "limited", "weak", "blocked")
        for into in ("full", "ramp", "off")
    )

    @property
    def pins(self) -> tuple[str, ...]:
        return (self.in_pin, self.out_pin)

    @property
    def elements(self) -> tuple[Element, ...]:
        return (self,)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.in_pin, GROUND), (self.out_pin, GROUND))

    def ideal_output_voltage(self, junction_c: float, input_volts: float | None = None) -> float:
        """Output in regulation."""
        p = self.parameters
        volts = p.nominal_output_voltage * (1.0 + p.tempco_ppm_per_c * (junction_c - REFERENCE_C) * 1e-6)
        if input_volts is None:
            return volts
        return volts + p.line_regulation_v_per_v * (input_volts - p.line_reference_v)

    def dropout_voltage(self, junction_c: float) -> float:
        """Least voltage from input to output."""
        ratio = (junction_c + KELVIN) / 300.0
        return self.parameters.dropout_voltage * ratio * math.sqrt(ratio)

    def calculate_output_voltage(self, junction_c: float, input_volts: float) -> float:
        """Output below the maximum current at that input voltage."""
        headroom = max(0.0, input_volts - self.dropout_voltage(junction_c))
        return min(self.ideal_output_voltage(junction_c, input_volts), headroom)

    def calculate_quiescent_current(self, junction_c: float) -> float:
        """Current from input to ground at that junction temperature."""
        p = self.parameters
        return max(0.0, p.quiescent_current_a * (1.0 + p.quiescent_current_tempco * (junction_c - REFERENCE_C)))

    def calculate_power_dissipation(self, input_volts: float, load_amperes: float, junction_c: float) -> float:
        """(Vin - Vout) Iload + Vin Iq."""
        drop = input_volts - self.calculate_output_voltage(junction_c, input_volts)
        return drop * load_amperes + input_volts * self.calculate_quiescent_current(junction_c)

    def is_in_dropout(self, junction_c: float, input_volts: float) -> bool:
        """Whether the input is too low to regulate."""
        return input_volts - self.dropout_voltage(junction_c) < self.ideal_output_voltage(junction_c, input_volts)

    def limit_amperes(self, junction_c: float) -> float:
        """Maximum output current; it folds back above the thermal shutdown temperature."""
        p = self.parameters
        if junction_c <= p.thermal_shutdown_c:
            return p.max_output_current
        return p.max_output_current * max(0.0, 1.0 - (junction_c - p.thermal_shutdown_c) / FOLD_BACK_C)

    def first_states(self) -> tuple[float, ...]:
        return ()

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        return

    def rates(self, solution: Solution) -> tuple[float, ...]:
        return ()

    def power(self, solution: Solution) -> float:
        return solution.power_into((self,))

    def code(self, solution: Solution) -> int | None:
        return None

    def rows(self, mode: tuple[str, str], temperature_c: float, at_s: float) -> Sequence[Row]:
        out, into = mode
        quiescent = self.calculate_quiescent_current(temperature_c)
        line = self.parameters.line_regulation_v_per_v
        ideal = self.ideal_output_voltage(temperature_c, 0.0)
        dropout, limit = self.dropout_voltage(temperature_c), self.limit_amperes(temperature_c)
        conductance = limit / WEAK_BELOW_VOLTS
        output: dict[str, Row] = {
            "regulated": ((-line, 1.0), (0.0, 0.0), ideal),
            "dropout": ((-1.0, 1.0), (0.0, 0.0), -dropout),
            "limited": ((0.0, 0.0), (0.0, 1.0), -limit),
            "weak": ((conductance, 0.0), (0.0, 1.0), conductance * dropout),
            "blocked": ((0.0, 0.0), (0.0, 1.0), 0.0),
        }
        inputs: dict[str, Row] = {
            "full": ((0.0, 0.0), (1.0, 1.0), quiescent),
            "ramp": ((-quiescent / STARTS_AT_VOLTS, 0.0), (1.0, 1.0), 0.0),
            "off": ((0.0, 0.0), (1.0, 1.0), 0.0),
        }
        return (inputs[into], output[out])

    def check(
        self,
        mode: tuple[str, str],
        volts: Sequence[float],
        amperes: Sequence[float],
        temperature_c: float,
        at_s: float,
    ) -> tuple[str, str]:
        into = self._input_mode(mode[1], volts[0])
        ideal = self.ideal_output_voltage(temperature_c, volts[0])
        headroom = volts[0] - self.dropout_voltage(temperature_c)
        return self._output_mode(mode[0], volts[1], -amperes[1], ideal, headroom, temperature_c), into

    def _output_mode(
        self, mode: str, volts: float, given: float, ideal: float, headroom: float, temperature_c: float
    ) -> str:
        reach = "regulated" if headroom >= ideal else "dropout"
        share = min(1.0, max(0.0, headroom / WEAK_BELOW_VOLTS))
        starved = "limited" if share >= 1.0 else "weak"
        target = min(ideal, headroom)
        if mode in ("regulated", "dropout"):
            if given < -AMPERE_TOLERANCE or headroom < -VOLT_TOLERANCE:
                return "blocked"
            if given > self.limit_amperes(temperature_c) * share + AMPERE_TOLERANCE:
                return starved
            return reach if abs(headroom - ideal) > VOLT_TOLERANCE else mode
        if mode == "blocked":
            return reach if headroom > VOLT_TOLERANCE and volts < target - VOLT_TOLERANCE else mode
        if headroom < -VOLT_TOLERANCE:
            return "blocked"
        if volts > target + VOLT_TOLERANCE:
            return reach
        return mode if abs(headroom - WEAK_BELOW_VOLTS) <= VOLT_TOLERANCE else starved

    def _input_mode(self, mode: str, volts: float) -> str:
        least, most = {"full": (STARTS_AT_VOLTS, math.inf), "ramp": (0.0, STARTS_AT_VOLTS), "off": (-math.inf, 0.0)}[
            mode
        ]
        if least - VOLT_TOLERANCE <= volts <= most + VOLT_TOLERANCE:
            return mode
        if volts >= STARTS_AT_VOLTS:
            return "full"
        return "ramp" if volts > 0.0 else "off"
