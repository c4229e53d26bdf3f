"""Stories of a cell that things happen to: who notices, what is said, and how it comes back."""

import json

import pytest

SECOND = {"when": {"site": 0, "says": "testing", "nth": 2}}


@pytest.mark.parametrize(
    ("do", "code"),
    [
        ({"kill": {"site": 0}}, -9),
        ({"signal": {"site": 0, "signal": "SIGTERM"}}, -15),
        ({"signal": {"site": 0, "signal": "SIGINT"}}, 0),
        ({"segfault": 0}, -11),
        ({"exit": 0, "code": 3}, 3),
    ],
)
def test_a_program_that_dies_ends_in_soft_error_and_a_reset_brings_the_cell_back(fly, do, code):
    flight = fly({**SECOND, "do": do})
    assert flight.kinds("exit")[0]["exit_code"] == code
    assert "crashed while the master was awaiting_results" in flight.softerrors()[0]
    assert flight.result.parts == 6
    assert flight.end == "the lot is done"


@pytest.mark.parametrize("name", ["SIGPIPE", "SIGCONT"])
def test_signals_that_a_python_program_survives_change_nothing(fly, name):
    flight = fly({**SECOND, "do": {"signal": {"site": 0, "signal": name}}})
    assert flight.softerrors() == []
    assert flight.result.parts == 6


def test_nobody_to_strike_is_noted_and_harms_nobody(fly):
    flight = fly({"at": 0, "do": {"segfault": 0}}, {"at": 0, "do": {"cut": 1}})
    missed = [effect["missed"] for effect in flight.kinds("effect")]
    assert missed == ["no program runs on site 0", "the program of site 1 is not connected"]
    assert flight.result.parts == 6


def test_a_frozen_program_goes_on_where_it_stood(fly):
    plain, frozen = fly(), fly({**SECOND, "do": {"freeze": 0, "for": "2s"}})
    assert frozen.result.soft_bins == plain.result.soft_bins
    assert frozen.softerrors() == []
    assert frozen.result.virtual_s == pytest.approx(plain.result.virtual_s + 2, abs=0.2)


def test_a_program_that_is_frozen_at_its_last_word_leaves_when_it_thaws(fly):
    step = {"when": {"site": 0, "says": "Shutdown"}, "do": {"freeze": 0, "for": "2s"}}
    flight = fly(step, cell={"dialect": "specification"})
    frozen_ns = next(event.t_ns for event in flight.events if event.kind == "fault")
    ends = [event for event in flight.events if event.kind == "exit" and event.actor == "program0"]
    assert [(event.fields["exit_code"], event.t_ns - frozen_ns) for event in ends] == [(0, 2_000_000_000)]


def test_a_program_that_lost_its_link_connects_again_and_says_where_it_is(fly):
    idle = {"when": {"handler": "ready", "nth": 2}, "do": {"cut": 0}}
    flight = fly(idle, cell={"operator": {"resets": 1, "reset_after_s": 3}})
    cut = next(event for event in flight.events if event.kind == "disconnect")
    again = next(e for e in flight.events if e.kind == "connect" and e.actor == "testapp.demo.0" and e.seq > cut.seq)
    assert again.t_ns - cut.t_ns == 1_000_000_000
    said = [e.fields["payload"] for e in flight.events if e.kind == "message" and e.seq > again.seq]
    assert '"state": "idle"' in said[0]
    assert flight.result.parts == 6


def test_an_outage_of_the_broker_loses_no_qos_2_message_of_the_peers(fly):
    flight = fly({"when": {"handler": "ready", "nth": 2}, "do": {"broker_outage": "1s"}})
    assert [effect["broker"] for effect in flight.kinds("effect")] == ["stopped", "started"]
    assert flight.result.parts == 6


def test_disk_full_keeps_the_file_whole_and_says_why(fly):
    flight = fly({"when": {"touchdown": 2}, "do": {"disk_full": 700, "for": "1s"}})
    assert "cannot be written to the STDF file: No space left on device" in flight.softerrors()[0]
    assert flight.result.parts == 6


def test_a_read_only_folder_is_refused_at_load_and_not_after_the_first_touchdown(fly):
    flight = fly({"at": 0, "do": {"read_only_folder": None}}, cell={"operator": {"resets": 0}})
    assert flight.softerrors() == ["the STDF file of lot 306426.001 cannot be made: Read-only file system"]
    assert flight.kinds("contact") == []


