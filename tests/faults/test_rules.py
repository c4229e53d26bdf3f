"""What faults decide about messages, packets and answers: pure, without a cell."""

import json
import math
from typing import Any

import pytest

from drycell.sim.faults import PALETTE
from drycell.sim.faults.select import kind_of

RESULT = "ate/demo/TestApp/testresult/site0"
STATUS = "ate/demo/TestApp/status/site0"
CMD = "ate/demo/TestApp/cmd"
RECORDS = {
    "type": "testresult",
    "payload": [
        {"type": "PIR", "HEAD_NUM": 0, "SITE_NUM": 0},
        {"type": "PTR", "SITE_NUM": 0, "RESULT": 3.3},
        {"type": "MPR", "SITE_NUM": 0, "RSLT_CNT": 2, "RTN_RSLT": [1.0, 2.0]},
        {"type": "PRR", "SITE_NUM": 0, "PART_ID": "3", "HARD_BIN": 1},
    ],
}
S = 1_000_000_000


def fault(name: str, /, **fields: Any) -> Any:
    return PALETTE[name].model_validate(fields)


def delays(outcome: Any) -> list[int]:
    return [delay for delay, _ in outcome]


def content(outcome: Any) -> Any:
    return json.loads(outcome[0][1].payload)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        (RESULT, "testresult"),
        (CMD, "program-command"),
        ("ate/demo/Master/status", "master-status"),
        ("ate/demo/Master/Temperature/response", "peripheral-answer"),
        ("ate/demo/Temperature/io-control/request", "peripheral-request"),
        ("ate/demo/Temperature/io-control/response", "peripheral-response"),
        ("ate/demo/TestApp/io-control/site0/request", "io-control"),
        ("ate/handler/Handler/status", "handler-status"),
        ("ate/other/TestApp/status/site0", ""),
        ("x", ""),
    ],
)
def test_messages_have_kinds(stage, topic, kind):
    assert kind_of(stage.topics, topic) == kind


def test_a_fault_strikes_the_nth_fitting_message_and_so_many_in_a_row(stage):
    stage.arm(fault("delay", message="testresult", nth=2, count=2, by="3s"))
    assert [delays(stage.send(RESULT, RECORDS)) for _ in range(5)] == [[0], [3 * S], [3 * S], [0], [0]]
    assert delays(stage.send(STATUS, {"state": "idle"})) == [0]
    assert len(stage.notes) == 2


def test_a_fault_ends_when_its_time_is_over(stage):
    stage.arm(fault("lose", message="testresult", count=None, **{"for": "2s"}))
    assert stage.send(RESULT, RECORDS) == []
    stage.now_ns = 2 * S
    assert len(stage.send(RESULT, RECORDS)) == 1


def test_site_part_state_and_command_narrow_down(stage):
    stage.arm(fault("lose", message="status", site=0, state="idle", count=None))
    stage.arm(fault("lose", message="next", part=4, site=1, count=None))
    assert stage.send(STATUS, {"state": "idle"}) == []
    assert stage.send(STATUS, {"state": "testing"})
    assert stage.send(STATUS.replace("site0", "site1"), {"state": "idle"})
    assert stage.send(CMD, {"command": "next", "sites": ["1"]}) == []
    assert stage.send(CMD, {"command": "next", "sites": ["0"]})
    assert stage.send(CMD, {"command": "terminate", "sites": ["1"]})
    stage.parts["1"] = "5"
    assert stage.send(CMD, {"command": "next", "sites": ["1"]})


def test_loss_by_share_is_drawn_from_the_fault_s_own_stream(stage):
    stage.arm(fault("lose", message="testresult", count=None, share="50%"))
    lost = [not stage.send(RESULT, RECORDS) for _ in range(40)]
    assert 10 < sum(lost) < 30


def test_faults_add_up_in_their_order(stage):
    stage.arm(fault("duplicate", message="testresult", after="1s"))
    stage.arm(fault("delay", message="testresult", count=None, by="2s"))
    assert delays(stage.send(RESULT, RECORDS)) == [2 * S, 3 * S]


