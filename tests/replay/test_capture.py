"""Capture beside production: it hears everything, disturbs nothing, and loses nothing when it is killed."""

import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack

import pytest

from drycell.sim.broker import codec
from drycell.sim.broker.external import Address
from drycell.sim.cli import main
from drycell.sim.errors import DrycellError
from drycell.sim.replay import Gap, open_recording
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.capture import Capture, Plan
from drycell.sim.replay.listener import DROPPED, Listener
from drycell.sim.replay.segments import Segments
from drycell.sim.replay.stored import segments
from tests.broker.mosquitto import mosquitto, program
from tests.replay.floor import ROOMY, CaptureProcess, Load, capturing, numbers

CONNACK, RESUMED = b"\x20\x02\x00\x00", b"\x20\x02\x01\x00"


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker", *ROOMY) as port:
        yield port


def published(port: int, *words: str) -> None:
    subprocess.run([program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(port), *words], check=True, timeout=10)


# --------------------------------------------------------------------------------------------- the session, pure


def listener(**more) -> Listener:
    one = Listener("c", ["#"], **more)
    one.receive(CONNACK, 0)
    one.answers()
    return one


def test_no_packet_of_it_publishes():
    one = Listener("c", ["#"])
    sent = one.hello()
    packets = [CONNACK, codec.encode_suback(1, [2, 0])]
    packets += [codec.encode_publish("t", b"x", qos, False, 5) for qos in (0, 1, 2)] + [
        codec.encode_ack(codec.PUBREL, 5)
    ]
    for packet in packets:
        one.receive(packet, 0)
        sent += one.answers()
    kinds = [first >> 4 for first, _ in codec.Framer().feed(sent)]
    assert kinds == [codec.CONNECT, codec.SUBSCRIBE, codec.PUBACK, codec.PUBREC, codec.PUBCOMP]
    assert codec.decode_connect(codec.Framer().feed(sent)[0][1]).will is None


def test_a_message_is_given_out_before_its_answer_is():
    one = listener()
    (entry,) = one.receive(codec.encode_publish("t", b"x", 2, True, 9), 77)
    assert (entry.t_ns, entry.topic, entry.payload, entry.qos, entry.retain) == (77, "t", b"x", 2, True)
    assert one.answers() == codec.encode_ack(codec.PUBREC, 9)
    assert one.answers() == b""


def test_a_session_that_the_broker_kept_is_subscribed_again_for_the_last_capture_may_have_left_it():
    one = Listener("c", ["#"])
    one.receive(RESUMED, 0)
    assert one.session_present and one.answers()[0] >> 4 == codec.SUBSCRIBE


def test_it_is_quiet_only_after_a_ping_that_brought_no_message():
    one = listener()
    one.leave()
    one.ping()
    assert [first >> 4 for first, _ in codec.Framer().feed(one.answers())] == [codec.UNSUBSCRIBE, codec.PINGREQ]
    one.receive(codec.encode_publish("t", b"x", 1, False, 1) + codec.PINGRESP_BYTES, 0)
    assert one.answered and not one.quiet
    one.ping()
    one.receive(codec.encode_ack(codec.UNSUBACK, 2) + codec.PINGRESP_BYTES, 0)
    assert one.quiet


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"\x20\x02\x00\x05", "wants other credentials"),
        (b"\x20\x02\x00\x02", "--client-id"),
        (b"\x20\x02\x00\x63", "code 99"),
        (CONNACK + codec.encode_suback(1, [0x80, 0x80]), "refuses the topic filter '#'"),
    ],
)
def test_a_refusal_is_told_in_one_sentence(packet, reason):
    with pytest.raises(DrycellError, match=reason):
        Listener("c", ["#"]).receive(packet, 0)


@pytest.mark.parametrize("packet", [b"\x10\x00", b"\x30\xff\xff\xff\xff\x01", b"\x20\x01\x00", b"\x32\x03\x00\x01t"])
def test_a_broker_that_breaks_the_protocol_is_noticed(packet):
    with pytest.raises(codec.ProtocolError):
        Listener("c", ["#"]).receive(packet, 0)


def test_a_broker_without_the_count_of_dropped_messages_will_do():
    one = Listener("c", ["#"])
    one.receive(CONNACK + codec.encode_suback(1, [2, codec.REFUSED]), 0)
    assert one.subscribed


# ------------------------------------------------------------------------------------------------- the segments


