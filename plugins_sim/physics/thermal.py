"""Temperatures: the chamber's air, the case, the junction. Pure functions and two frozen values.

Rules that hold here:
- Everything is a closed form of elapsed time: no step size changes a result.
- Air moves towards its set-point at the smaller of the first-order rate and the ramp limit.
- The case follows the air plus power times theta_ca, first order; the junction follows the case at once.
Units: degrees Celsius, seconds, watts, kelvin per watt.
"""

import math
from dataclasses import dataclass

from drycell.sim.errors import DrycellError

AMBIENT_C = 25.0
SHORTEST_PIECE_S = 1e-6  # a shorter rest of a ramp is left out: at late instants it would be lost in rounding


class PhysicsError(DrycellError, ValueError):
    """A quantity that no bench can have."""


@dataclass(frozen=True, slots=True)
class ThermalConstants:
    """Time constants (63 %) and thermal resistances of chamber, case and junction.

    ``junction_feedback``: find the power at the junction's own temperature instead of the case's (needed for thermal
    shutdown; costs about ten times as much).
    """

    chamber_time_constant_s: float = 30.0
    case_time_constant_s: float = 5.0
    theta_jc: float = 15.0
    theta_ca: float = 5.0
    junction_feedback: bool = False

    def __post_init__(self) -> None:
        _positive("chamber time constant", self.chamber_time_constant_s)
        _positive("case time constant", self.case_time_constant_s)
        for name, value in (("theta_jc", self.theta_jc), ("theta_ca", self.theta_ca)):
            if not (math.isfinite(value) and value >= 0.0):
                raise PhysicsError(f"{name} is {value:g} K/W; it must be 0 or more.")


def calculate_temperature_derivative(setpoint_c: float, temperature_c: float, time_constant_s: float) -> float:
    """Rate in K/s of a first-order lag towards ``setpoint_c``. Raises PhysicsError for a time constant <= 0."""
    _positive("time constant", time_constant_s)
    return (setpoint_c - temperature_c) / time_constant_s


def update_temperature(temperature_c: float, setpoint_c: float, time_constant_s: float, dt_s: float) -> float:
    """Temperature after ``dt_s`` of a first-order lag, exact for any step. Raises PhysicsError for values <= 0."""
    _positive("time constant", time_constant_s)
    _positive("time step", dt_s)
    return setpoint_c + (temperature_c - setpoint_c) * math.exp(-dt_s / time_constant_s)


def calculate_case_temperature_derivative(
    chamber_c: float, case_c: float, power_w: float, theta_ca: float, time_constant_s: float
) -> float:
    """Rate in K/s of a case that dissipates ``power_w``. Raises PhysicsError for a time constant <= 0."""
    return calculate_temperature_derivative(chamber_c + power_w * theta_ca, case_c, time_constant_s)


def update_case_temperature(
    case_c: float, chamber_c: float, power_w: float, theta_ca: float, time_constant_s: float, dt_s: float
) -> float:
    """Case temperature after ``dt_s`` with air and power held. Raises PhysicsError for values <= 0."""
    return update_temperature(case_c, chamber_c + power_w * theta_ca, time_constant_s, dt_s)


def calculate_junction_temperature(case_c: float, power_w: float, theta_jc: float) -> float:
    """Junction temperature: case plus power times theta_jc."""
    return case_c + power_w * theta_jc


