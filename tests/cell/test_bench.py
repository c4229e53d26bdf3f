"""A lot on a bench of SCPI instruments: the handler's contacts, the TCC's chamber and the program's readings are one."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell import tcc
from drycell.sim.cell.deeds import Deed, Owner, Peripheral
from drycell.sim.errors import DrycellError
from drycell.sim.scenario import from_data

BENCH = Path(__file__).parents[2] / "scenarios" / "bench"
HOT = {"to": "chamber", "message": "TEMP:SETPOINT {temperature}", "until": "TEMP:STAB?"}
SET_UP = {
    "cell": {"sites": 2, "peripherals": {"Temperature": {"does": {"set_temperature": HOT}}}},
    "program": {"definitions": str(BENCH)},
    "devices": {"size": 4, "defects": "0%"},
    "instruments": {},
    "bench": {"file": str(BENCH / "bench.yml")},
    "plugins": {"instruments": {f"Lab.{name}": name for name in ("psu", "load", "dmm")}},
}


def values(flight, test_txt):
    """Part -> value of one output, from the results."""
    found = {}
    for heard in flight.facts.program("testresult"):
        records = heard.content["payload"]
        part = next(record["PART_ID"] for record in records if record["type"] == "PRR")
        for record in records:
            if record["type"] == "PTR" and record["TEST_TXT"] == test_txt:
                found[int(part)] = record["RESULT"]
    return found


def true(flight, parameter):
    """Part -> true value."""
    entries = [entry for contact in flight.kinds("contact") for entry in contact.fields["sites"]]
    return {entry["device"]: entry["true"][parameter] for entry in entries}


def test_the_program_measures_the_device_that_the_handler_has_seated(fly):
    flight = fly(**SET_UP)
    assert flight.result.verdict == "holds" and flight.result.soft_bins == {1: 4}
    leak, drawn = values(flight, "leak_1.ileak"), true(flight, "leak")
    assert set(leak) == {1, 2, 3, 4}
    for part, amperes in drawn.items():
        assert leak[part] == pytest.approx(amperes * 1e9 * 2**6, rel=0.02)  # 85 degC: six times 10 K


def test_a_lower_set_point_of_the_chamber_lowers_the_leakage_that_is_measured(fly):
    cooler = {"operator": {"parameter": {"name": "vout_1.Temperature", "value": 25.0}}}
    flight = fly(**SET_UP, timeline=[{"when": {"touchdown": 2}, "do": cooler}])
    leak, drawn = values(flight, "leak_1.ileak"), true(flight, "leak")
    factors = {part: leak[part] / (drawn[part] * 1e9) for part in drawn}
    assert factors[1] == pytest.approx(64, rel=0.02) and factors[3] == pytest.approx(1, rel=0.05)


def test_a_bench_is_empty_without_contact_and_follows_a_device_that_changes(fly):
    flight = fly(
        **SET_UP,
        timeline=[
            {"at": 0, "do": {"device_changes": {"part": 3, "values": {"leak": 2e-8}}}},
            {"when": {"touchdown": 1}, "do": {"contact_failure": 1}},
        ],
    )
    assert values(flight, "leak_1.ileak")[3] == pytest.approx(1280, rel=0.02)
    assert {e.fields["device"]: e.fields["hard_bin"] for e in flight.kinds("sorted")} == {1: 1, 2: 1, 3: 4, 4: 3}


def test_a_device_that_changes_while_it_is_measured_is_another_one_at_once(fly):
    heard = {"when": {"site": 0, "says": "testing", "part": 1}, "with_delay": "2s"}
    flight = fly(**SET_UP, timeline=[{**heard, "do": {"device_changes": {"part": 1, "values": {"leak": 2e-8}}}}])
    assert values(flight, "leak_1.ileak")[1] == pytest.approx(1280, rel=0.02)


def test_faults_strike_the_channel_of_their_site(fly):
    stuck = {"wrong_answer": {"instrument": "smu", "asked": "MEAS", "site": 1, "answer": "5E-7", "count": None}}
    flight = fly(**SET_UP, timeline=[{"at": 0, "do": stuck}])
    leak = values(flight, "leak_1.ileak")
    assert leak[2] == 500.0 and leak[1] < 200.0
    assert {"1"} == {event.fields["site"] for event in flight.kinds("ask") if event.fields.get("true")}


def test_two_runs_of_a_bench_are_the_same_run(fly):
    assert fly(**SET_UP).result.journal_sha256 == fly(**SET_UP).result.journal_sha256


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"bench": {"variables": {"PSU": "pus"}}},
            r"bench.variables.PSU: the bench has no instrument 'pus'; did you mean 'psu'",
        ),
        ({"bench": {"resources": {"GPIB0::5::INSTR": "x"}}}, r"bench.resources.GPIB0::5::INSTR: the bench has no"),
        ({"bench": {"file": "nowhere.yaml"}}, "nowhere.yaml cannot be read"),
        ({"bench": {"model": "bank"}}, "bench.model: there is no bench 'bank'; known are bench"),
        ({"instruments": {"psu": {"variable": "A"}}}, "'psu' is also the name of an instrument of the bench"),
        ({"cell": {"sites": [64]}}, "sites is 65"),
    ],
)
def test_what_a_bench_cannot_be_is_said_in_one_sentence(fly, changes, reason):
    with pytest.raises(DrycellError, match=reason):
        fly(**{**SET_UP, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bench": {"variables": {"A": "psu"}}, "instruments": {"m": {"variable": "A"}}}, "share one variable"),
        (
            {"cell": {"peripherals": {"T": {"does": {"x": {"to": "a", "message": "b"}}}}}},
            "there is no bench, add one",
        ),
    ],
)
def test_what_a_scenario_cannot_say_of_a_bench(changes, reason):
    with pytest.raises(DrycellError, match=reason):
        from_data({"drycell": 1, "name": "x", **changes})


class Told:
    """A TCC's port and a chamber that answers from a list; time passes when ``later`` is called."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.lines, self.published, self.waited_s = [], [], 0.0
        self.requested = None

    def subscribe(self, _filter, callback):
        self.requested = callback
        return lambda: None

    def later(self, delay_s, action):
        self.waited_s += delay_s
        action()

    def publish(self, _topic, message):
        self.published.append(message["result"])

    def record(self, kind, **fields):
        self.lines.append((kind, fields))

    def put(self, instrument, line, done):
        self.lines.append((instrument, line))
        done([(0, self.answers.pop(0))] if self.answers else [])


