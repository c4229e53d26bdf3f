"""What others recorded becomes a recording: every format that the page names, as its tool writes it."""

import json
import os
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from drycell.runtime.stdf import Encoder, record
from drycell.sim.errors import DrycellError
from drycell.sim.replay import Gap, open_recording
from drycell.sim.replay.stored import store
from tests.broker.mosquitto import mosquitto, program

IDLE = '{"type": "status", "state": "idle"}'
STATUS, COMMAND = "ate/D/TestApp/status/site0", "ate/D/TestApp/cmd"


@pytest.fixture
def read(tmp_path):
    def read_(content, name="file", **more):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_recording(path, **more)

    return read_


def brief(recording):
    return [(entry.topic, entry.payload.decode()) for entry in recording]


# --------------------------------------------------------------------------------------------------- mosquitto_sub


def test_mosquitto_sub_v(read):
    recording = read(f'{STATUS} {IDLE}\n{COMMAND} {{\n  "command": "next"\n}}\nate/empty \n')
    assert recording.format == "mosquitto_sub -v"
    assert brief(recording) == [(STATUS, IDLE), (COMMAND, '{\n  "command": "next"\n}'), ("ate/empty", "")]
    assert {(entry.t_ns, entry.client, entry.qos) for entry in recording} == {(0, None, None)}


def test_mosquitto_sub_with_times(read):
    recording = read(f"1795273345.100200300 {STATUS} {IDLE}\n1795273347.5 {STATUS} x\n")
    assert [entry.t_ns for entry in recording] == [0, 2_399_799_700]
    assert recording.start_unix_ns == 1_795_273_345_100_200_300
    recording = read(f"2026-11-21T15:00:00+0100 {STATUS} {IDLE}\n2026-11-21T15:00:02+0100 {STATUS} x\n")
    assert [entry.t_ns for entry in recording] == [0, 2_000_000_000]


def test_lines_that_are_no_message_are_gaps(read):
    recording = read(f"{STATUS} a\nnonsense\n{STATUS} b\n" * 4)
    assert len(list(recording)) == 8
    assert [gap.where for gap in recording.gaps()] == [f"line {number}" for number in (2, 5, 8, 11)]


@pytest.mark.parametrize("words", [["-v"], ["-F", "%U %t %p"], ["-F", "%I %t %p"], ["-F", "%j"], ["-F", "%J"]])
def test_what_mosquitto_sub_really_writes(words, read, tmp_path):
    with mosquitto(tmp_path) as port:
        place = ["-h", "127.0.0.1", "-p", str(port), "-q", "2"]
        for topic, payload in ((STATUS, IDLE), (COMMAND, '{\n  "command": "next"\n}')):  # kept for who comes later
            subprocess.run([program("mosquitto_pub"), *place, "-t", topic, "-r", "-m", payload], check=True)
        listener = [program("mosquitto_sub"), *place, "-t", "#", "-C", "2", "-W", "20", *words]
        entries = list(read(subprocess.run(listener, check=True, stdout=subprocess.PIPE).stdout))
    assert {entry.topic: json.loads(entry.payload) for entry in entries} == {
        STATUS: {"type": "status", "state": "idle"}, COMMAND: {"command": "next"},
    }  # fmt: skip
    if words[-1] in ("%j", "%J"):
        assert {(entry.qos, entry.retain) for entry in entries} == {(2, True)}


# ---------------------------------------------------------------------------------------------------- JSON documents


def mqttx(messages):
    return json.dumps([{"clientId": "mqttx_1", "name": "floor", "host": "tester7", "messages": messages}], indent=2)


def test_mqttx(read):
    recording = read(
        mqttx(
            [
                {"createAt": "2026-11-21 15:00:02:500", "out": True, "payload": '{"command": "next"}', "qos": 2,
                 "retain": False, "topic": COMMAND},
                {"createAt": "2026-11-21 15:00:00:000", "out": False, "payload": IDLE, "qos": 0, "retain": True,
                 "topic": STATUS},
            ]
        )
    )  # fmt: skip
    first, second = recording
    assert (first.t_ns, first.client, first.topic, first.qos, first.retain) == (0, None, STATUS, 0, True)
    assert (second.t_ns, second.client, second.topic, second.qos) == (2_500_000_000, "mqttx_1", COMMAND, 2)


