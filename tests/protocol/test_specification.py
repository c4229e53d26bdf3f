"""The messages of dialect ``specification``: what is sent, and what is taken from others who spell it differently."""

import json

import pytest

from drycell.runtime.protocol import messages, records
from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.specification import Option
from drycell.runtime.protocol.topics import PrintedTopics, Topics, site_of
from drycell.runtime.stdf import StdfError

PART = [
    records.pir(3),
    records.ftr(100, 3, records.NO_RESULT_TEST),
    records.prr(3, passed=False, num_test=1, hard_bin=0, soft_bin=60001, test_t_ms=5, part_id="17"),
]


@pytest.mark.row("SEQ-15", "SEQ-55")
@pytest.mark.parametrize("word", ["next", "Next", "NEXT"])
def test_commands_are_taken_in_any_case_and_sites_in_any_type(word):
    command = spec.read_command(json.dumps({"type": "cmd", "command": word, "sites": [0, "1"]}).encode())
    assert (command.name, command.sites) == ("next", ("0", "1"))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"{}", b'{"type": "x", "command": "next", "sites": []}', b'{"type": "cmd"}',
                b'{"type": "cmd", "command": 7, "sites": []}', b'{"type": "cmd", "command": "next", "sites": "0"}']
)  # fmt: skip
def test_what_is_no_command_is_refused_in_words(payload):
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        spec.read_command(payload)


@pytest.mark.row("SEQ-19", "SEQ-20", "SEQ-21", "SEQ-22")
def test_every_next_is_complete_a_missing_option_is_off_and_further_ones_are_passed_on():
    on = {"active": True, "value": 2}
    options = spec.read_options({"trigger_on_test": on, "warm_up": {"active": True, "value": 9}, "sites_info": []})
    assert options.pop("trigger_on_test") == Option(True, 2)
    assert options.pop("warm_up") == Option(True, 9)
    assert options == dict.fromkeys(set(messages.OPTION_NAMES) - {"trigger_on_test"}, Option(False, -1))
    assert set(spec.read_options(None).values()) == {Option()}


@pytest.mark.parametrize("entry", [True, 1, None, {}, {"active": 1}, {"active": True, "value": "2"}])
def test_an_option_of_another_shape_is_refused_by_its_name(entry):
    with pytest.raises(ValueError, match="option stop_on_fail"):
        spec.read_options({"stop_on_fail": entry})


def test_the_part_of_a_site_is_found_whatever_type_its_number_has():
    data = {"sites_info": [{"siteid": 0, "partid": "7"}, "rubbish", {"siteid": "1", "partid": 8}]}
    assert [spec.read_part(data, site) for site in ("0", "1", "2")] == ["7", "8", ""]
    assert spec.read_part(None, "0") == spec.read_part({"sites_info": 3}, "0") == ""


@pytest.mark.row("SEQ-41", "SEQ-42")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_stdf_in_base64_may_be_cut_at_any_byte(size):
    data = spec.stdf_bytes(PART)
    pieces = [spec.fragment(data[at : at + size]) for at in range(0, len(data), size)]
    assert all(piece.isascii() for piece in pieces)
    whole = spec.read_records([data])
    assert [record["type"] for record in whole] == ["PIR", "FTR", "PRR"] and whole[-1]["PART_ID"] == "17"
    assert spec.read_records([spec.read_fragment(piece) for piece in pieces]) == whole


def test_half_a_record_and_rubbish_are_no_stdf_and_say_so():
    data = spec.stdf_bytes(PART)
    for broken in (data[:-1], data[1:], b"\xff" * 20):
        with pytest.raises(ValueError, match="no STDF"):
            spec.read_records([broken])
    for rubbish in (b"!!!!", b"abc", "é".encode(), b"QUJD\n"):
        with pytest.raises(ValueError, match="no Base64"):
            spec.read_fragment(rubbish)
    with pytest.raises(StdfError):
        spec.stdf_bytes([{"type": "XXX"}])


