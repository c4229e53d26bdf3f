"""The bench without instruments, against the reference numbers of the inventory (part B.22)."""

import random
from dataclasses import FrozenInstanceError

import pytest

from drycell.plugins_sim.physics import PhysicsEngine, PhysicsError, Site, ThermalConstants, World
from drycell.plugins_sim.physics.devices import Ldo, LdoParameters
from drycell.plugins_sim.physics.elements import Supply

MICROVOLT, MILLIKELVIN = 1e-6, 1e-3


def running(volts: float, amperes: float, **options: object) -> PhysicsEngine:
    engine = PhysicsEngine(**options)  # type: ignore[arg-type]
    engine.set_input_voltage(volts)
    engine.set_load_current(amperes)
    engine.set_output_enabled(True)
    return engine


@pytest.mark.row("DVT-015", "DVT-019", "DVT-020", "DVT-021")
@pytest.mark.parametrize(
    ("volts", "amperes", "power", "case_c", "junction_c", "out"),
    [
        (5.0, 0.1, 0.17024, 25.8512, 28.4047, 3.300562),
        (5.0, 0.5, 0.84990, 29.2495, 41.9981, 3.302805),
        (12.0, 0.5, 4.34885, 46.7442, 111.9769, 3.314351),
    ],
)
def test_steady_states(
    volts: float, amperes: float, power: float, case_c: float, junction_c: float, out: float
) -> None:
    engine = running(volts, amperes)
    engine.advance(1000.0)
    thermal, electrical = engine.get_thermal_state(), engine.get_electrical_state()
    assert electrical.power_dissipation == pytest.approx(power, abs=5.1e-6)
    assert thermal.case_temperature == pytest.approx(case_c, abs=MILLIKELVIN)
    assert thermal.junction_temperature == pytest.approx(junction_c, abs=MILLIKELVIN)
    assert electrical.output_voltage == pytest.approx(out, abs=MICROVOLT)
    steady = 25.0 + electrical.power_dissipation * 20.0
    assert thermal.junction_temperature == pytest.approx(steady, abs=1e-9)


@pytest.mark.row("DVT-018", "DVT-031")
def test_the_chamber_on_its_way_to_85_degrees() -> None:
    engine = PhysicsEngine()
    engine.set_chamber_setpoint(85.0)
    engine.advance(30.0)
    assert engine.get_thermal_state().chamber_temperature == pytest.approx(62.9272, abs=5e-5)
    engine.advance(60.0)
    assert engine.get_thermal_state().chamber_temperature == pytest.approx(82.0128, abs=5e-5)


@pytest.mark.row("DVT-016", "DVT-027", "DVT-032")
def test_a_step_is_one_over_the_rate_and_its_size_changes_nothing() -> None:
    fine, coarse = running(12.0, 0.5), running(12.0, 0.5, update_rate_hz=0.5)
    for engine in (fine, coarse):
        engine.set_chamber_setpoint(125.0)
    for _ in range(1000):
        fine.step()
        fine.get_thermal_state()
    for _ in range(5):
        coarse.step()
    assert fine.simulation_time == coarse.simulation_time == 10.0
    assert fine.get_thermal_state() == coarse.get_thermal_state()
    assert fine.get_electrical_state() == coarse.get_electrical_state()


def test_looking_changes_nothing_even_where_the_device_is_curved() -> None:
    """In dropout the power bends with temperature, so the time grid is refined: still nobody's looking moves it."""
    seen, alone = running(3.5, 0.5), running(3.5, 0.5)
    for engine in (seen, alone):
        engine.set_chamber_setpoint(125.0)
    steps = random.Random(5)
    while seen.simulation_time < 200.0:
        seen.advance(min(steps.expovariate(1.0), 200.0 - seen.simulation_time))
        seen.get_electrical_state()
    alone.advance(seen.simulation_time)
    assert seen.get_thermal_state() == alone.get_thermal_state()
    assert seen.get_electrical_state() == alone.get_electrical_state()