def test_reordered_messages_come_behind_the_named_kind(stage):
    stage.arm(fault("reorder", message="status", behind="testresult"))
    assert stage.send(STATUS, {"state": "idle"}) == []
    assert [message.topic for _, message in stage.send(RESULT, RECORDS)] == [RESULT, STATUS]
    assert len(stage.send(RESULT, RECORDS)) == 1


def test_a_result_comes_before_its_idle(stage):
    stage.arm(fault("result_before_idle", site=0))
    assert stage.send(STATUS, {"state": "idle"}) == []
    assert [message.topic for _, message in stage.send(RESULT, RECORDS)] == [RESULT, STATUS]


@pytest.mark.parametrize(("which", "tick"), [("before", -1), ("after", 1)])
def test_a_late_result_meets_the_deadline_within_one_tick(stage, which, tick):
    stage.deadline_ns, stage.now_ns = 40 * S, 10 * S
    stage.arm(fault("late_result", site=0, at_deadline=which))
    assert delays(stage.send(RESULT, RECORDS)) == [30 * S + tick]


def test_the_pubrel_of_the_third_result_of_one_site(stage):
    stage.arm(fault("packet", site=1, packet="PUBREL", message="testresult", nth=3))
    topic = RESULT.replace("site0", "site1")
    passed = [bool(stage.packet("PUBREL", topic)) for _ in range(4)]
    assert passed == [True, True, False, True]
    assert stage.packet("PUBREL", topic, inbound=False)
    assert stage.packet("PUBLISH", topic)
    assert stage.packet("PUBREL", topic, client="testapp.demo.0")


@pytest.mark.parametrize(("what", "expected"), [("late", [S]), ("twice", [0, 0]), ("damaged", [0])])
def test_a_named_packet_is_late_twice_or_damaged(stage, what, expected):
    stage.arm(fault("packet", site=1, packet="PUBLISH", what=what))
    outcome = stage.packet("PUBLISH")
    assert delays(outcome) == expected
    assert (outcome[0][1] != b"12345678") == (what == "damaged")


def test_a_slow_link_carries_one_packet_after_the_other(stage):
    stage.arm(fault("slow_link", site=1, bytes_per_s=8.0, latency="10ms"))
    assert [delays(stage.packet("PUBLISH"))[0] for _ in range(3)] == [n * S + 10_000_000 for n in (1, 2, 3)]
    assert delays(stage.packet("PUBACK", inbound=False)) == [S + 10_000_000]
    stage.now_ns = 10 * S
    assert delays(stage.packet("PUBLISH")) == [S + 10_000_000]


@pytest.mark.parametrize(
    ("name", "fields"),
    [("truncated", {}), *(("malformed", {"how": how}) for how in ("bracket", "quote", "text", "empty", "list"))],
)
def test_malformed_payloads_are_no_json_objects(stage, name, fields):
    stage.arm(fault(name, message="testresult", **fields))
    payload = stage.send(RESULT, RECORDS)[0][1].payload
    try:
        assert not isinstance(json.loads(payload), dict)
    except ValueError:
        pass


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "zip"])
def test_wrong_encodings_are_no_utf_8_json(stage, encoding):
    stage.arm(fault("wrong_encoding", message="testresult", encoding=encoding))
    payload = stage.send(RESULT, RECORDS)[0][1].payload
    with pytest.raises(ValueError, match=r".+"):
        json.loads(payload.decode("utf-8"))


def test_a_wrong_site_shows_in_topic_and_records(stage):
    stage.arm(fault("wrong_site", message="testresult", **{"as": 1}))
    outcome = stage.send(RESULT, RECORDS)
    assert outcome[0][1].topic == "ate/demo/TestApp/testresult/site1"
    assert {record["SITE_NUM"] for record in content(outcome)["payload"]} == {1}


def test_values_that_are_no_numbers_are_spelled_as_the_packages_do(stage):
    stage.arm(fault("not_finite", message="testresult", value="-Infinity"))
    stage.arm(fault("not_finite", message="testresult", key="RTN_RSLT"))
    payload = stage.send(RESULT, RECORDS)[0][1].payload
    records = json.loads(payload)["payload"]
    assert b"-Infinity" in payload and records[1]["RESULT"] == -math.inf
    assert [math.isnan(value) for value in records[2]["RTN_RSLT"]] == [True, True]


