"""Chamber, supply and multimeter: every command of the inventory's part B.3, in both profiles."""

from collections.abc import Iterator

import pytest

from tests.scpi.support import Rig

PROFILES = ("scpi", "seed")


@pytest.fixture(params=PROFILES)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig = Rig(profile=request.param)
    yield rig
    for name in rig.bench.served:
        assert rig.error(name) == '0,"No error"', name


@pytest.mark.row("DVT-063", "DVT-072", "DVT-083")
@pytest.mark.parametrize(("profile", "maker"), [("scpi", "drycell"), ("seed", "PyDVTATE")])
def test_identities(profile: str, maker: str) -> None:
    rig = Rig(profile=profile)
    assert rig.ask("chamber", "*IDN?") == f"{maker},TC-SIM-001,TCSIM001,1.0.0"
    assert rig.ask("psu", "*IDN?") == f"{maker},PS-SIM-001,PSSIM001,1.0.0"
    assert rig.ask("dmm", "*IDN?") == f"{maker},DMM-SIM-001,DMMSIM001,1.0.0"
    for name in rig.bench.served:
        assert rig.ask(name, "*OPC?") == "1"
        assert rig.ask(name, "*OPC") == rig.ask(name, "*CLS") == rig.ask(name, "*RST") == ""


@pytest.mark.row("DVT-064", "DVT-065", "DVT-066", "DVT-067", "DVT-068", "DVT-070")
def test_the_chamber_goes_where_it_is_sent(rig: Rig) -> None:
    assert rig.ask("chamber", "TEMP:SETPOINT?") == rig.ask("chamber", "TEMP:ACTUAL?") == "25.00"
    assert rig.ask("chamber", "TEMP:RAMP?") == "10.00" and rig.ask("chamber", "TEMP:STAB?") == "1"
    assert rig.ask("chamber", "TEMP:SETPOINT 85") == ""
    assert rig.ask("chamber", "TEMP:SETPOINT?") == "85.00" and rig.ask("chamber", "TEMP:ACTUAL?") == "25.00"
    assert rig.ask("chamber", "TEMP:STAB?") == "0"
    rig.after(900.0)
    assert rig.ask("chamber", "TEMP:ACTUAL?") == "85.00" and rig.ask("chamber", "TEMP:STAB?") == "1"


@pytest.mark.row("DVT-068")
@pytest.mark.parametrize(("profile", "enters_s"), [("scpi", 429.08), ("seed", 146.03)])
def test_stable_means_within_half_a_degree(profile: str, enters_s: float) -> None:
    rig = Rig(profile=profile)
    rig.ask("chamber", "TEMP:SETPOINT 90")
    rig.after(enters_s - 0.1)
    assert rig.ask("chamber", "TEMP:STAB?") == "0"
    rig.after(0.2)
    assert rig.ask("chamber", "TEMP:STAB?") == "1"


@pytest.mark.row("DVT-069", "DVT-070", "DVT-071")
def test_the_ramp_is_kept_and_reset_brings_the_defaults(rig: Rig) -> None:
    assert rig.ask("chamber", "TEMP:RAMP 5") == "" and rig.ask("chamber", "TEMP:RAMP?") == "5.00"
    rig.ask("chamber", "TEMP:SETPOINT 60")
    rig.after(60.0)
    assert rig.ask("chamber", "*RST") == ""
    assert rig.ask("chamber", "TEMP:SETPOINT?") == "25.00" and rig.ask("chamber", "TEMP:RAMP?") == "10.00"
    rig.after(600.0)
    assert rig.ask("chamber", "TEMP:ACTUAL?") == "25.00"


@pytest.mark.row("DVT-073", "DVT-074", "DVT-075", "DVT-076", "DVT-077", "DVT-078", "DVT-079", "DVT-080")
def test_the_supply_gives_voltage_while_it_is_on(rig: Rig) -> None:
    assert [rig.ask("psu", q) for q in ("VOLT?", "CURR?", "OUTP?", "MEAS:VOLT?", "MEAS:CURR?")] == [
        "0.000", "1.000", "0", "0.000", "0.000",
    ]  # fmt: skip
    assert rig.ask("psu", "VOLT 5") == rig.ask("psu", "CURR 0.5") == ""
    assert rig.ask("psu", "VOLT?") == "5.000" and rig.ask("psu", "CURR?") == "0.500"
    assert rig.ask("psu", "MEAS:VOLT?") == "0.000" and rig.value("dmm", "MEAS:VOLT:DC?") == 0.0
    for on, off in (("ON", "OFF"), ("1", "0"), ("on", "off")):
        assert rig.ask("psu", f"OUTP {on}") == "" and rig.ask("psu", "OUTP?") == "1"
        assert rig.ask("psu", "MEAS:VOLT?") == "5.000"
        assert rig.value("dmm", "MEAS:VOLT:DC?") == pytest.approx(3.3, abs=1e-5)
        assert rig.ask("psu", f"OUTP {off}") == "" and rig.ask("psu", "OUTP?") == "0"
        assert rig.ask("psu", "MEAS:VOLT?") == "0.000"


@pytest.mark.row("DVT-081", "DVT-082")
def test_the_supply_measures_load_and_quiescent_current(rig: Rig) -> None:
    rig.power_up(5.0, 0.25)
    assert rig.ask("psu", "MEAS:CURR?") == "0.250"
    assert rig.ask("psu", "*RST") == ""
    assert [rig.ask("psu", q) for q in ("VOLT?", "CURR?", "OUTP?", "MEAS:CURR?")] == ["0.000", "1.000", "0", "0.000"]
    assert rig.ask("dmm", "MEAS:VOLT:DC?") == "0.000000"