@pytest.mark.parametrize(("volts", "amperes"), [(5.0, 0.1), (12.0, 0.5), (3.5, 0.5)])
def test_the_exact_update_agrees_with_euler_at_fine_steps(volts: float, amperes: float) -> None:
    """The oracle of the inventory: explicit Euler, dissipation with the case in the junction's place."""
    engine = running(volts, amperes)
    engine.set_chamber_setpoint(85.0)
    engine.advance(20.0)
    ldo = Ldo()
    chamber_c = case_c = 25.0
    dt = 1e-3
    for _ in range(20_000):
        power = ldo.calculate_power_dissipation(volts, amperes, case_c)
        chamber_c += dt * (85.0 - chamber_c) / 30.0
        case_c += dt * (chamber_c - case_c + power * 5.0) / 5.0
    assert engine.get_thermal_state().case_temperature == pytest.approx(case_c, abs=3e-3)


@pytest.mark.row("DVT-017", "DVT-026", "DVT-030")
def test_a_fresh_engine_is_cold_off_and_holds_the_usual_regulator() -> None:
    engine = PhysicsEngine()
    thermal, electrical = engine.get_thermal_state(), engine.get_electrical_state()
    assert (thermal.chamber_temperature, thermal.case_temperature, thermal.junction_temperature) == (25.0,) * 3
    assert thermal.timestamp == engine.simulation_time == 0.0
    assert not engine.is_output_enabled
    engine.set_input_voltage(5.0)
    engine.set_load_current(0.1)
    electrical = engine.get_electrical_state()
    assert electrical.input_voltage == 5.0
    assert electrical.output_voltage == electrical.quiescent_current == 0.0
    assert electrical.load_current == electrical.power_dissipation == 0.0
    engine.set_output_enabled(True)
    assert engine.get_electrical_state().output_voltage == pytest.approx(3.3, abs=1e-3)


@pytest.mark.row("DVT-028", "DVT-029", "DVT-033")
def test_states_are_values() -> None:
    engine = running(5.0, 0.1)
    first, again = engine.get_thermal_state(), engine.get_thermal_state()
    assert first == again and hash(first) == hash(again)
    with pytest.raises(FrozenInstanceError):
        engine.get_electrical_state().output_voltage = 1.0  # type: ignore[misc]


@pytest.mark.row("DVT-037")
def test_the_loop_is_closed_power_heats_and_heat_moves_the_output() -> None:
    engine = running(12.0, 0.5)
    start = engine.get_electrical_state().output_voltage
    engine.advance(60.0)
    assert engine.get_electrical_state().output_voltage > start + 0.003
    engine.set_load_current(0.0)
    engine.advance(60.0)
    assert engine.get_electrical_state().output_voltage == pytest.approx(3.3, abs=1e-4)


def test_a_regulator_in_thermal_shutdown_settles_instead_of_burning() -> None:
    hot = PhysicsEngine(
        Ldo(LdoParameters(thermal_shutdown_c=60.0)), constants=ThermalConstants(junction_feedback=True)
    )
    hot.set_input_voltage(12.0)
    hot.set_load_current(0.5)
    hot.set_output_enabled(True)
    hot.advance(1000.0)
    thermal, electrical = hot.get_thermal_state(), hot.get_electrical_state()
    assert 60.0 < thermal.junction_temperature < 70.0
    assert thermal.junction_temperature == pytest.approx(25.0 + 20.0 * electrical.power_dissipation, abs=1e-3)
    assert electrical.load_current < 0.5


@pytest.mark.parametrize("bad", [0.0, -5.0, 1e9])
def test_rates_and_times_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(PhysicsError, match="update rate"):
        PhysicsEngine(update_rate_hz=bad)
    with pytest.raises(PhysicsError, match="time cannot go by"):
        PhysicsEngine().advance(-1.0)


def test_the_end_of_a_ramp_late_in_a_run_stops_nothing() -> None:
    """A rest of a ramp shorter than the resolution of time must not become a step that goes nowhere."""
    now = [0]
    world = World((Site(Ldo(), (Supply("in"),), ThermalConstants()),), lambda: now[0], ramp_c_per_min=10.0)
    for target in (25.0, -40.0, 25.0, 85.0, 25.1):
        world.set_chamber(target)
        now[0] += 61_001_000_000
        world.read()
    now[0] += 10**12
    assert world.read().air_c == pytest.approx(25.1)
