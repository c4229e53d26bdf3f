"""Devices under test as circuits."""

import math

import pytest

from drycell.plugins_sim.physics.circuit import Circuit
from drycell.plugins_sim.physics.devices import (
    Adc,
    Battery,
    DeviceModel,
    Hall,
    Ldo,
    LdoParameters,
    contact,
    make_device,
    parameter_names,
)
from drycell.plugins_sim.physics.dut_site import Site
from drycell.plugins_sim.physics.elements import Level, Load, SourceMeasure, Supply
from drycell.plugins_sim.physics.thermal import PhysicsError, ThermalConstants
from drycell.plugins_sim.physics.world import World

OUTPUTS = {-40: 3.289275, -20: 3.292575, 0: 3.295875, 25: 3.3, 50: 3.304125, 85: 3.3099, 125: 3.3165}
DROPOUTS = {-40: 0.2055, -20: 0.2325, 0: 0.2606, 25: 0.2972, 50: 0.3354, 85: 0.3913, 125: 0.4587}
QUIESCENT_UA = {-40: 40.25, 25: 50.0, 85: 59.0, 125: 65.0}
MINIMUM_INPUTS = {-40: 3.4948, 25: 3.5972, 85: 3.7012, 125: 3.7752}


@pytest.mark.row("DVT-040", "DVT-041", "DVT-042", "DVT-043", "DVT-044", "DVT-045")
def test_the_usual_regulator() -> None:
    p = LdoParameters()
    assert (p.nominal_output_voltage, p.tempco_ppm_per_c, p.dropout_voltage, p.max_output_current) == (
        3.3,
        50,
        0.3,
        0.5,
    )
    assert (p.quiescent_current_a, p.quiescent_current_tempco) == (50e-6, 0.003)


@pytest.mark.row("DVT-038", "DVT-039", "DVT-046")
@pytest.mark.parametrize("celsius", OUTPUTS)
def test_output_and_dropout_over_temperature(celsius: int) -> None:
    ldo = Ldo()
    assert ldo.calculate_output_voltage(celsius, 5.0) == pytest.approx(OUTPUTS[celsius], abs=1e-6)
    assert ldo.dropout_voltage(celsius) == pytest.approx(DROPOUTS[celsius], abs=5.1e-5)
    solution = circuit(ldo, 5.0).solve(celsius)
    assert solution.voltage("out") == pytest.approx(OUTPUTS[celsius], abs=1e-6)


@pytest.mark.parametrize("celsius", QUIESCENT_UA)
def test_quiescent_current_and_least_input_over_temperature(celsius: int) -> None:
    ldo = Ldo()
    assert ldo.calculate_quiescent_current(celsius) * 1e6 == pytest.approx(QUIESCENT_UA[celsius], abs=1e-9)
    least = MINIMUM_INPUTS[celsius]
    assert ldo.is_in_dropout(celsius, least - 1e-4)
    assert not ldo.is_in_dropout(celsius, least + 1e-4)


@pytest.mark.row("DVT-047", "DVT-048")
def test_too_little_input_drops_out() -> None:
    ldo = Ldo()
    assert ldo.calculate_output_voltage(25.0, 3.3) == pytest.approx(3.002771, abs=1e-6)
    assert ldo.calculate_output_voltage(50.0, 3.3) == pytest.approx(2.964613, abs=1e-6)
    cold, warm = (ldo.calculate_output_voltage(celsius, 3.3) for celsius in (25.0, 50.0))
    assert (warm - cold) / 25.0 / warm * 1e6 == pytest.approx(-514.8, abs=0.1)  # about the upper middle point
    assert ldo.calculate_output_voltage(25.0, 0.1) == 0.0
    assert circuit(ldo, 3.3).solve(25.0).voltage("out") == pytest.approx(3.002771, abs=1e-6)


def circuit(ldo: Ldo, volts: float, load: Load | None = None) -> Circuit:
    supply = Supply("in", on=True, level=Level(volts), limit_amperes=10.0)
    return Circuit((supply, load or Load("out"), ldo))


@pytest.mark.row("DVT-045")
def test_the_maximum_output_current_is_enforced() -> None:
    load = Load("out", on=True, value=0.6)
    solution = circuit(Ldo(), 5.0, load).solve(25.0)
    assert solution.current(load) == pytest.approx(0.5, abs=1e-9)
    assert solution.voltage("out") < 0.01


def test_an_output_driven_from_outside_takes_no_current() -> None:
    smu = SourceMeasure("out", on=True, level=Level(4.0))
    solution = Circuit((Supply("in", on=True, level=Level(5.0)), smu, Ldo())).solve(25.0)
    assert solution.voltage("out") == pytest.approx(4.0, abs=1e-9)
    assert solution.current(smu) == pytest.approx(0.0, abs=1e-10)