@pytest.mark.row("DVT-084", "DVT-085", "DVT-086", "DVT-087", "DVT-088", "DVT-089", "DVT-091")
def test_the_multimeter_reads_the_selected_function(rig: Rig) -> None:
    rig.power_up(5.0, 0.1)
    rig.after(200.0)
    assert rig.ask("dmm", "CONF?") == '"VOLT:DC"'
    assert rig.ask("dmm", "MEAS:VOLT:DC?") == rig.ask("dmm", "READ?") == "3.300562"
    assert rig.ask("dmm", "MEAS:CURR:DC?") == rig.ask("dmm", "READ?") == "0.100000"
    assert rig.ask("dmm", "CONF?") == '"CURR:DC"'
    assert rig.ask("dmm", "CONF:VOLT:DC") == "" and rig.ask("dmm", "READ?") == "3.300562"
    assert rig.ask("dmm", "CONF:CURR:DC") == "" and rig.ask("dmm", "CONF?") == '"CURR:DC"'
    assert rig.ask("dmm", "CONF:VOLT:DC 10,0.001") == "" and rig.ask("dmm", "READ?") == "3.300562"
    rig.ask("dmm", "CONF:CURR:DC")
    assert rig.ask("dmm", "*RST") == "" and rig.ask("dmm", "CONF?") == '"VOLT:DC"'


@pytest.mark.row("DVT-067", "DVT-068", "DVT-080", "DVT-081", "DVT-090")
def test_a_bench_without_device() -> None:
    rig = Rig(device={"model": "none"})
    rig.ask("psu", "VOLT 5;:OUTP ON")
    assert rig.ask("psu", "MEAS:VOLT?") == "5.000" and rig.ask("psu", "MEAS:CURR?") == "0.000"
    assert rig.ask("dmm", "MEAS:VOLT:DC?") == rig.ask("dmm", "MEAS:CURR:DC?") == "0.000000"
    assert rig.ask("chamber", "TEMP:ACTUAL?") == "25.00" and rig.ask("chamber", "TEMP:STAB?") == "1"


REFUSED = [
    ("chamber", "TEMP:SETPOINT", -109, "requires a value"),
    ("chamber", "TEMP:SETPOINT warm", -141, "invalid value 'warm'"),
    ("chamber", "TEMP:ACTUAL", -113, "query only"),
    ("chamber", "TEMP:STAB", -113, "query only"),
    ("chamber", "TEMP:RAMP", -109, "requires a value"),
    ("chamber", "TEMP:RAMP 0", -222, "must be positive"),
    ("chamber", "TEMP:RAMP -1", -222, "must be positive"),
    ("psu", "VOLT", -109, "requires a value"),
    ("psu", "VOLT x", -141, "invalid value"),
    ("psu", "VOLT -1", -222, "cannot be negative"),
    ("psu", "CURR", -109, "requires a value"),
    ("psu", "CURR -0.1", -222, "cannot be negative"),
    ("psu", "CURR 1..2", -121, "invalid value"),
    ("psu", "OUTP", -109, "requires a value"),
    ("psu", "OUTP MAYBE", -141, "invalid value 'MAYBE'"),
    ("psu", "MEAS:VOLT", -113, "query only"),
    ("psu", "MEAS:CURR", -113, "query only"),
    ("dmm", "MEAS:VOLT:DC", -113, "query only"),
    ("dmm", "CONF:VOLT:DC?", -113, "command only"),
    ("dmm", "CONF:CURR:DC?", -113, "command only"),
    ("dmm", "CONF", -113, "query only"),
    ("dmm", "READ", -113, "query only"),
    ("psu", "*IDN", -113, "query only"),
    ("psu", "*RST?", -113, "command only"),
    ("psu", "*CLS?", -113, "command only"),
    ("psu", "BOGUS 1", -113, "Unknown command 'BOGUS'"),
]


@pytest.mark.row(
    "DVT-055", "DVT-056", "DVT-057", "DVT-059", "DVT-060", "DVT-065", "DVT-067", "DVT-068", "DVT-069", "DVT-074",
    "DVT-076", "DVT-078", "DVT-080", "DVT-081", "DVT-084", "DVT-085", "DVT-086", "DVT-087", "DVT-088", "DVT-089",
)  # fmt: skip
@pytest.mark.parametrize(("name", "line", "code", "text"), REFUSED)
def test_what_is_refused_goes_to_the_queue_and_in_the_seed_profile_into_a_line(
    name: str, line: str, code: int, text: str
) -> None:
    standard, seed = Rig(), Rig(profile="seed")
    assert standard.ask(name, line) == ""
    assert standard.error(name).startswith(f"{code},")
    answer = seed.ask(name, line)
    assert answer.startswith("ERROR: ") and text in answer and "\n" not in answer


@pytest.mark.row("DVT-065", "DVT-074")
def test_upper_limits_hold_except_in_the_seed_profile() -> None:
    standard, seed = Rig(), Rig(profile="seed")
    for name, line in (("chamber", "TEMP:SETPOINT 300"), ("psu", "VOLT 80"), ("psu", "CURR 20")):
        assert standard.ask(name, line) == "" and standard.error(name).startswith("-222,")
        assert seed.ask(name, line) == "" and seed.error(name) == '0,"No error"'