def test_mqtt_explorer(read):
    packed = {"base64Message": b64encode(IDLE.encode()).decode()}
    history = {"topic": STATUS, "messages": [{"payload": packed, "received": "2026-11-21T15:00:00.250Z", "qos": 1}]}
    assert [(e.topic, e.payload.decode(), e.qos) for e in read(json.dumps({"ate": {"D": history}}))] == [
        (STATUS, IDLE, 1)
    ]


def test_a_document_that_is_cut_is_read_as_far_as_it_goes(read):
    messages = [
        {"createAt": f"2026-11-21 15:00:0{n}:000", "payload": f'{{"n": {n}}}', "topic": STATUS} for n in range(9)
    ]
    whole = mqttx(messages)
    recording = read(whole[: whole.index('\\"n\\": 7')])
    assert [entry.payload for entry in recording] == [b'{"n": %d}' % n for n in range(7)]
    (gap,) = recording.gaps()
    assert "whole objects were read" in gap.why and gap.count > 0


# --------------------------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    "text",
    [
        'time,topic,payload\n1.5,a/b,"{""x"": 1}"\n3,a/c,2\n',
        'Topic;Payload;Timestamp\na/b;"{""x"": 1}";1795273345.0\na/c;2;1795273346.5\n',
        '2026-11-21T15:00:00Z,a/b,"{""x"": 1}"\n2026-11-21T15:00:01.5Z,a/c,2\n',
        "\ufefftime\ttopic\tpayload\r\n0\ta/b\t{\"x\": 1}\r\n1.5\ta/c\t2\r\n".replace('{"x": 1}', '"{""x"": 1}"'),
    ],
)  # fmt: skip
def test_csv(read, text):
    recording = read(text)
    assert [(entry.topic, entry.payload) for entry in recording] == [("a/b", b'{"x": 1}'), ("a/c", b"2")]
    first, second = recording
    assert second.t_ns - first.t_ns == 1_500_000_000


def test_csv_with_all_columns(read):
    (entry,) = read("time,client,topic,qos,retain,payload\n0,testapp.D.0,a/b,2,1,Ü\n")
    assert (entry.client, entry.qos, entry.retain, entry.payload.decode()) == ("testapp.D.0", 2, True, "Ü")


def test_rows_of_csv_that_are_no_message_are_gaps(read):
    recording = read('time,topic,payload\n1,a,x\n2\n3,#,x\n4,b,y"z"\n5,c,"open')
    assert [entry.topic for entry in recording] == ["a", "b"]
    assert [(gap.where, gap.count) for gap in recording.gaps()] == [("line 3 to line 4", 2), ("line 6", 1)]


# ------------------------------------------------------------------------------------------------------ logs and STDF


