"""Defects of the system that came before (part B.18 of the inventory) that must not come back; letters are its rows.

Rows whose place is elsewhere, and the test that holds them there:
c  tests/cell/test_measurement.py, a_value_on_its_limit_passes_and_one_beyond_fails
e  tests/cli/test_run.py, the_exit_code_is_the_verdict
f  tests/instruments/test_serve.py (query asks and answers)
g  tests/program/test_rungs.py, both_rungs_give_the_same_stdf (an output has one name, from the program to the file)
l  tests/cell/test_modelled_cell.py, test_time_is_simulated_time_and_a_cost_per_test_can_be_added
m  tests/program/test_cycle.py, a_missing_limit_is_absent_in_the_record_and_the_flags_say_so
n  tests/report/test_story.py, runs_without_a_verdict_say_why_and_where_they_stopped
o  tests/instruments/test_page.py (what the page shows runs)
p  tests/oracles/test_nominal.py, an_oracle_is_unknown_on_an_empty_journal
"""

from itertools import pairwise

import pytest

from drycell.runtime.instruments import InstrumentConfig
from drycell.sim.kernel.pace import Pace
from tests.scpi.support import Rig


def test_a_the_input_voltage_reaches_the_device() -> None:
    rig = Rig()
    rig.ask("psu", "VOLT 3.3;:OUTP ON")
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.002771, abs=1e-5)
    rig.ask("psu", "VOLT 5")
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.3, abs=1e-5)


def test_b_the_load_current_can_be_set_and_heats_the_device() -> None:
    rig = Rig().power_up(12.0, 0.5)
    rig.after(200.0)
    assert rig.ask("dmm", "MEAS:CURR:DC?") == "0.500000"
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.314351, abs=1e-6)
    reading = rig.bench.world.read()
    assert reading.junction_c == pytest.approx(111.9769, abs=1e-3)
    assert reading.case_c == pytest.approx(46.7442, abs=1e-3)


def test_d_the_ports_of_the_bench_are_the_ports_of_the_factory() -> None:
    config, ports = InstrumentConfig(), Rig().bench.ports
    assert (config.chamber_port, config.psu_port, config.dmm_port, config.load_port) == (5001, 5002, 5003, 5004)
    assert [ports[name] for name in ("chamber", "psu", "dmm", "load")] == [5001, 5002, 5003, 5004]
    assert len(set(ports.values())) == len(ports)


def settled(**data: object) -> tuple[float, float, float]:
    rig = Rig(**data).power_up(12.0, 0.3)
    rig.ask("chamber", "TEMP:SETPOINT 60")
    rig.after(20.0)
    reading = rig.bench.world.read()
    return reading.air_c, reading.case_c, reading.junction_c


@pytest.mark.parametrize(
    ("key", "value", "moves"),
    [
        ("chamber_time_constant_s", 10.0, 0), ("case_time_constant_s", 10.0, 1), ("theta_ca", 9.0, 1),
        ("theta_jc", 30.0, 2), ("junction_feedback", True, 1),
    ],
)  # fmt: skip
def test_h_every_thermal_key_has_an_effect(key: str, value: object, moves: int) -> None:
    free = {name: {"model": name} for name in ("load",)}
    free |= {"psu": {"model": "supply"}, "chamber": {"model": "chamber", "options": {"ramp_c_per_min": 0}}}  # type: ignore[dict-item]
    usual, other = settled(instruments=free), settled(instruments=free, thermal={key: value})
    assert usual[:moves] == pytest.approx(other[:moves], abs=1e-9)
    assert abs(usual[moves] - other[moves]) > 1e-4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nominal_output_voltage", 3.0), ("tempco_ppm_per_c", 100.0), ("quiescent_current_a", 1e-2),
        ("quiescent_current_tempco", 5.0), ("dropout_voltage", 3.0), ("max_output_current", 0.05),
        ("line_regulation_v_per_v", 0.01), ("thermal_shutdown_c", 20.0),
    ],
)  # fmt: skip
def test_h_every_parameter_of_the_device_has_an_effect(key: str, value: float) -> None:
    def readings(**data: object) -> list[str]:
        rig = Rig(**data).power_up(5.5, 0.1)
        rig.after(300.0)
        return [rig.ask("dmm", "MEAS:VOLT:DC?"), rig.ask("psu", "MEAS:CURR?")]

    assert readings() != readings(device={"parameters": {key: value}})


@pytest.mark.parametrize(("option", "value"), [("ramp_c_per_min", 2.0), ("window_c", 5.0), ("dwell_s", 30.0)])
def test_i_ramp_window_and_dwell_of_the_chamber_are_alive(option: str, value: float) -> None:
    def stable_after_s(options: dict[str, float]) -> float:
        rig = Rig(instruments={"chamber": {"model": "chamber", "options": options}})
        rig.ask("chamber", "TEMP:SETPOINT 50")
        while rig.ask("chamber", "TEMP:STAB?") == "0":
            rig.after(1.0)
        return rig.now_ns / 1e9

    assert stable_after_s({}) == pytest.approx(189.1, abs=1.0)
    assert abs(stable_after_s({option: value}) - stable_after_s({})) > 5.0


@pytest.mark.parametrize(("celsius", "stable_s"), [(50, 219.1), (90, 459.1), (150, 819.1)])
def test_i_with_ramp_and_dwell_a_step_takes_as_long_as_calculated(celsius: int, stable_s: float) -> None:
    rig = Rig(instruments={"chamber": {"model": "chamber", "options": {"dwell_s": 30.0}}})
    rig.ask("chamber", f"TEMP:SETPOINT {celsius}")
    rig.after(stable_s - 0.1)
    assert rig.ask("chamber", "TEMP:STAB?") == "0"
    rig.after(0.2)
    assert rig.ask("chamber", "TEMP:STAB?") == "1"


def test_i_a_ramp_sent_on_the_wire_is_what_the_air_does() -> None:
    rig = Rig()
    rig.ask("chamber", "TEMP:RAMP 3;SETPOINT 85")
    temperatures = []
    for _ in range(5):
        temperatures.append(rig.value("chamber", "TEMP:ACTUAL?"))
        rig.after(60.0)
    assert [b - a for a, b in pairwise(temperatures)] == pytest.approx([3.0] * 4, abs=0.011)


def test_j_an_error_of_a_command_is_not_the_answer_to_the_next_query() -> None:
    rig = Rig()
    assert rig.ask("psu", "VOLT -1") == ""
    assert rig.ask("psu", "VOLT?") == "0.000"
    assert rig.error("psu").startswith("-222,")


@pytest.mark.parametrize("text", ["x0.1", "x1.5", "x1000"])
def test_k_any_factor_of_time_is_kept_as_it_is(text: str) -> None:
    assert Pace.parse(text).factor == float(text[1:])
