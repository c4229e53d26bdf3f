"""Load, source-measure unit, digitizer, switch matrix, magnet, and what the others do beyond the inventory."""

import struct

import pytest

from drycell.sim.errors import DrycellError
from tests.scpi.support import Rig


def test_the_supply_limits_its_current_and_says_so() -> None:
    rig = Rig().power_up(5.0, 0.4)
    assert rig.ask("psu", "STAT:OPER:COND?;:STAT:QUES:COND?") == "256;0"
    rig.ask("psu", "CURR 0.2")
    assert rig.ask("psu", "MEAS:CURR?") == "0.200"
    assert rig.value("psu", "MEAS:VOLT?") < 0.5
    assert rig.ask("psu", "STAT:OPER:COND?;:STAT:QUES:COND?") == "1024;1"
    assert rig.value("load", "MEAS:CURR?") == pytest.approx(0.2, abs=1e-3)
    assert rig.ask("load", "STAT:QUES:COND?") == "2"
    rig.ask("psu", "CURR 1")
    assert rig.ask("psu", "MEAS:VOLT?") == "5.000"


def test_the_load_in_its_three_modes() -> None:
    rig = Rig().power_up(5.0, 0.1)
    assert rig.ask("load", "MODE?;:INP?;:CURR?;:MEAS:CURR?") == "CURR;1;0.100;0.100"
    rig.ask("load", "FUNC RES;:RES 33")
    assert rig.value("load", "MEAS:CURR?") == pytest.approx(0.1, abs=1e-3)
    rig.ask("load", "FUNC VOLT;:VOLT 2")
    assert rig.value("load", "MEAS:VOLT?") == pytest.approx(2.0, abs=0.01)
    assert rig.value("load", "MEAS:CURR?") == 0.5
    assert rig.value("load", "MEAS:POW?") == pytest.approx(1.0, abs=0.01)
    rig.ask("load", "*RST")
    assert rig.ask("load", "MODE?;:INP?;:CURR?;:MEAS:CURR?") == "CURR;0;0.000;0.000"


def test_the_source_measure_unit_reaches_the_device_through_the_matrix() -> None:
    rig = Rig()
    rig.ask("smu", "SOUR:VOLT 5;:SENS:CURR:PROT 1 A;:OUTP ON")
    assert rig.value("smu", "MEAS:CURR?") == pytest.approx(0.0, abs=1e-9)
    rig.ask("switch", "ROUT:CLOS (@101)")
    assert rig.ask("switch", "ROUT:CLOS? (@101:103);:ROUT:CLOS:STAT?") == "1,0,0;(@101)"
    assert rig.value("smu", "MEAS:CURR?") == pytest.approx(50e-6, rel=1e-3)
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.3, abs=1e-4)
    rig.ask("switch", "ROUT:CLOS:EXCL (@1!2)")
    assert rig.ask("switch", "ROUT:CLOS:STAT?") == "(@102)" and rig.ask("switch", "ROUT:OPEN? (@101,102)") == "1,0"
    rig.ask("switch", "ROUT:OPEN:ALL")
    assert rig.ask("switch", "ROUT:CLOS:STAT?") == "(@)"


def test_the_source_measure_unit_forces_current_and_reports_its_limit() -> None:
    rig = Rig(device={"model": "contact", "parameters": {"contact_ohm": 0.5}})
    rig.ask("switch", "ROUT:CLOS (@101)")
    rig.ask("smu", "FUNC CURR;:SOUR:CURR -100 UA;:SENS:VOLT:PROT 2;:OUTP ON")
    assert rig.value("smu", "MEAS:VOLT?") == pytest.approx(-0.59, abs=0.03)
    assert rig.ask("smu", "SENS:VOLT:PROT:TRIP?;:STAT:QUES:COND?") == "0;0"
    rig.ask("switch", "ROUT:OPEN (@101)")
    assert rig.value("smu", "MEAS:VOLT?") == pytest.approx(-2.0, abs=1e-6)
    assert rig.ask("smu", "SENS:VOLT:PROT:TRIP?;:STAT:QUES:COND?") == "1;1"
    assert rig.ask("smu", "FUNC?;:READ?").startswith("CURR;-2.00000")


def test_the_multimeter_measures_resistance_ranges_and_integration() -> None:
    rig = Rig(device={"model": "none"}, board=[{"between": ["out", "gnd"], "ohm": 4700}])
    assert float(rig.wait("dmm", "MEAS:RES?")) == pytest.approx(4700.0, abs=1e-3)
    assert rig.wait("dmm", "MEAS:RES? 1000") == "9.9E+37"
    assert rig.ask("dmm", "SENS:RES:RANG?;RANG:AUTO?") == "1000;0"
    before = rig.now_ns
    rig.ask("dmm", "VOLT:DC:NPLC 10")
    rig.wait("dmm", "READ?")
    assert rig.now_ns - before == 200_000_000
    rig.ask("dmm", "SAMP:COUN 3")
    assert len(rig.wait("dmm", "READ?").split(",")) == 3 and rig.now_ns - before == 800_000_000
    open_rig = Rig(device={"model": "none"})
    assert open_rig.ask("dmm", "MEAS:RES?") == "9.9E+37"