def calculate_steady_state_junction_temperature(
    ambient_c: float, power_w: float, theta_jc: float, theta_ca: float
) -> float:
    """Junction temperature after all transients in air of ``ambient_c``."""
    return ambient_c + power_w * (theta_jc + theta_ca)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the air's temperature: ``a + b s + c exp(-s / tau_s)``, s seconds from the stretch's start."""

    a: float
    b: float
    c: float
    tau_s: float
    left_s: float  # how long the stretch still lasts, inf for the last one


@dataclass(frozen=True, slots=True)
class Air:
    """Air on its way from ``from_c`` to ``setpoint_c``; times count from the set-point's change.

    ``ramp_c_per_s``: limit of the rate, 0 for none.
    """

    from_c: float
    setpoint_c: float
    tau_s: float = 30.0
    ramp_c_per_s: float = 0.0

    @property
    def ramp_ends_s(self) -> float:
        """When the first-order rate falls below the ramp limit (0 when there is no ramp)."""
        distance = abs(self.setpoint_c - self.from_c)
        if self.ramp_c_per_s <= 0.0:
            return 0.0
        return max(0.0, distance / self.ramp_c_per_s - self.tau_s)

    def at(self, s: float) -> float:
        """Temperature ``s`` seconds after the change."""
        ends_s = self.ramp_ends_s
        if s < ends_s:
            return self.from_c + self._slope * s
        start_c = self.from_c + self._slope * ends_s
        return self.setpoint_c + (start_c - self.setpoint_c) * math.exp(-(s - ends_s) / self.tau_s)

    def piece(self, s: float) -> Piece:
        """The stretch that begins ``s`` seconds after the change."""
        ends_s = self.ramp_ends_s
        now_c = self.at(s)
        if ends_s - s > SHORTEST_PIECE_S:
            return Piece(now_c, self._slope, 0.0, self.tau_s, ends_s - s)
        return Piece(self.setpoint_c, 0.0, now_c - self.setpoint_c, self.tau_s, math.inf)

    def inside_from_s(self, window_c: float) -> float:
        """When the air comes within ``window_c`` (> 0) of the set-point, to stay there; 0 if it is already."""
        if abs(self.from_c - self.setpoint_c) <= window_c:
            return 0.0
        ends_s = self.ramp_ends_s
        remaining = abs(self.at(ends_s) - self.setpoint_c)
        if remaining <= window_c:
            return (abs(self.from_c - self.setpoint_c) - window_c) / self.ramp_c_per_s
        return ends_s + self.tau_s * math.log(remaining / window_c)

    @property
    def _slope(self) -> float:
        return math.copysign(self.ramp_c_per_s, self.setpoint_c - self.from_c)


@dataclass(frozen=True, slots=True)
class CaseStep:
    """The case from a given instant on, while power is ``power_w + slope_w_per_c (T - case_c) + drift_w_per_s s``.

    Exact solution of ``tau dT/dt = air(s) - T + theta_ca P(T, s)`` (variation of constants).
    """

    case_c: float
    power_w: float
    slope_w_per_c: float
    drift_w_per_s: float
    air: Piece
    theta_ca: float
    tau_s: float

    def at(self, s: float) -> float:
        """Case temperature ``s`` seconds on, s within the stretch of air."""
        rate = (1.0 - self.theta_ca * self.slope_w_per_c) / self.tau_s
        constant = self.air.a + self.theta_ca * (self.power_w - self.slope_w_per_c * self.case_c)
        linear = self.air.b + self.theta_ca * self.drift_w_per_s
        decay = 1.0 / self.air.tau_s
        own = self.case_c * math.exp(-rate * s)
        forced = constant * _phi(rate, s) + linear * _phi_of_ramp(rate, s)
        if self.air.c:
            slower, faster = sorted((rate, decay))
            forced += self.air.c * math.exp(-slower * s) * _phi(faster - slower, s)
        return own + forced / self.tau_s


def _phi(rate: float, s: float) -> float:
    """Integral of exp(-rate u) over u from 0 to s."""
    x = rate * s
    return s * (1.0 - x / 2.0) if abs(x) < 1e-9 else -math.expm1(-x) / rate


def _phi_of_ramp(rate: float, s: float) -> float:
    """Integral of exp(-rate (s - u)) u over u from 0 to s."""
    x = rate * s
    if abs(x) < 1e-4:
        return s * s * (0.5 - x / 6.0 + x * x / 24.0)
    return (s - _phi(rate, s)) / rate


def _positive(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise PhysicsError(f"the {what} is {value:g}; it must be greater than 0.")
