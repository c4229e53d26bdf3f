"""Temperatures of air, case and junction: closed forms, independent of steps."""

import math

import pytest

from drycell.plugins_sim.physics import Air, PhysicsError, ThermalConstants
from drycell.plugins_sim.physics.thermal import (
    CaseStep,
    calculate_case_temperature_derivative,
    calculate_junction_temperature,
    calculate_steady_state_junction_temperature,
    calculate_temperature_derivative,
    update_case_temperature,
    update_temperature,
)

MINUTE_S = 60.0


@pytest.mark.row("DVT-022", "DVT-023", "DVT-024", "DVT-025")
def test_the_usual_constants() -> None:
    constants = ThermalConstants()
    assert (constants.chamber_time_constant_s, constants.case_time_constant_s) == (30.0, 5.0)
    assert (constants.theta_jc, constants.theta_ca) == (15.0, 5.0)


@pytest.mark.row("DVT-018", "DVT-022")
def test_after_one_time_constant_the_chamber_has_gone_63_percent_of_the_way() -> None:
    assert Air(25.0, 85.0).at(30.0) == pytest.approx(25.0 + 60.0 * (1.0 - math.exp(-1.0)))


@pytest.mark.row("DVT-034")
def test_the_pure_functions_agree_with_one_another() -> None:
    assert calculate_temperature_derivative(85.0, 25.0, 30.0) == pytest.approx(2.0)
    assert calculate_case_temperature_derivative(25.0, 25.0, 1.0, 5.0, 5.0) == pytest.approx(1.0)
    short = update_temperature(25.0, 85.0, 30.0, 1e-6)
    assert (short - 25.0) / 1e-6 == pytest.approx(2.0, rel=1e-4)
    assert update_case_temperature(25.0, 25.0, 1.0, 5.0, 5.0, 1e9) == pytest.approx(30.0)
    assert calculate_junction_temperature(30.0, 2.0, 15.0) == 60.0
    assert calculate_steady_state_junction_temperature(25.0, 1.0, 15.0, 5.0) == 45.0


def test_two_steps_are_one() -> None:
    once = update_temperature(25.0, 85.0, 30.0, 10.0)
    twice = update_temperature(update_temperature(25.0, 85.0, 30.0, 4.0), 85.0, 30.0, 6.0)
    assert once == pytest.approx(twice, abs=1e-12)


@pytest.mark.row("DVT-035", "DVT-036")
@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_times_that_cannot_be_are_refused_with_their_value(bad: float) -> None:
    with pytest.raises(ValueError, match=f"{bad:g}"):
        calculate_temperature_derivative(1.0, 2.0, bad)
    with pytest.raises(PhysicsError, match="time step"):
        update_temperature(1.0, 2.0, 30.0, bad)
    with pytest.raises(PhysicsError, match="chamber time constant"):
        ThermalConstants(chamber_time_constant_s=bad)


@pytest.mark.parametrize(
    ("step_c", "free_s", "ramped_s"), [(25, 117.4, 189.1), (65, 146.0, 429.1), (125, 165.6, 789.1)]
)
def test_time_into_the_window_without_and_with_a_ramp_of_10_k_per_minute(
    step_c: float, free_s: float, ramped_s: float
) -> None:
    """The reference numbers of the inventory, part B.22."""
    assert Air(25.0, 25.0 + step_c).inside_from_s(0.5) == pytest.approx(free_s, abs=0.05)
    assert Air(25.0, 25.0 + step_c, 30.0, 10.0 / MINUTE_S).inside_from_s(0.5) == pytest.approx(ramped_s, abs=0.05)


def test_the_ramp_is_the_smaller_of_limit_and_first_order_rate() -> None:
    air = Air(25.0, 85.0, 30.0, 10.0 / MINUTE_S)
    rates = [(air.at(s + 1e-3) - air.at(s)) / 1e-3 for s in range(0, 500, 5)]
    for s, rate in zip(range(0, 500, 5), rates, strict=True):
        assert rate == pytest.approx(min(10.0 / MINUTE_S, (85.0 - air.at(s)) / 30.0), abs=1e-4)


def test_air_is_in_the_window_exactly_from_the_instant_that_it_says() -> None:
    for air in (Air(25.0, 85.0), Air(85.0, -40.0, 30.0, 0.5), Air(25.0, 30.0, 1.0, 0.01)):
        enters_s = air.inside_from_s(0.5)
        assert abs(air.at(enters_s) - air.setpoint_c) == pytest.approx(0.5, abs=1e-9)
        assert abs(air.at(enters_s * 0.999) - air.setpoint_c) > 0.5


@pytest.mark.row("DVT-019")
@pytest.mark.parametrize("slope", [0.0, -0.05, 0.05, 0.2, 0.2 - 1 / 6])
def test_the_case_solves_its_differential_equation_whatever_the_slope_of_power(slope: float) -> None:
    """Against 200,000 Euler steps; 0.2 W/K cancels the loss, 0.2 - 1/6 meets the air's own time constant."""
    air = Air(25.0, 85.0)
    step = CaseStep(25.0, 0.5, slope, 0.001, air.piece(0.0), 5.0, 5.0)
    case_c, dt = 25.0, 2e-4
    for k in range(200_000):
        power = 0.5 + slope * (case_c - 25.0) + 0.001 * k * dt
        case_c += dt * (air.at(k * dt) - case_c + 5.0 * power) / 5.0
    assert step.at(40.0) == pytest.approx(case_c, rel=2e-4)
