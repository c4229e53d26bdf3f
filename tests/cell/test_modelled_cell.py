"""A whole cell on rung model: what happens to a lot, and to everything that can go wrong with it."""

import os
import socket
import subprocess
import sys

import pytest

from drycell.runtime.stdf import read
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import PopulationRequest, registry
from drycell.sim.scenario import canonical
from tests.cell.conftest import DEMO

KILL = {"kill": {"site": 0}}


def test_a_lot_goes_through_and_every_promise_holds(fly):
    flight = fly()
    assert flight.result.verdict == "holds"
    assert {oracle.verdict for oracle in flight.result.oracles} == {"holds", "unknown"}
    assert [event.fields["device"] for event in flight.kinds("sorted")] == list(range(1, 9))
    assert flight.said("master") == [
        *("connecting", "initialized", "loading", "ready"),
        *("testing", "ready") * 4,
        *("unloading", "initialized"),
    ]
    assert flight.said("sequencer0") == ["idle", *("testing", "idle") * 4, "terminated"]
    assert flight.said("control1")[-3:] == ["loading", "busy", "idle"]


def test_idle_leaves_before_the_result_and_a_command_before_the_state_it_causes(fly):
    flight = fly(devices={"size": 1}, cell={"sites": 1})
    topics = flight.facts.topics
    order = [(heard.topic.removeprefix("ate/demo/"), heard.content) for heard in flight.facts.messages]
    names = [(topic, (content.get("command") or content.get("state"))) for topic, content in order]
    begin = names.index(("TestApp/cmd", "next"))
    assert names[begin + 1] == ("Master/status", "testing")
    idle = names.index(("TestApp/status/site0", "idle"), begin)
    assert order[idle + 1][0] == topics.program("testresult", "0").removeprefix("ate/demo/")


@pytest.mark.parametrize(("size", "sites", "alone"), [(5, 2, ["0"]), (7, 4, ["0", "1", "2"]), (1, 4, ["0"])])
def test_the_last_touchdown_of_an_odd_lot_uses_only_the_sites_it_needs(fly, size, sites, alone):
    layout = {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]}
    flight = fly(devices={"size": size}, cell={"sites": sites, "layout": {s: layout[s] for s in range(sites)}})
    last = flight.kinds("contact")[-1]
    assert [entry["site"] for entry in last.fields["sites"]] == alone
    assert flight.result.verdict == "holds"


def test_only_the_named_tests_run_in_the_programs_order_and_a_failing_one_is_judged(fly):
    flight = fly(program={"definitions": str(DEMO), "tests": ["ramp_1", "vout_1"]}, devices={"defects": "60%"})
    assert {tuple(test.number for test in result.tests) for result in flight.facts.results} == {(200, 400)}
    assert flight.result.verdict == "holds"


def test_a_test_that_the_program_does_not_have_is_named_before_the_run(fly):
    with pytest.raises(DrycellError, match="no test 'vout'; did you mean 'vout_1'"):
        fly(program={"definitions": str(DEMO), "tests": ["vout"]})


def test_bins_come_from_the_devices_and_their_limits(fly):
    flight = fly(devices={"size": 60, "defects": "50%"})
    assert set(flight.result.soft_bins) == {1, 11, 12, 13, 14, 15}
    hard_of = {
        soft: {prr["HARD_BIN"] for _, prr in flight.results() if prr["SOFT_BIN"] == soft} for soft in (1, 11, 14)
    }
    assert hard_of == {1: {1}, 11: {2}, 14: {5}}
    assert flight.result.parts == 60


def test_the_journal_says_what_each_device_in_contact_really_is(fly):
    flight = fly(devices={"size": 3})
    lot = registry().population("ldo", PopulationRequest(7, "306426.001", 3, 0.16))
    told = [entry for contact in flight.kinds("contact") for entry in contact.fields["sites"]]
    assert [entry["true"] for entry in told] == [dict(lot.device(number).parameters) for number in (1, 2, 3)]