def test_segments_begin_anew_beyond_their_size_and_the_oldest_goes(tmp_path):
    one = Segments(tmp_path, "x", 0, {"filters": []}, same="filters", segment_bytes=2_000, limit_bytes=6_000)
    for number in range(100):
        (entry,) = listener().receive(
            codec.encode_publish("t", b"%d" % number + b"." * 100, 1, False, number + 1), number
        )
        one.store([entry], durable=False)
    one.close()
    files = segments(tmp_path)
    assert sum(file.stat().st_size for file in files) <= 6_000
    assert files[0].name > "000001"
    first, *rest = open_recording(tmp_path).items()
    assert first == Gap(files[0].name, "the segments before it were removed")
    kept = [int(entry.payload.split(b".")[0]) for entry in rest]
    assert kept == list(range(kept[0], 100))


def test_two_captures_never_share_a_folder(tmp_path):
    one = Segments(tmp_path, "x", 0, {"filters": []}, same="filters", segment_bytes=2_000)
    with pytest.raises(DrycellError, match="another capture writes to"):
        Segments(tmp_path, "x", 0, {"filters": []}, same="filters", segment_bytes=2_000)
    one.close()
    Segments(tmp_path, "x", 0, {"filters": []}, same="filters", segment_bytes=2_000).close()


def test_a_folder_is_continued_only_with_what_it_was_begun_with(tmp_path):
    Segments(tmp_path, "x", 0, {"filters": ["#"]}, same="filters", segment_bytes=2_000).close()
    for header, same in (({"filters": ["a"]}, "filters"), ({"routes": []}, "routes")):
        with pytest.raises(DrycellError, match=f"begun with other {same}"):
            Segments(tmp_path, "x", 0, header, same=same, segment_bytes=2_000)
    Segments(tmp_path, "x", 0, {"filters": ["#"]}, same="filters", segment_bytes=2_000).close()


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    one = Segments(tmp_path, "x", 0, {"filters": []}, same="filters", segment_bytes=2_000)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DrycellError, match=r"No space left.*make room"):
        one.store([Gap("a", "b")], durable=True)


# ------------------------------------------------------------------------------------------------ on a live broker


def test_nothing_is_lost_at_5000_messages_a_second(broker, tmp_path):
    with CaptureProcess(broker, tmp_path / "night") as capture:
        assert Load(broker, 15_000, 5_000).all() == 15_000
        heard = capture.end()
    assert heard == {"folder": str(tmp_path / "night"), "messages": 15_000, "marks": 0, "gaps": 0}
    assert numbers(tmp_path / "night") == dict.fromkeys(range(15_000), 1)
    assert {(entry.topic, entry.qos) for entry in open_recording(tmp_path / "night")} == {
        ("load/0", 0), ("load/1", 1), ("load/2", 2),
    }  # fmt: skip


def test_what_waits_in_the_broker_when_it_is_told_to_end_is_taken_first(broker, tmp_path):
    with CaptureProcess(broker, tmp_path / "night") as capture:
        capture.process.send_signal(signal.SIGSTOP)
        assert Load(broker, 3_000, 100_000).all() == 3_000
        capture.process.send_signal(signal.SIGCONT)
        assert capture.end()["messages"] == 3_000
    assert numbers(tmp_path / "night") == dict.fromkeys(range(3_000), 1)


def test_killed_in_between_it_loses_nothing_that_the_broker_had_to_deliver(broker, tmp_path):
    folder = tmp_path / "night"
    with ExitStack() as stack:
        capture = stack.enter_context(CaptureProcess(broker, folder))
        publisher = Load(broker, 1_000_000, 1_500)
        for _ in range(2):
            await_size(folder, 100_000)
            capture.kill()
            capture = stack.enter_context(CaptureProcess(broker, folder))
        await_size(folder, 100_000)
        count = publisher.end()
        capture.end()
    found = numbers(folder)
    assert {found[number] for number in range(count) if number % 3} == {1}
    kept = [gap for gap in open_recording(folder).gaps() if "broker kept the others" in gap.why]
    assert len(kept) == 2


def await_size(folder, size):
    """Wait until the newest segment has so many bytes."""
    for _ in range(3_000):
        if segments(folder)[-1].stat().st_size > size:
            return
        time.sleep(0.01)
    raise AssertionError("the capture hears nothing")