def test_numbers_come_out_of_single_precision_as_they_went_in():
    for value in (3.3, -0.1, 1e-30, 123456.7, 0.0, 1 / 3):
        template = {"type": "PTR", "TEST_NUM": 1, "HEAD_NUM": 0, "SITE_NUM": 0, "TEST_FLG": 0, "PARM_FLG": 0}
        again = spec.read_records([spec.stdf_bytes([{**template, "RESULT": value}])])
        twice = spec.read_records([spec.stdf_bytes(again)])
        assert again[0]["RESULT"] == pytest.approx(value, rel=6e-8)
        assert again == twice
    assert spec.read_records([spec.stdf_bytes([{**template, "RESULT": 3.3}])])[0]["RESULT"] == 3.3


@pytest.mark.row("SEQ-11", "SEQ-12", "SEQ-42")
def test_the_printed_topics_are_said_as_printed_and_both_forms_are_heard():
    plain, printed = Topics("D1"), PrintedTopics("D1")
    assert plain.program_cmd == "ate/D1/TestApp/cmd"
    assert printed.program_cmd == "D1/TestApp/cmd"
    assert printed.program("status", "3") == "D1/TestApp/status/site3"
    assert printed.program("stdf", "3") == "ate/D1/TestApp/stdf/sitesite3"
    assert printed.program("log", "3") == plain.program("log", "3")
    assert set(printed.heard_program_cmd) == {plain.program_cmd, printed.program_cmd}
    for kind in ("status", "stdf", "log"):
        assert printed.canonical(printed.program(kind, "3")) == plain.program(kind, "3")
        assert printed.canonical(plain.program(kind, "3")) == plain.program(kind, "3")
        assert site_of(printed.program(kind, "3")) == "3"


@pytest.mark.row("SEQ-29")
def test_an_answer_belongs_to_the_requests_it_names_or_to_all_of_its_name():
    request = spec.io_request("K2000", "activate", {}, "0-1")
    assert request["request_id"] == "0-1"
    assert "request_id" not in spec.io_request("K2000", "activate", {})
    named, plain = spec.io_response("activate", "ok", ["0-1", "1-1"]), spec.io_response("activate", "ok")
    assert [spec.answers(named, "activate", one) for one in ("0-1", "1-1", "0-2")] == [True, True, False]
    assert spec.answers(plain, "activate", "0-2") and not spec.answers(plain, "deactivate", "0-2")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("Timeout", "timeout"),
        ({"status": "ok"}, ""),
        ({"temperature": 25}, ""),
        (None, ""),
        ({"status": "bad_ioctl", "error_message": "no such ioctl"}, "bad_ioctl: no such ioctl"),
        ({"status": "timeout"}, "timeout"),
    ],
)
def test_a_result_says_whether_the_peripheral_did_what_it_was_asked(result, reason):
    assert spec.refusal(spec.io_response("activate", result)) == reason


@pytest.mark.row("SEQ-46")
def test_fifteen_seconds_are_a_number_of_the_table():
    assert spec.SPECIFICATION.timeouts_s["results_s"] == 15
    assert spec.SITE.timeout("testing").name == "results_s"


@pytest.mark.row("SEQ-43", "SEQ-47", "SEQ-48", "SEQ-56", "SEQ-57")
def test_the_table_of_programs_puts_the_teardowns_before_idle_and_shutdown():
    assert spec.SEQUENCER.find("testing", "done").actions == ("cycle_teardown",)
    assert spec.SEQUENCER.published_steps["testing"] == {"testing", "idle", "error"}
    assert spec.SEQUENCER.find("idle", "terminate").actions == ("program_teardown",)
    assert spec.SEQUENCER.published_steps["idle"] == {"idle", "testing", "Shutdown", "error"}
    assert spec.SEQUENCER.published_steps["Shutdown"] == {"Shutdown"}