def test_the_same_seed_gives_the_same_devices_and_another_seed_others(fly):
    one, again, other = fly(), fly(), fly(seed=8)
    assert one.result.journal_sha256 == again.result.journal_sha256
    assert other.result.journal_sha256 != one.result.journal_sha256


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_journal_does_not_depend_on_hash_seeds_or_the_process(fly, tmp_path, hash_seed):
    flight = fly(devices={"size": 40})
    code = (
        "import sys; from pathlib import Path; from drycell.sim.scenario import load;"
        "from drycell.sim.cell.run import run;"
        "print(run(load(Path(sys.argv[1])), Path(sys.argv[2])).journal_sha256)"
    )
    scenario = tmp_path / "scenario.json"
    scenario.write_bytes(canonical(flight.scenario))
    done = subprocess.run(
        [sys.executable, "-c", code, str(scenario), str(tmp_path / "again")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == flight.result.journal_sha256


def test_devices_in_bins_to_retest_are_tested_again_and_counted_once(fly):
    flight = fly(devices={"size": 30, "defects": "50%"}, cell={"handler": {"retest_bins": [2, 3], "retests": 2}})
    attempts: dict[int, int] = {}
    for event in flight.kinds("sorted"):
        attempts[event.fields["device"]] = event.fields["attempt"]
    failing = {event.fields["device"] for event in flight.kinds("sorted") if event.fields["hard_bin"] in (2, 3)}
    assert failing
    assert {device for device, count in attempts.items() if count == 3} == failing
    assert flight.result.parts == 30
    assert flight.result.verdict == "holds"


def test_a_prober_steps_over_round_wafers_and_changes_them(fly):
    wafer = {"columns": 4, "rows": 4, "step_time_s": 0.2, "change_time_s": 20}
    flight = fly(devices={"size": 20}, cell={"handler": {"kind": "prober", "wafer": wafer}})
    dice = [entry for event in flight.kinds("contact") for entry in event.fields["sites"]]
    first = [(die["x"], die["y"]) for die in dice if die["wafer"] == 1]
    assert len(first) == len(set(first)) == 12  # the corners of the grid are no dice
    assert (0, 0) not in first
    assert {die["wafer"] for die in dice} == {1, 2}
    assert flight.result.verdict == "holds"
    assert flight.result.virtual_s > 40  # two wafers were put in place


def test_a_killed_program_is_a_soft_error_and_its_will_says_crash(fly):
    flight = fly(timeline=[{"when": {"site": 1, "says": "testing", "nth": 2}, "do": KILL}])
    assert flight.said("sequencer0")[-1] == "crash"
    assert flight.said("master")[-1] == "softerror"
    assert flight.said("handler")[-1] == "error"
    assert flight.said("control0")[-1] == "error"
    assert flight.verdict("crashes end in soft error") == "holds"
    assert flight.verdict("lot completes") == "violated"  # nobody pressed reset
    assert flight.result.problems == (
        "soft error at 0.700 s: the test program of site 0 crashed while the master was awaiting_results",
    )


@pytest.mark.parametrize(
    "moment", [{"part": 5}, {"site": 0, "says": "testing"}, {"site": 0, "says": "idle", "nth": 2}]
)
def test_after_a_crash_the_operator_resets_and_no_device_is_lost(fly, moment):
    flight = fly(timeline=[{"when": moment, "do": KILL}], cell={"operator": {"resets": 1}})
    assert flight.verdict("lot completes") == "holds"
    assert sorted({event.fields["device"] for event in flight.kinds("sorted")}) == list(range(1, 9))
    assert flight.said("master").count("connecting") == 2
    assert flight.said("handler").count("error") == 1


def test_options_hold_for_exactly_the_touchdown_they_were_set_for(fly):
    on = {"options": {"trigger_on_test": {"active": True, "value": 2}}}
    off = {"options": {"trigger_on_test": False}}
    flight = fly(timeline=[{"when": {"touchdown": 2}, "do": on}, {"when": {"touchdown": 3}, "do": off}])
    sent = [
        heard.content["job_data"]["trigger_on_test"]["active"]
        for heard in flight.facts.messages
        if heard.content.get("command") == "next"
    ]
    assert sent == [False, True, False, False]
    assert [event.actor for event in flight.kinds("trigger")] == ["sequencer0", "sequencer1"]


def test_stop_on_fail_ends_the_cycle_of_a_failing_device_and_says_so_in_the_part_flag(fly):
    lot = {"size": 40, "defects": "50%"}
    whole = fly(devices=lot)
    stopped = fly(devices=lot, timeline=[{"when": {"touchdown": 1}, "do": {"options": {"stop_on_fail": True}}}])
    assert {prr["NUM_TEST"] for _, prr in whole.results()} == {7}
    assert min(prr["NUM_TEST"] for _, prr in stopped.results()) == 2
    failed = [prr for _, prr in stopped.results() if prr["SOFT_BIN"] > 9]
    assert failed and all(prr["PART_FLG"] == 8 for prr in failed)
    assert bins_by_part(whole) == bins_by_part(stopped)


def bins_by_part(flight):
    return {prr["PART_ID"]: prr["SOFT_BIN"] for _, prr in flight.results()}


def test_the_operator_moves_a_soft_bin_and_an_input_parameter_while_the_lot_runs(fly):
    flight = fly(
        devices={"defects": 0},
        timeline=[
            {"when": {"part": 5}, "do": {"operator": {"bin": {"soft": 1, "hard": 7}}}},
            {"when": {"part": 7}, "do": {"operator": {"parameter": {"name": "vout_1.vin", "value": 2.5}}}},
        ],
    )
    assert [prr["HARD_BIN"] for _, prr in flight.results()] == [1, 1, 1, 1, 7, 7, 3, 3]


@pytest.mark.parametrize(
    ("action", "fate"),
    [
        ({"parameter": {"name": "vout_1.vin", "value": 99}}, "reported an error"),
        ({"parameter": {"name": "nope.vin", "value": 1}}, "reported an error"),
    ],
)
def test_a_parameter_that_cannot_be_set_ends_the_program_in_error(fly, action, fate):
    flight = fly(timeline=[{"when": {"part": 5}, "do": {"operator": action}}])
    assert fate in flight.result.problems[0]
    assert flight.said("sequencer0")[-1] == "error"


def test_an_operators_command_in_the_wrong_state_is_refused_without_any_effect(fly):
    flight = fly(timeline=[{"when": {"part": 3}, "do": {"operator": "reset"}}])
    assert [event.fields for event in flight.kinds("refused")] == [{"command": "reset", "state": "ready"}]
    assert flight.result.verdict == "holds"


def test_an_unknown_lot_is_refused_and_the_master_is_ready_for_another(fly):
    flight = fly(timeline=[{"at": 0, "do": {"operator": "load"}}])
    states = flight.said("master")
    assert states[:4] == ["connecting", "initialized", "loading", "initialized"]
    statuses = [h.content for h in flight.facts.messages if h.topic == flight.facts.topics.master_status]
    assert statuses[3]["payload"]["message"].startswith("Failed to execute load command")
    assert flight.verdict("lot completes") == "holds"


def test_a_peripheral_is_asked_once_for_all_sites_and_its_answer_goes_to_all(fly):
    flight = fly(devices={"size": 2})
    topics = flight.facts.topics
    count = {
        "requests": [topics.io_request("0"), topics.io_request("1")],
        "relayed": [topics.peripheral_request("Temperature")],
        "answers": [topics.peripheral_response("Temperature")],
        "forwarded": [topics.master_peripheral("Temperature")],
    }
    heard = [message.topic for message in flight.facts.messages]
    assert {name: sum(heard.count(topic) for topic in names) for name, names in count.items()} == {
        "requests": 2,
        "relayed": 1,
        "answers": 1,
        "forwarded": 1,
    }


@pytest.mark.parametrize("peripherals", [{}, {"Temperature": {"latency_s": 5.1}}], ids=["absent", "too late"])
def test_a_peripheral_that_does_not_answer_in_time_is_a_soft_error(fly, peripherals):
    flight = fly(cell={"peripherals": peripherals} if peripherals else {"peripherals": {"MagField": {}}})
    if peripherals:
        flight = fly(cell={"peripherals": peripherals})
    assert "peripheral Temperature did not answer set_temperature within 5 s" in flight.result.problems[0]
    timeout = next(event for event in flight.kinds("timeout") if event.fields["name"] == "peripheral_s")
    request = next(m.event for m in flight.facts.messages if m.topic.endswith("Temperature/io-control/request"))
    assert timeout.t_ns - request.t_ns == 5_000_000_000


def test_a_peripheral_that_answers_just_in_time_is_none(fly):
    assert fly(cell={"peripherals": {"Temperature": {"latency_s": 4.999}}}).result.verdict == "holds"


def test_a_program_that_never_becomes_idle_runs_into_the_loading_timeout(fly):
    """An unknown layout: the program reports an error as soon as it is asked for its execution strategy."""
    flight = fly(cell={"layout": {0: [5, 5], 1: [6, 6]}})
    assert flight.said("sequencer0") == ["idle", "error"]
    assert "reported an error" in flight.result.problems[0]


def test_a_run_is_stopped_at_its_limit_and_says_so(fly):
    flight = fly(limits={"virtual_s": 1.0})
    assert flight.kinds("end")[-1].fields["reason"] == "stopped at the limit of 1 simulated s"
    assert flight.result.problems == ("the run was stopped at the limit of 1 simulated s",)
    assert flight.result.verdict == "violated"


def test_the_stdf_file_agrees_with_the_journal(fly):
    flight = fly(devices={"size": 30, "defects": "50%"})
    records = list(read(flight.result.stdf_path))
    parts = [record for record in records if record.name == "PRR"]
    assert [(p["PART_ID"], p["HARD_BIN"]) for p in parts] == [
        (prr["PART_ID"], prr["HARD_BIN"]) for _, prr in flight.results()
    ]
    bins = {r["HBIN_NUM"]: r["HBIN_CNT"] for r in records if r.name == "HBR" and r["HEAD_NUM"] == 255}
    assert bins == flight.result.hard_bins
    assert records[-1].name == "MRR"


def test_an_occupied_port_is_said_in_one_sentence(fly):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DrycellError, match=f"can not listen on 127.0.0.1 port {port}: another program has it"):
            fly(cell={"port": port})


def test_test_time_is_simulated_time_and_a_cost_per_test_can_be_added(fly):
    """The pauses of the demo program sum up to 100 ms and its peripheral takes 50 ms; a part has 7 outputs."""
    times = [
        {
            record["TEST_T"]
            for record in read(fly(stdf={"cost_per_test_ms": cost}).result.stdf_path)
            if record.name == "PRR"
        }
        for cost in (0, 10)
    ]
    assert times == [{150}, {220}]


def test_a_fault_that_makes_no_difference_in_the_dialect_is_refused(fly):
    with pytest.raises(DrycellError, match="result_before_idle makes no difference in dialect specification"):
        fly(cell={"dialect": "specification"}, timeline=[{"at": 0, "do": {"result_before_idle": 0}}])