def test_log_files_of_programs(read):
    recording = read(
        "TestApp0 |21/11/2026 11:59:59 AM |INFO    |Enter contact_1\n"
        "TestApp0 |21/11/2026 12:00:01 PM |ERROR   |no answer | really\n"
        "Traceback (most recent call last):\n  ValueError\n"
        "master   |21/11/2026 12:00:02 PM |WARNING |late\n"
    )
    assert [(e.kind, e.client, e.topic, e.t_ns // 10**9) for e in recording] == [
        ("log", "TestApp0", "INFO", 0), ("log", "TestApp0", "ERROR", 2), ("log", "master", "WARNING", 3),
    ]  # fmt: skip
    assert list(recording)[1].payload.startswith(b"no answer | really\nTraceback")


def stdf_of(*records):
    encoder = Encoder("<")
    return b"".join(map(encoder.encode, records))


def made_stdf():
    far = record("FAR", CPU_TYPE=2, STDF_VER=4)
    mir = record(
        "MIR", SETUP_T=90, START_T=100, STAT_NUM=1, LOT_ID="L", PART_TYP="p", NODE_NAM="n", TSTR_TYP="t", JOB_NAM="j"
    )
    parts = [
        one
        for number in range(2)
        for one in (
            record("PIR", HEAD_NUM=0, SITE_NUM=0),
            record("PTR", TEST_NUM=1, HEAD_NUM=0, SITE_NUM=0, TEST_FLG=0, PARM_FLG=0, RESULT=3.3),
            record(
                "PRR", HEAD_NUM=0, SITE_NUM=0, PART_FLG=0, NUM_TEST=1, HARD_BIN=1, TEST_T=250, PART_ID=str(number)
            ),
        )
    ]
    return stdf_of(far, mir, *parts, record("MRR", FINISH_T=101))


def test_stdf(read):
    recording = read(made_stdf())
    assert [entry.topic for entry in recording] == ["FAR", "MIR", *["PIR", "PTR", "PRR"] * 2, "MRR"]
    assert [entry.t_ns for entry in recording if entry.topic == "PIR"] == [0, 250_000_000]
    assert recording.start_unix_ns == 100 * 10**9
    ptr = next(entry for entry in recording if entry.topic == "PTR")
    assert (ptr.kind, ptr.detail["TEST_NUM"], ptr.detail["RESULT"]) == ("record", 1, 3.3)
    assert recording.gaps() == ()


def test_broken_stdf(read):
    whole = made_stdf()
    recording = read(whole[:-20])
    assert [entry.topic for entry in recording][:5] == ["FAR", "MIR", "PIR", "PTR", "PRR"]
    assert recording.gaps()[0].unit == "bytes"


def test_the_log_and_the_stdf_of_the_real_lot(read):
    kept = Path(__file__).parent / "recordings" / "real_lot.stdf"
    assert sum(entry.topic == "PRR" for entry in open_recording(kept)) == 6


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("content", "format", "reason"),
    [
        (b"just some text\n", None, "is of no known format; known are capture, journal, pcap"),
        (b"\0" * 4096, None, "no known format"),
        (b"a,b\nc,d\n", "csv", "holds nothing that CSV can read; line 1"),
        (b'[{"topic": "a#", "payload": 1}]', None, "holds nothing that MQTTX"),
        (b"\xd4\xc3\xb2\xa1", None, "holds nothing that network capture can read; byte 4"),
    ],
)
def test_what_holds_nothing_is_refused_with_the_reason(read, content, format, reason):
    with pytest.raises(DrycellError, match=reason):
        read(content, format=format)


@pytest.mark.parametrize(
    "content",
    [
        '[{"clientId":"\\ud800","topic":"a\\ud800","payload":"x\\ud800","out":true}, {',
        b"time,client,topic,payload\n1,\xff,a\xff,x\xff\n",
    ],
)
def test_text_that_is_no_unicode_can_be_stored(read, content, tmp_path):
    store(read(content), tmp_path / "stored.recording.jsonl")
    (entry,) = open_recording(tmp_path / "stored.recording.jsonl")
    assert (entry.client, entry.topic[0]) == ("?", "a") and entry.payload.startswith(b"x")


def test_a_pipe_is_refused_since_it_can_be_read_only_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DrycellError, match="is no file"):
        open_recording(tmp_path / "pipe")


def test_a_document_too_large_to_be_read_as_a_whole_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("drycell.sim.replay.lines.WHOLE_LIMIT_BYTES", 100)
    path = tmp_path / "large.json"
    path.write_text(mqttx([{"topic": STATUS, "payload": "x" * 200}]))
    with pytest.raises(DrycellError, match="can only be read as a whole"):
        list(open_recording(path).items())


def test_gaps_are_never_silent(read):
    for item in read(f"{STATUS} a\n\xff\xfe b\n{STATUS} c\n" * 3).items():
        assert not isinstance(item, Gap) or item.sentence()