def test_continuity_finds_the_diode_and_an_open_contact_finds_the_clamp() -> None:
    smu = SourceMeasure("in", on=True, kind="curr", level=Level(-1e-4), limit=2.0)
    good = contact(contact_ohm=0.5)
    volts = Circuit((smu, *good.elements)).solve(25.0).voltage("in")
    assert volts == pytest.approx(-0.025693 * math.log(1e-4 / 1e-14) - 1e-4 * 0.5, abs=2e-3)
    open_pin = contact(contact_ohm=None)
    assert Circuit((smu, *open_pin.elements)).solve(25.0).voltage("in") == pytest.approx(-2.0, abs=1e-6)


def test_a_diode_leaks_twice_as_much_every_ten_kelvin() -> None:
    smu = SourceMeasure("in", on=True, level=Level(1.0))
    pin = contact(contact_ohm=1.0, saturation_amperes=1e-9)
    circuit = Circuit((smu, *pin.elements))
    cold, hot = (-circuit.solve(celsius).current(smu) for celsius in (25.0, 35.0))
    assert cold == pytest.approx(1e-9, rel=0.01)
    assert hot / cold == pytest.approx(2.0, rel=0.01)


def world_of(device: DeviceModel, *board: object, now: list[int]) -> World:
    return World((Site(device, board, ThermalConstants()),), lambda: now[0])  # type: ignore[arg-type]


def test_a_battery_loses_charge_as_long_as_current_flows() -> None:
    now = [0]
    load = Load("in", on=True, value=1.0)
    world = world_of(Battery(capacity_ah=1.0, charge=0.9), load, now=now)
    first = world.read().solution.voltage("in")
    assert first == pytest.approx(4.05 - 0.05)
    now[0] = 1800 * 10**9
    assert world.read().states[0] == pytest.approx(0.4, abs=1e-6)
    assert world.read().solution.voltage("in") == pytest.approx(3.45 + 0.3 * 0.25 / 0.4 - 0.05, abs=1e-5)
    with world.change():
        load.on = False
    now[0] += 1800 * 10**9
    assert world.read().states[0] == pytest.approx(0.4, abs=1e-6)


def test_a_battery_is_never_emptier_than_empty() -> None:
    now = [0]
    world = world_of(Battery(capacity_ah=0.01, charge=0.1), Load("in", on=True, value=0.1), now=now)
    now[0] = 10**13
    assert world.read().states[0] == pytest.approx(0.0, abs=1e-3)


def test_an_adc_codes_its_input() -> None:
    adc = Adc(bits=10, reference_volts=2.0)
    supply = Supply("in", on=True, level=Level(1.0))
    circuit = Circuit((supply, *adc.elements))
    assert adc.code(circuit.solve(25.0)) == 511  # 1 microvolt is lost in the supply's sense
    supply.level.target = 1.001
    assert adc.code(circuit.solve(25.0)) == 512
    supply.level.target = 5.0
    assert adc.code(circuit.solve(25.0)) == 1023
    assert Adc(bits=10, reference_volts=2.0, drift_v_per_c=0.002).code(circuit.solve(85.0)) == 1023


def test_a_hall_sensor_moves_with_the_field_and_stays_within_its_supply() -> None:
    hall = Hall(sensitivity_v_per_t=10.0)
    circuit = Circuit((Supply("in", on=True, level=Level(5.0)), *hall.elements))
    outputs = []
    for tesla in (0.0, 0.1, -0.1, 1.0, -1.0):
        hall.take((), tesla)
        outputs.append(circuit.solve(25.0).voltage("out"))
    assert outputs == pytest.approx([2.5, 3.5, 1.5, 5.0, 0.0], abs=1e-6)


@pytest.mark.row("DVT-049")
def test_devices_are_made_by_name_and_mistakes_are_named() -> None:
    for model, pins in (("ldo", 2), ("contact", 1), ("battery", 1), ("adc", 1), ("hall", 2)):
        device = make_device(model, {})
        assert len(device.pins) == pins
        for name in parameter_names(model):
            if name not in ("bits", "reference_volts"):
                make_device(model, {name: 0.5})
    with pytest.raises(PhysicsError, match="no device model 'opamp'; known are ldo"):
        make_device("opamp", {})
    with pytest.raises(PhysicsError, match="no parameter 'vout'; it has nominal_output_voltage"):
        make_device("ldo", {"vout": 3.0})
    with pytest.raises(PhysicsError, match="must be a number"):
        make_device("ldo", {"dropout_voltage": "x"})  # type: ignore[dict-item]
