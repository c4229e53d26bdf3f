"""One socket of a bench: a device, the circuit it sits in, its temperatures and slow states, all functions of time.

Rules that hold here:
- State is a function of (what was changed when, the asked instant). Asking changes nothing, however often.
- Power is linearised around the last grid point, which is exact for a regulator in regulation; where a device is
  curved, the grid is refined until a step's correction is below ``TOLERANCE_C``. Grid points depend on states alone,
  never on when somebody looks.
- Dissipation is found with the case temperature in the junction's place; one circuit solution at the junction
  temperature that follows is what every instrument reads.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drycell.plugins_sim.physics.circuit import Circuit, Element, Solution
from drycell.plugins_sim.physics.devices import DeviceModel
from drycell.plugins_sim.physics.elements import Slew, SourceMeasure, Supply
from drycell.plugins_sim.physics.thermal import (
    AMBIENT_C,
    CaseStep,
    Piece,
    ThermalConstants,
    calculate_junction_temperature,
)

TOLERANCE_C = 2e-5
STATE_TOLERANCE = 1e-5  # of the plain step; the corrected one is an order better
LONGEST_STEP_S = 1e6
SHORTEST_STEP_S = 1e-3
FIELD_STEP_S = 1.0
_SLOPE_STEP_C = 0.5

PieceAt = Callable[[float], Piece]
"""The stretch of the air's temperature that begins at an instant, in seconds of the run."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """A grid point: the state there, and how it goes on for ``length_s``."""

    at_s: float
    case: CaseStep
    states: tuple[float, ...]
    rates: tuple[float, ...]
    later_rates: tuple[float, ...]
    length_s: float

    @property
    def end_s(self) -> float:
        return self.at_s + self.length_s

    def case_at(self, at_s: float) -> float:
        return self.case.at(at_s - self.at_s)

    def states_at(self, at_s: float) -> tuple[float, ...]:
        s = at_s - self.at_s
        half = 0.5 * s * s / self.length_s
        return tuple(
            x + a * s + (b - a) * half for x, a, b in zip(self.states, self.rates, self.later_rates, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that is true at a site at one instant. ``power_w``: what heats the device."""

    at_s: float
    air_c: float
    case_c: float
    junction_c: float
    power_w: float
    states: tuple[float, ...]
    solution: Solution


class Site:
    """One socket: a device, the circuit it sits in, its temperatures and slow states."""

    def __init__(self, device: DeviceModel, board: Sequence[Element], constants: ThermalConstants) -> None:
        self.device = device
        self.board = tuple(board)
        self.constants = constants
        self.flux = Slew()
        self._circuit = Circuit((*self.board, *device.elements))
        self._case_c = AMBIENT_C
        self._states = device.first_states()
        self._since_s = 0.0
        self._grid: _Grid | None = None
        self._reading: Reading | None = None

    def insert(self, device: DeviceModel, case_c: float, at_s: float) -> None:
        """Put another device into the socket, soaked at ``case_c``."""
        self.device = device
        self._circuit = Circuit((*self.board, *device.elements))
        self._case_c, self._states, self._since_s = case_c, device.first_states(), at_s
        self.forget()

    def anchor(self, air: PieceAt, at_s: float) -> None:
        """Make the state at ``at_s`` the one from which a change goes on."""
        self._case_c, self._states = self._state(air, at_s)
        self._since_s = at_s
        self.forget()

    def forget(self) -> None:
        """The circuit was changed: what was known about the time to come is void."""
        self._grid = self._reading = None

    def read(self, air_c: float, air: PieceAt, at_s: float) -> Reading:
        """What is true at ``at_s``, which must not lie before the last change."""
        if self._reading is not None and self._reading.at_s == at_s:
            return self._reading
        case_c, states = self._state(air, at_s)
        power_w = self._power(case_c, states, at_s)[0]
        junction_c = calculate_junction_temperature(case_c, power_w, self.constants.theta_jc)
        solution = self._circuit.solve(junction_c, at_s)
        self._reading = Reading(at_s, air_c, case_c, junction_c, power_w, states, solution)
        return self._reading

    def probe(self, reading: Reading) -> Solution:
        """The circuit as it is wired right now, at the temperature of ``reading``: for a short test current."""
        return self._circuit.solve(reading.junction_c, reading.at_s)

    def _state(self, air: PieceAt, at_s: float) -> tuple[float, tuple[float, ...]]:
        if at_s <= self._since_s:
            return self._case_c, self._states
        grid = self._grid
        if grid is None or at_s < grid.at_s:
            grid = self._step(air, self._since_s, self._case_c, self._states, LONGEST_STEP_S)
        while at_s > grid.end_s:
            grid = self._step(
                air, grid.end_s, grid.case_at(grid.end_s), grid.states_at(grid.end_s), 2.0 * grid.length_s
            )
        self._grid = grid
        return grid.case_at(at_s), grid.states_at(at_s)

    def _step(self, air: PieceAt, at_s: float, case_c: float, states: tuple[float, ...], try_s: float) -> _Grid:
        piece = air(at_s)
        length_s = min(piece.left_s, LONGEST_STEP_S, try_s, self._settling_s(at_s))
        power_w, rates = self._power(case_c, states, at_s)
        slope = (self._power(case_c + _SLOPE_STEP_C, states, at_s)[0] - power_w) / _SLOPE_STEP_C
        theta_ca, tau_s = self.constants.theta_ca, self.constants.case_time_constant_s
        while True:
            guess_c = CaseStep(case_c, power_w, slope, 0.0, piece, theta_ca, tau_s).at(length_s)
            guess_states = tuple(x + rate * length_s for x, rate in zip(states, rates, strict=True))
            then_w, then_rates = self._power(guess_c, guess_states, at_s + length_s)
            drift = (then_w - power_w - slope * (guess_c - case_c)) / length_s
            step = CaseStep(case_c, power_w, slope, drift, piece, theta_ca, tau_s)
            moved = max((abs(b - a) * 0.5 * length_s for a, b in zip(rates, then_rates, strict=True)), default=0.0)
            fits = abs(step.at(length_s) - guess_c) <= TOLERANCE_C and moved <= STATE_TOLERANCE
            if fits or length_s <= SHORTEST_STEP_S:
                return _Grid(at_s, step, states, rates, then_rates, length_s)
            length_s *= 0.5

    def _power(self, case_c: float, states: tuple[float, ...], at_s: float) -> tuple[float, tuple[float, ...]]:
        """Power and rates of the slow states while the case is at ``case_c``."""
        self.device.take(states, self.flux.at(at_s))
        solution = self._circuit.solve(case_c, at_s)
        power_w = self.device.power(solution)
        if self.constants.junction_feedback and power_w > 0.0 and self.constants.theta_jc > 0.0:
            solution, power_w = self._consistent(case_c, power_w, at_s)
        return power_w, self.device.rates(solution)

    def _consistent(self, case_c: float, power_w: float, at_s: float) -> tuple[Solution, float]:
        """The power at the junction temperature that this very power causes (regula falsi, Illinois variant)."""
        theta = self.constants.theta_jc
        low, low_gap = case_c, theta * power_w
        high, high_gap = low, low_gap
        for _ in range(40):  # a device whose power grows faster than its heat flows off has no such temperature
            high += max(high_gap, 1e-3)
            solution = self._circuit.solve(high, at_s)
            high_gap = case_c + theta * self.device.power(solution) - high
            if high_gap <= 0.0:
                break
            low, low_gap = high, high_gap
        for _ in range(60):
            if low_gap == high_gap:
                break
            middle = (low * high_gap - high * low_gap) / (high_gap - low_gap)
            solution = self._circuit.solve(middle, at_s)
            gap = case_c + theta * self.device.power(solution) - middle
            if abs(gap) < 1e-9:
                break
            if gap * high_gap < 0.0:
                low, low_gap = high, high_gap
            else:
                low_gap *= 0.5
            high, high_gap = middle, gap
        return solution, self.device.power(solution)

    def _settling_s(self, at_s: float) -> float:
        """The longest step allowed while sources on the board still move."""
        longest = math.inf
        if self.flux.quiet_at_s > at_s:
            longest = min(self.flux.quiet_at_s - at_s, FIELD_STEP_S)
        for element in self.board:
            if isinstance(element, (Supply, SourceMeasure)) and element.level.quiet_at_s > at_s:
                longest = min(longest, max(element.level.settle_s * 0.5, SHORTEST_STEP_S))
        return longest
