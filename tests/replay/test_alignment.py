"""Two recordings of one cell, client by client."""

import json

from drycell.runtime.protocol.topics import Topics
from drycell.sim.replay import Entry, Gap, Recording
from drycell.sim.replay.alignment import align, spoken

TOPICS = Topics("D")


def said(items):
    return spoken(Recording("test", "test", lambda: iter(items)), TOPICS)


def status(state, t_ns=0, site="0"):
    return Entry(t_ns, "publish", topic=TOPICS.program("status", site), payload=json.dumps({"state": state}).encode())


def result(test_t, part="1"):
    payload = {"type": "testresult", "payload": [{"type": "PRR", "PART_ID": part, "TEST_T": test_t}]}
    return Entry(0, "publish", topic=TOPICS.program("testresult", "0"), payload=json.dumps(payload).encode())


def compared(left, right, **options):
    return align(said(left), said(right), ["program0"], **options)


def test_the_same_messages_at_other_times_are_equal():
    assert compared([status("idle", 1), result(120)], [status("idle", 7), result(3)]).equal


def test_the_first_difference_is_shown_with_both_sides_and_what_differs():
    alignment = compared([status("idle"), result(1, "5")], [status("idle"), result(1, "6")])
    text = "\n".join(alignment.partings[0].sentences())
    assert 'payload[0].PART_ID: recorded "5", replayed "6"' in text
    assert "both:" in text


def test_other_clients_in_between_do_not_matter():
    assert compared([status("idle"), status("idle", site="1"), status("testing")],
                    [status("idle"), status("testing"), status("idle", site="1")]).equal  # fmt: skip


def test_a_message_more_or_less_is_a_difference():
    assert compared([status("idle")], []).partings[0].replayed is None
    assert compared([], [status("idle")]).partings[0].recorded is None


def test_in_a_gap_of_the_recording_more_may_have_been_said():
    gap = Gap("2", "lost", 1, "messages")
    alignment = compared([status("idle"), gap, status("idle")], [status("idle"), status("testing"), status("idle")])
    assert alignment.equal
    assert alignment.tolerated == 1 or alignment.counts == {"program0": 2}


def test_up_to_an_entry_what_comes_later_is_open():
    assert compared([status("idle")], [status("idle"), status("testing")], whole=False).equal


def test_log_lines_are_compared_but_for_their_time():
    def log(time, text):
        line = {"type": "log", "payload": f"TestApp0 |{time}|INFO    |{text}"}
        return Entry(0, "publish", topic=TOPICS.program("log", "0"), payload=json.dumps(line).encode())

    assert compared([log("03:29:07 PM", "Enter a")], [log("0.100", "Enter a")]).equal
    assert not compared([log("03:29:07 PM", "Enter a")], [log("0.100", "Enter b")]).equal