def test_readings_are_noisy_on_request_and_alike_under_one_seed() -> None:
    noisy = {"instruments": {"dmm": {"model": "multimeter", "options": {"noise_volts": 1e-3}}}}
    first, again, other = (Rig({**noisy, "seed": seed}) for seed in (1, 1, 2))
    series = [[rig.value("dmm", "MEAS:VOLT:DC?") for _ in range(200)] for rig in (first, again, other)]
    assert series[0] == series[1] != series[2]
    mean = sum(series[0]) / 200
    assert abs(mean) < 4e-4
    assert (sum((x - mean) ** 2 for x in series[0]) / 199) ** 0.5 == pytest.approx(1e-3, rel=0.2)


def test_the_digitizer_sees_the_supply_settle() -> None:
    bench = {"psu": {"model": "supply", "options": {"settle_s": 1e-3}}, "dig": {"model": "digitizer"}}
    rig = Rig(instruments=bench, device={"model": "none"})
    rig.ask("dig", "ACQ:SRAT 100 KHZ;POIN 1000;:WAV:SOUR CHAN2;:INIT")
    rig.after(0.002)
    rig.ask("psu", "VOLT 4;:OUTP ON")
    assert rig.ask("dig", "WAV:DATA?") == "" and rig.error("dig").startswith("-230,")
    assert rig.ask("dig", "STAT:OPER:COND?") == "16"
    assert rig.wait("dig", "*OPC?") == "1" and rig.now_ns == 9_990_000
    preamble = rig.ask("dig", "WAV:PRE?").split(",")
    data = rig.bench.served["dig"].reply(b"WAV:DATA?")
    assert preamble[:2] == ["WORD", "1000"] and data[:6] == b"#42000"
    volts = [code * float(preamble[3]) for code in struct.unpack(">1000h", data[6:])]
    assert volts[:200] == [0.0] * 200
    assert volts[300] == pytest.approx(4.0 * (1 - 2.718281828**-1), abs=0.01)
    assert volts[999] == pytest.approx(4.0 * (1 - 2.718281828**-7.99), abs=1e-3)
    assert rig.value("dig", "MEAS:VOLT:PTP?") == pytest.approx(4.0, abs=0.01)
    rig.ask("dig", "WAV:FORM ASC")
    assert len(rig.ask("dig", "WAV:DATA?").split(",")) == 1000


def test_the_digitizer_clips_at_its_range_and_refuses_a_second_start() -> None:
    rig = Rig()
    rig.ask("psu", "VOLT 5;:OUTP ON")
    rig.ask("digitizer", "CHAN2:RANG 1;:WAV:SOUR CHAN2;FORM BYTE;:ACQ:POIN 10;:INIT;:INIT")
    assert rig.error("digitizer").startswith("-211,")
    rig.after(1.0)
    assert rig.bench.served["digitizer"].reply(b"WAV:DATA?") == b"#210" + b"\x7f" * 10
    rig.ask("digitizer", "ABOR;:WAV:DATA?;:CHAN3:RANG 1;:WAV:DATA?")
    errors = rig.ask("digitizer", "SYST:ERR:ALL?")
    assert errors.startswith("-230,") and ",-114," in errors


def test_the_digital_output_of_a_converter() -> None:
    rig = Rig(device={"model": "adc", "parameters": {"bits": 8, "reference_volts": 2.56}})
    rig.ask("psu", "VOLT 1.005;:OUTP ON")
    assert rig.ask("digitizer", "DIG:DATA?") == "100"
    other = Rig()
    other.ask("digitizer", "DIG:DATA?")
    assert other.error("digitizer").startswith("-241,")


def test_the_magnet_ramps_and_a_hall_sensor_follows() -> None:
    rig = Rig(device={"model": "hall", "parameters": {"sensitivity_v_per_t": 10}})
    rig.ask("psu", "VOLT 5;:OUTP ON")
    rig.ask("magnet", "FIEL 0.1;FIEL:RAMP 0.05;:OUTP ON")
    assert rig.error("magnet") == '0,"No error"'
    rig.after(1.0)
    assert rig.ask("magnet", "FIEL:ACT?;STAB?;:STAT:OPER:COND?") == "0.050000;0;8"
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.0, abs=1e-4)
    rig.wait("magnet", "*OPC?")
    assert rig.now_ns == 2 * 10**9 and rig.ask("magnet", "FIEL:ACT?;STAB?") == "0.100000;1"
    rig.ask("magnet", "OUTP OFF")
    rig.after(10.0)
    assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(2.5, abs=1e-4)