def ask_tcc(told, parameters, does=None):
    deed = does or Deed("chamber", "TEMP:SETPOINT {temperature}", "TEMP:STAB?")
    peripherals = {"Temperature": Peripheral(0.5, {"status": "ok"}, {"set_temperature": deed})}
    controller = tcc.TestCellController(told, Topics("demo"), Owner(told, peripherals, told.put))
    controller.start()
    request = {"type": "io-control-request", "ioctl_name": "set_temperature", "parameters": parameters}
    told.requested(SimpleNamespace(payload=json.dumps(request).encode()))
    return told.published


def test_a_deed_is_done_before_the_peripheral_answers():
    told = Told(["", '0,"No error"', "0", "0", "1"])
    assert ask_tcc(told, {"temperature": [85]}) == [{"status": "ok"}]
    assert told.lines[0] == ("chamber", "TEMP:SETPOINT 85")
    assert told.waited_s == 2.5


def test_what_the_instrument_refuses_is_the_status():
    told = Told(["", '-222,"Data out of range"'])
    assert ask_tcc(told, {"temperature": [900]}) == [{"status": '-222,"Data out of range"'}]


@pytest.mark.parametrize("parameters", [None, [], {}, {"temperature": None}, {"temperature": {}}, {"temperature": []},
                                        {"temperature": "1;*RST"}, {"temperature": "1\n*RST"}])  # fmt: skip
def test_a_request_that_cannot_be_carried_out_is_answered_with_why(parameters):
    told = Told([])
    ((result),) = ask_tcc(told, parameters)
    assert "temperature" in result["status"] and told.lines == []


DIRECT = '''import socket, time
from bench_link import ask, send


def do(self):
    """Set the chamber at the address that it has in the laboratory, then measure as ever."""
    channel = int(self.context.harness.params.site_id) + 1
    with socket.create_connection(("192.168.77.9", 5025), 5.0) as chamber:
        lines = chamber.makefile("rb")
        chamber.sendall(f"TEMP:SETPOINT {self.ip.Temperature():.2f}\\n".encode())
        while True:
            chamber.sendall(b"TEMP:STAB?\\n")
            if lines.readline() == b"1\\n":
                break
            time.sleep(0.5)
    self.op.vmeas.write(3.3)
    self.op.imeas.write(0.01)
'''


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.parametrize(("celsius", "factor"), [(85.0, 64.0), (45.0, 4.0)])
def test_a_set_point_sent_to_the_chamber_s_own_port_changes_the_leakage_that_the_real_program_measures(
    fly, tmp_path, celsius, factor
):
    folder = tmp_path / "direct"
    shutil.copytree(BENCH, folder)
    (folder / "do" / "vout.py").write_text(DIRECT, "utf-8")
    cooler = {"operator": {"parameter": {"name": "vout_1.Temperature", "value": celsius}}}
    flight = fly(
        **{
            **SET_UP,
            "rung": "process",
            "cell": {"sites": 1},
            "devices": {"size": 2},
            "program": {"definitions": str(folder)},
        },
        hosts={"192.168.77.9:5025": "chamber"},
        timeline=[{"when": {"touchdown": 1}, "do": cooler}],
    )
    leak, drawn = values(flight, "leak_1.ileak"), true(flight, "leak")
    assert leak[2] / (drawn[2] * 1e9) == pytest.approx(factor, rel=0.05)
    assert flight.result.deterministic