@pytest.mark.parametrize("left_bytes", [0, 10])
def test_a_disk_that_is_full_before_the_lot_leaves_no_stump_of_a_file(fly, left_bytes):
    flight = fly({"at": 0, "do": {"disk_full": left_bytes}}, cell={"operator": {"resets": 0}})
    assert flight.softerrors() == ["the STDF file of lot 306426.001 cannot be made: No space left on device"]
    assert flight.result.stdf_path is None


def test_a_folder_that_two_faults_protect_can_be_written_when_both_are_over(fly):
    protect = {"read_only_folder": "1s"}
    flight = fly({"at": "0.3s", "do": protect}, {"at": "0.5s", "do": protect})
    assert "Read-only file system" in flight.softerrors()[0]
    assert flight.result.parts == 6


def test_each_time_a_stranger_takes_over_is_noted(fly):
    flight = fly({"at": "0.5s", "do": {"take_over": 0, "times": 3}})
    assert flight.kinds("effect")[:1] == [{"fault": "take_over", "step": 1, "site": 0}]


def test_a_handler_that_jams_moves_on_when_it_is_free(fly):
    flight = fly({"when": {"touchdown": 2}, "do": {"handler_jam": "3s"}})
    at = [event.t_ns / 1e9 for event in flight.events if event.kind == "contact"]
    assert at[2] - at[1] == pytest.approx(3.0, abs=0.2)


def test_a_double_feed_measures_one_device_under_the_number_of_another(fly):
    changed = {"at": 0, "do": {"device_changes": {"part": 4, "values": {"vout": 2.0}}}}
    flight = fly(changed, {"when": {"touchdown": 1}, "do": {"double_feed": 0}})
    assert {"fault": "misplaced", "site": "0", "really": 4} in flight.kinds("effect")
    bins = {entry["device"]: entry["hard_bin"] for entry in flight.kinds("sorted")}
    assert bins[3] == bins[4] == 3
    (told,) = [e for contact in flight.kinds("contact") for e in contact["sites"] if e["device"] == 3]
    assert told["true"]["vout"] == 2.0


def test_no_contact_is_open_for_one_touchdown(fly):
    flight = fly({"when": {"touchdown": 1}, "do": {"contact_failure": 1}})
    assert {entry["device"]: entry["hard_bin"] for entry in flight.kinds("sorted")}[4] == 2
    assert flight.result.hard_bins == {1: 5, 2: 1}
    assert [e["device"] for contact in flight.kinds("contact") for e in contact["sites"] if "true" not in e] == [4]


def test_the_operator_s_reset_is_refused_in_every_state_but_soft_error(fly):
    flight = fly({"at": 0, "do": {"operator_resets": {"times": 60, "every": "30ms", "random": True}}})
    refused = {entry["state"] for entry in flight.kinds("refused")}
    assert {"loading", "ready", "awaiting_results"} <= refused
    assert flight.softerrors() == []
    assert flight.result.parts == 6


def test_a_new_master_takes_the_lot_up_again(fly):
    flight = fly({**SECOND, "do": {"master_restart": "500ms"}})
    states = [json.loads(e.fields["payload"])["state"] for e in flight.events
              if e.kind == "message" and e.fields["topic"] == "ate/demo/Master/status"]  # fmt: skip
    crash = states.index("crash")
    assert states[crash : crash + 3] == ["crash", "connecting", "initialized"]
    assert flight.result.parts == 6


CELL = {"sites": 2, "handler": {"index_time_s": 0.1}, "peripherals": {"Temperature": {"latency_s": 0.05}}}


@pytest.mark.parametrize(
    ("gone", "back"), [("master_restart", {"down": "1s"}), ("tcc_gone", {"for": "1s"})], ids=["master", "TCC"]
)
def test_who_is_gone_cannot_go_and_does_not_come_back_twice(fly, gone, back):
    flight = fly({"every": "300ms", "count": 2, "do": {gone: back}}, cell={**CELL, "operator": {"resets": 3}})
    assert [entry["missed"] for entry in flight.kinds("effect") if "missed" in entry] != []
    assert flight.verdict("master states follow the table") == "holds"
    assert flight.result.parts == 6


def test_the_meter_s_journal_says_what_was_told_and_what_was_true(fly):
    flight = fly({"at": 0, "do": {"stuck": "meter", "asked": "VOUT", "value": 3.0}})
    told = [ask for ask in flight.kinds("ask") if "VOUT?" in ask["line"]]
    assert {float(ask["answer"]) for ask in told} == {3.0}
    assert all(float(ask["true"]) > 3.2 for ask in told)
    assert flight.result.hard_bins == {3: 6}