def test_operation_complete_waits_for_what_goes_on() -> None:
    rig = Rig()
    rig.ask("switch", "*ESR?")
    rig.ask("switch", "ROUT:CLOS (@101);*OPC")
    assert rig.ask("switch", "*ESR?") == "0"
    rig.after(0.005)
    assert rig.ask("switch", "*ESR?") == "1"


def test_several_sites_have_their_own_circuits_in_one_chamber() -> None:
    rig = Rig(sites=3)
    rig.ask("psu", "VOLT 5,(@1:3);:OUTP ON,(@1,3);:VOLT 3.3,(@3)")
    assert rig.ask("psu", "MEAS:VOLT? (@1:3)") == "5.000,0.000,3.300"
    volts = [float(text) for text in rig.ask("dmm", "MEAS:VOLT:DC? AUTO,DEF,(@1:3)").split(",")]
    assert volts == pytest.approx([3.3, 0.0, 3.002771], abs=1e-4)
    rig.ask("load", "INST:NSEL 3;:CURR 0.2;:INP ON")
    assert rig.ask("load", "MEAS:CURR? (@1:3)") == "0.000,0.000,0.200"
    rig.ask("psu", "VOLT 1,(@4)")
    assert rig.error("psu").startswith("-222,")


def test_a_stable_chamber_has_dwelt_in_its_window() -> None:
    rig = Rig(instruments={"oven": {"model": "chamber", "options": {"dwell_s": 30, "ramp_c_per_min": 0}}})
    rig.ask("oven", "TEMP:SETPOINT 50")
    rig.after(117.4 + 29.8)
    assert rig.ask("oven", "TEMP:STAB?") == "0"
    rig.after(0.5)
    assert rig.ask("oven", "TEMP:STAB?") == "1"


@pytest.mark.parametrize(
    ("bench", "text"),
    [
        ({"instrument": {}}, "no key 'instrument'; known are sites"),
        ({"sites": 0}, "sites is 0; it must be a whole number from 1 to 64"),
        ({"profile": "old"}, "profile 'old' is unknown; use scpi or seed"),
        ({"instruments": {"a": {"model": "chambre"}}}, "no model 'chambre'; did you mean 'chamber'"),
        (
            {"instruments": {"a": {"model": "supply", "connect": {"out1": "x"}}}},
            "no terminal 'out1'; did you mean 'out'",
        ),
        ({"instruments": {"a": {"model": "supply", "options": {"max_volt": 5}}}}, "did you mean 'max_volts'"),
        ({"instruments": {"a": {"model": "supply", "options": {"max_volts": "5"}}}}, "must be a number"),
        ({"instruments": {"a": {"model": "supply", "options": {"limit_amperes": 99}}}}, "contradict"),
        ({"instruments": {"a": {"model": "supply", "port": 70000}}}, "port is 70000"),
        ({"instruments": {"a": {"model": "supply", "latency_s": -1}}}, "must be 0 or more"),
        ({"device": {"model": "opamp"}}, "no device model 'opamp'"),
        ({"thermal": {"theta": 1}}, "no key 'theta'"),
        ({"thermal": {"theta_jc": -1}}, "theta_jc is -1"),
        ({"board": [{"between": ["a"], "ohm": 1}]}, "between two nodes"),
        ({"instruments": {"a": {"file": "nowhere.yaml"}}}, "cannot be read"),
    ],
)
def test_mistakes_in_a_bench_are_named(bench: dict[str, object], text: str) -> None:
    with pytest.raises(DrycellError, match=text):
        Rig(bench)


@pytest.mark.parametrize("profile", ["scpi", "seed"])
def test_the_least_ramp_and_window_are_values_like_any_other(profile: str) -> None:
    rig = Rig(profile=profile)
    rig.ask("chamber", "TEMP:RAMP MIN;WINDOW MIN;SETPOINT 26")
    rig.ask("magnet", "FIEL:RAMP MIN;:FIEL 0.5;:OUTP ON")
    asked = {"chamber": "TEMP:STAB?", "magnet": "FIEL:STAB?"}
    assert [rig.ask(name, question) for name, question in asked.items()] == ["0", "0"]
    rig.after(1e6)
    assert [rig.ask(name, question) for name, question in asked.items()] == ["1", "1"]
    assert [rig.error(name) for name in asked] == ['0,"No error"'] * 2