def test_a_broker_that_restarts_is_found_again_and_the_gap_is_named(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with mosquitto(folders[0]) as port:
        capture = CaptureProcess(port, tmp_path / "night")
        published(port, "-t", "ate/x", "-m", "before", "-q", "1")
        await_size(tmp_path / "night", 250)
    with capture:
        capture.await_line("the ")
        with mosquitto(folders[1], port=port):
            capture.await_line("listening as")
            published(port, "-t", "ate/x", "-m", "after", "-q", "1")
            heard = capture.end()
    assert (heard["messages"], heard["gaps"]) == (2, 1)
    before, gap, after = open_recording(tmp_path / "night").items()
    assert (before.payload, after.payload) == (b"before", b"after")
    assert "forgotten the session" in gap.why
    assert 0 < gap.count <= after.t_ns - before.t_ns


def test_a_mark_is_made_by_a_signal(broker, tmp_path):
    with CaptureProcess(broker, tmp_path / "night") as capture:
        capture.process.send_signal(signal.SIGUSR1)
        await_size(tmp_path / "night", 200)
        published(broker, "-t", "b", "-m", "2", "-q", "1")
        assert capture.end()["marks"] == 1
    assert [entry.kind for entry in open_recording(tmp_path / "night")] == ["mark", "publish"]


def test_marks_are_typed(tmp_path):
    reader, writer = os.pipe()
    attention = Attention(reader)
    os.write(writer, "Griff klemmt ö\nnoch".encode())
    attention.wait(1)
    assert attention.marks() == ["Griff klemmt ö"]
    os.write(writer, b" einer\n")
    os.close(writer)
    attention.wait(1)
    assert attention.marks() == ["noch einer"]
    os.close(reader)


@pytest.mark.parametrize(("keep_session", "texts"), [(False, []), (True, [b"in between"])])
def test_the_session_is_gone_afterwards_unless_it_is_kept(broker, tmp_path, keep_session, texts):
    folder = tmp_path / "night"
    for _ in range(2):
        with capturing(broker, folder, keep_session=keep_session):
            pass
        published(broker, "-t", "ate/x", "-m", "in between", "-q", "1")
    assert [entry.payload for entry in open_recording(folder)] == texts


def test_messages_that_the_broker_dropped_are_a_gap(tmp_path):
    said = [codec.encode_publish(DROPPED, b"%d" % count, 0, False, 0) for count in (3, 3, 8)]
    capture = Capture(Plan(Address.parse("mqtt://127.0.0.1:1"), tmp_path), Attention(), print)
    entries = listener().receive(b"".join(said), 5)
    items = [item for entry in entries for item in capture.kept(entry)]
    assert [(item.count, item.unit) for item in items] == [(5, "messages")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--broker", "mqtt://127.0.0.1:1"], r"the broker 127.0.0.1:1 cannot be reached \(Connection refused\)"),
        (["--broker", "mqtt://me:secret@h"], "DRYCELL_MQTT_PASSWORD"),
        (["--broker", "http://h"], "mqtt://host:1883 would be right"),
        (["--broker", "mqtt://h", "--topic", "a#"], "--topic 'a#' is no topic filter"),
        (["--broker", "mqtt://h", "--segment", "5"], "--segment '5' is no size"),
        (["--broker", "mqtt://h", "--for", "soon"], "--for: 'soon' is no duration"),
        (["--broker", "mqtt://h", "--credentials", "/nowhere"], "two lines, user name and password"),
        (["--broker", "mqtts://h", "--ca", "/nowhere"], "the certificates cannot be used"),
    ],
)
def test_what_cannot_be_captured_is_said_in_one_sentence(words, reason, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["capture", *words]) == 3
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(reason, said) and "secret" not in said


@pytest.mark.parametrize("by", ["environment", "file"])
def test_tls_with_credentials(by, tmp_path, monkeypatch):
    certificate = made_certificate(tmp_path)
    passwords = tmp_path / "passwords"
    subprocess.run([program("mosquitto_passwd"), "-b", "-c", passwords, "floor", "geheim"], check=True)
    files = (certificate, certificate.with_name("key.pem"), passwords)
    settings = [f"{key} {file}" for key, file in zip(("certfile", "keyfile", "password_file"), files, strict=True)]
    options = ["--ca", str(certificate)]
    if by == "environment":
        monkeypatch.setenv("DRYCELL_MQTT_USERNAME", "floor")
        monkeypatch.setenv("DRYCELL_MQTT_PASSWORD", "geheim")
    else:
        (tmp_path / "secret").write_text("floor\ngeheim\n")
        options += ["--credentials", str(tmp_path / "secret")]
    with (
        mosquitto(tmp_path, *settings, "allow_anonymous false", "user root") as port,
        CaptureProcess(port, tmp_path / "night", *options, scheme="mqtts") as capture,
    ):
        who = ["--cafile", str(certificate), "-u", "floor", "-P", "geheim"]
        published(port, "-t", "ate/x", "-m", "secured", "-q", "1", *who)
        capture.end()
    assert [entry.payload for entry in open_recording(tmp_path / "night")] == [b"secured"]
    assert not any(b"geheim" in file.read_bytes() for file in segments(tmp_path / "night"))


def made_certificate(folder):
    made = folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {folder / 'key.pem'} -out {made}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made