def test_one_value_changes_its_type_and_all_else_stays(stage):
    stage.arm(fault("wrong_type", message="testresult", key="HARD_BIN"))
    records = content(stage.send(RESULT, RECORDS))["payload"]
    assert type(records[3]["HARD_BIN"]) is not int
    assert records[:3] == RECORDS["payload"][:3]


def test_an_oversized_message_is_well_formed(stage):
    stage.arm(fault("oversized", message="testresult", bytes=100_000))
    outcome = stage.send(RESULT, RECORDS)
    assert len(outcome[0][1].payload) >= 100_000
    assert content(outcome)["payload"] == RECORDS["payload"]


def test_a_stale_message_repeats_the_one_before(stage):
    stage.arm(fault("stale", message="testresult", nth=2))
    stage.send(RESULT, {"n": 1})
    assert content(stage.send(RESULT, {"n": 2})) == {"n": 1}
    assert content(stage.send(RESULT, {"n": 3})) == {"n": 3}


@pytest.mark.parametrize(
    ("name", "fields", "types"),
    [
        ("missing_records", {"record": "PTR"}, ["PIR", "MPR", "PRR"]),
        ("truncated_records", {"keep": 1}, ["PIR"]),
        ("wrong_order", {}, ["PRR", "MPR", "PTR", "PIR"]),
        ("wrong_order", {"how": "prr-first"}, ["PRR", "PIR", "PTR", "MPR"]),
    ],
)
def test_records_are_missing_or_elsewhere(stage, name, fields, types):
    stage.arm(fault(name, **fields))
    assert [record["type"] for record in content(stage.send(RESULT, RECORDS))["payload"]] == types


def test_drift_noise_and_stuck_values_keep_the_spelling_of_the_answer(stage):
    stage.arm(fault("drift", per_s=0.1))
    stage.now_ns = 2 * S
    assert stage.reply("MEAS:VOUT? (@0),5.0", "3.3000,1.0") == [(0, "3.9600,1.2")]
    assert stage.reply("*IDN?", "drycell,meter") == [(0, "drycell,meter")]


def test_a_stuck_value_is_the_first_one_that_was_hit(stage):
    stage.arm(fault("stuck", asked="VOUT", site=0))
    assert [stage.reply("MEAS:VOUT? (@0),5", text)[0][1] for text in ("3.30", "3.40", "3.50")] == ["3.30"] * 3
    assert stage.reply("MEAS:VOUT? (@1),5", "3.40")[0][1] == "3.40"


def test_noise_is_drawn_anew_for_each_reading(stage):
    stage.arm(fault("noise", sigma=0.1))
    assert len({stage.reply("MEAS:VOUT? (@0)", "3.300000")[0][1] for _ in range(5)}) == 5


def test_instruments_are_silent_late_or_wrong(stage):
    stage.arm(fault("no_answer", nth=1))
    assert stage.reply("Q (@0)", "1") == []
    stage.arm(fault("late_answer", by="2s"))
    assert stage.reply("Q (@0)", "1") == [(2 * S, "1")]
    stage.arm(fault("wrong_answer", answer="ERROR x"))
    assert stage.reply("Q (@0)", "1") == [(0, "ERROR x")]
    assert stage.reply("Q (@0)", "1") == [(0, "1")]


def test_a_peripheral_answers_elsewhere_or_wrong(stage):
    response = "ate/demo/Temperature/io-control/response"
    stage.arm(fault("peripheral_elsewhere", peripheral="Temperature", on="MagField"))
    stage.arm(fault("peripheral_wrong", peripheral="Temperature", nth=1, result=None, ioctl="other"))
    outcome = stage.send(response, {"ioctl_name": "set", "result": "ok"})
    assert outcome[0][1].topic == "ate/demo/MagField/io-control/response"
    assert content(stage.send(response, {"ioctl_name": "set", "result": "ok"})) == {
        "ioctl_name": "other",
        "result": None,
    }
