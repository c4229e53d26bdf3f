"""Any sequence of commands: readings obey Kirchhoff's laws, nothing crashes, no answer comes late.

``DRYCELL_SCPI_PROGRAMS`` sets how many programs are tried (usually 200), ``DRYCELL_SCPI_LINES`` how many fuzzed lines
(usually 10,000). A program is a function of its number, so a failure names the program that fails again.
"""

import os
import random
import re
from collections.abc import Iterator

import pytest

from drycell.plugins_sim.instruments.bench import USUAL
from tests.scpi.support import Rig

PROGRAMS = int(os.environ.get("DRYCELL_SCPI_PROGRAMS", "200"))
LINES = int(os.environ.get("DRYCELL_SCPI_LINES", "10000"))
VOLTS, AMPERES = 2e-3, 2e-3  # supply and load show three decimals, and three of them add up
DEVICES = (
    {"model": "ldo"},
    {"model": "ldo", "parameters": {"dropout_voltage": 0.6, "line_regulation_v_per_v": 0.002}},
    {"model": "battery", "parameters": {"capacity_ah": 0.5, "series_ohm": 0.1}},
    {"model": "contact", "parameters": {"contact_ohm": 2.0}},
    {"model": "adc"},
    {"model": "hall"},
)


def program(draw: random.Random) -> Iterator[tuple[str, str]]:
    """Some commands to supply, load, meter, unit, switch, chamber and magnet, right and wrong ones."""
    for _ in range(draw.randrange(4, 16)):
        yield draw.choice(
            (
                ("psu", f"VOLT {draw.choice((0, 0.5, 3.3, 3.6, 5, 12, 60, draw.uniform(0, 20)))}"),
                ("psu", f"CURR {draw.choice((0, 0.01, 0.2, 1, 10, draw.uniform(0, 2)))}"),
                ("psu", f"OUTP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("load", f"CURR {draw.choice((0, 0.001, 0.1, 0.5, 2, draw.uniform(0, 1)))}"),
                ("load", f"RES {draw.choice((0.01, 1, 33, 1e6))}"),
                ("load", f"VOLT {draw.choice((0, 1, 3, 150))}"),
                ("load", f"FUNC {draw.choice(('CURR', 'CURR', 'RES', 'VOLT'))}"),
                ("load", f"INP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("smu", f"SOUR:VOLT {draw.choice((-40, -1, 0, 2, 3.3, 5, 40))}"),
                ("smu", f"SOUR:CURR {draw.choice((-3, -1e-3, 0, 1e-6, 0.1, 3))}"),
                ("smu", f"SENS:CURR:PROT {draw.choice((1e-9, 1e-3, 0.1, 3))}"),
                ("smu", f"SENS:VOLT:PROT {draw.choice((1e-3, 2, 20, 40))}"),
                ("smu", f"FUNC {draw.choice(('VOLT', 'CURR'))}"),
                ("smu", f"OUTP {draw.choice(('ON', 'ON', 'OFF'))}"),
                ("switch", f"ROUT:{draw.choice(('CLOS', 'CLOS', 'OPEN'))} (@{draw.choice((101, 102, 103))})"),
                ("chamber", f"TEMP:SETPOINT {draw.choice((-40, 25, 125))}"),
                ("magnet", f"FIEL {draw.choice((-1, 0, 0.5))};:OUTP ON"),
                ("psu", draw.choice(("VOLT -1", "VOLT 99", "BOGUS", "OUTP MAYBE", "MEAS:VOLT"))),
                ("dmm", draw.choice(("CONF:RES", "CONF:VOLT:DC", "MEAS:RES?", "READ?", "MEAS:VOLT?"))),
            )
        )


def check_kirchhoff(rig: Rig, closed: set[int]) -> None:
    read = rig.value
    solution = rig.bench.world.read(0).solution
    supply_volts, supply_amperes = read("psu", "MEAS:VOLT?"), read("psu", "MEAS:CURR?")
    load_volts, load_amperes = read("load", "MEAS:VOLT?"), read("load", "MEAS:CURR?")
    smu_volts, smu_amperes = read("smu", "MEAS:VOLT?"), read("smu", "MEAS:CURR?")
    meter_volts, meter_amperes = read("dmm", "MEAS:VOLT:DC?"), read("dmm", "MEAS:CURR:DC?")
    assert meter_amperes == pytest.approx(load_amperes, abs=AMPERES)  # the shunt is in series with the load
    assert meter_volts == pytest.approx(load_volts, abs=VOLTS)  # and has next to no resistance
    if rig.ask("psu", "OUTP?") == "1":
        assert supply_volts == pytest.approx(solution.voltage("in"), abs=VOLTS)
        assert 0.0 <= supply_amperes <= read("psu", "CURR?") + AMPERES
    currents = {"in": supply_amperes, "out": -load_amperes, "gnd": 0.0}
    device = rig.bench.world.sites[0].device
    taken = dict.fromkeys(("in", "out"), 0.0)
    for element in device.elements:
        for (plus, minus), amperes in zip(element.ports, solution.amperes[id(element)], strict=True):
            for node, sign in ((plus, 1.0), (minus, -1.0)):
                if node in taken:
                    taken[node] += sign * amperes
    through_relays = 0.0
    for column, node in enumerate(("in", "out", "gnd"), 1):
        flows = (smu_volts - solution.voltage(node)) / 0.05 if 100 + column in closed else 0.0
        through_relays += flows
        if node != "gnd":
            slack = AMPERES + (1e-6 / 0.05 if closed else 0.0)
            assert currents[node] + flows == pytest.approx(taken[node], abs=slack), node
    assert through_relays == pytest.approx(smu_amperes, abs=AMPERES)


def run_program(number: int) -> None:
    draw = random.Random(number)
    rig = Rig(device=draw.choice(DEVICES))
    for name, message in program(draw):
        rig.ask(name, message)
        rig.after(draw.choice((0.0, 1e-3, 0.1, 1.0, 60.0)))
        if draw.random() < 0.3:
            check(rig)
    check(rig)
    for name, _ in USUAL:
        assert "-310" not in rig.ask(name, "SYST:ERR:ALL?"), name


def check(rig: Rig) -> None:
    closed = {int(n) for n in re.findall(r"\d+", rig.ask("switch", "ROUT:CLOS:STAT?"))}
    check_kirchhoff(rig, closed)
    for name, model in USUAL:  # no answer of an earlier message comes now
        assert rig.ask(name, "*IDN?").split(",")[1][:2] == rig.bench.instruments[name].MODEL[:2], model


def test_random_programs_keep_kirchhoffs_laws() -> None:
    for number in range(PROGRAMS):
        try:
            run_program(number)
        except AssertionError as error:
            raise AssertionError(f"program {number}: {error}") from error


WORDS = (
    "VOLT", "CURR", "OUTP", "MEAS", "SOUR", "SENS", "CONF", "READ", "TEMP", "SETPOINT", "SYST", "ERR", "STAT", "OPER",
    "ROUT", "CLOS", "WAV", "DATA", "ACQ", "POIN", "INIT", "FIEL", "*IDN", "*RST", "*ESE", "*OPC", "PROT", "RANG", "DC",
)  # fmt: skip
BITS = (
    "?", "?", ";", ":", " ", ",", "(@", ")", "101", "1!2", "1:3", "#210abc", "#9", '"', "'", "5", "-1", "1e999", "1E5",
    "mV", "KOHM", "MIN", "MAX", "DEF", "ON", "OFF", "AUTO", "\t", "\x00", "\xff", "\xe9", "0x1", "#H", "#HFF", "NAN",
    "999999999999999999999", "1..2", "((", "@", "*", "**", "\\", "%s", "{}",
)  # fmt: skip


def fuzzed(draw: random.Random) -> bytes:
    kind = draw.random()
    if kind < 0.2:
        return draw.randbytes(draw.randrange(60)).replace(b"\n", b"")
    parts = [draw.choice(WORDS if draw.random() < 0.5 else BITS) for _ in range(draw.randrange(1, 12))]
    text = (":" if kind < 0.6 else "").join(parts)
    return text.encode("latin-1")


@pytest.mark.parametrize("name", [name for name, _ in USUAL])
def test_fuzzed_lines_never_break_an_instrument(name: str) -> None:
    rig = Rig()
    draw = random.Random(name)
    served = rig.bench.served[name]
    for number in range(LINES // len(USUAL)):
        line = fuzzed(draw)
        served.latency_ns(line)
        answer = served.reply(line)
        assert b"\n" not in answer or b"#" in answer
        rig.now_ns += draw.randrange(10**8)
        if b"-310" in served.reply(b"SYST:ERR:ALL?"):
            raise AssertionError(f"line {line!r} met a fault of the instrument")
        if number % 200 == 0:
            assert served.reply(b"*IDN?").startswith(b"drycell,")
