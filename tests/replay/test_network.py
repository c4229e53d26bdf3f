"""Network captures: MQTT and SCPI are found in them, whatever became of the segments on the way."""

import random
import struct
import subprocess

import pytest

from drycell.plugins_sim.importers.pcap import frames
from drycell.plugins_sim.importers.tcp import Hole, Segment, Stream
from drycell.sim.broker import codec
from drycell.sim.replay import Entry, Gap, Recording, open_recording
from drycell.sim.replay.packets import packets
from drycell.sim.report.pcapng import write_pcapng
from tests import debian

START_NS = 1_795_273_345_000_000_000
MESSAGES = 60
ETHERNET, TCP_HEADER = 14, 20


def conversation():
    """Two clients, of which one hears the other; a message larger than a segment now and then; one ends badly."""
    yield Entry(0, "connect", "testapp", detail={"clean": True, "keepalive_s": 30})
    yield Entry(0, "subscribe", "testapp", detail={"filters": [["cmd", 1]]})
    for number in range(MESSAGES):
        payload = b"%d" % number + b"." * (3_000 if number % 10 == 7 else number % 5)
        yield Entry(number * 1_000_000, "publish", "master", "cmd", payload, number % 3, number == 9)
    yield Entry(99_000_000, "disconnect", "master", detail={"cause": "disconnect"})


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A capture of the conversation as pcapng, and its frames."""
    path = tmp_path_factory.mktemp("network") / "whole.pcapng"
    recording = Recording("made", "a test", conversation)
    write_pcapng(packets(recording), path, START_NS)
    return path, list(frames(path))


def pcap(frames_, order="<", unit_ns=1000):
    magic = 0xA1B2C3D4 if unit_ns == 1000 else 0xA1B23C4D
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, 1)
    return head + b"".join(
        struct.pack(order + "IIII", f.at_ns // 10**9, f.at_ns % 10**9 // unit_ns, len(f.data), len(f.data) + f.cut)
        + f.data
        for f in frames_
    )


@pytest.fixture
def read(tmp_path):
    def read_(frames_, **more):
        path = tmp_path / "capture.pcap"
        path.write_bytes(pcap(frames_, **more))
        return open_recording(path)

    return read_


def published(recording, kind="publish"):
    return [int(entry.payload.split(b".")[0]) for entry in recording if entry.kind == kind]


def has_data(frame):
    return len(frame.data) > ETHERNET + 20 + TCP_HEADER


# --------------------------------------------------------------------------------------------------- the file formats


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("unit_ns", [1000, 1])
def test_pcap_in_both_byte_orders_and_resolutions(network, read, order, unit_ns):
    path, frames_ = network
    recording = read(frames_, order=order, unit_ns=unit_ns)
    assert list(recording.items()) == list(open_recording(path).items())
    assert recording.start_unix_ns == START_NS


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_what_wireshark_writes_is_read(network, tmp_path, kind):
    path, _ = network
    made = tmp_path / "made"
    editcap = debian.program("editcap", "wireshark-common")
    subprocess.run([editcap, "-F", kind, path, made], check=True, stdout=subprocess.DEVNULL)
    assert list(open_recording(made).items()) == list(open_recording(path).items())


def test_a_capture_tells_who_said_what_and_who_heard_it(network):
    recording = open_recording(network[0])
    assert published(recording) == published(recording, "deliver") == list(range(MESSAGES))
    by = {kind: {e.client for e in recording if e.kind == kind} for kind in ("publish", "deliver", "connect")}
    assert by == {"publish": {"master"}, "deliver": {"testapp"}, "connect": {"master", "testapp"}}
    assert [e.t_ns for e in recording if e.kind == "publish"] == [n * 1_000_000 for n in range(MESSAGES)]
    ends = {(e.client, e.detail["cause"]) for e in recording if e.kind == "disconnect"}
    assert ends == {("master", "disconnect"), ("testapp", "closed")}
    assert recording.gaps() == ()


# ------------------------------------------------------------------------------------------------ out of order, and lost


@pytest.mark.parametrize("seed", range(5))
def test_segments_out_of_order_and_repeated_are_put_right(network, read, seed):
    _, frames_ = network
    chance = random.Random(seed)
    keys = [(n + chance.uniform(0, 12) * has_data(frame), frame) for n, frame in enumerate(frames_)]
    keys += [(n + chance.uniform(0, 20), frame) for n, frame in enumerate(frames_) if chance.random() < 0.3]
    recording = read([frame for _, frame in sorted(keys, key=lambda pair: pair[0])])
    assert published(recording) == published(recording, "deliver") == list(range(MESSAGES))
    assert len([entry for entry in recording if entry.kind == "connect"]) == 2
    assert {gap.unit for gap in recording.gaps()} <= {"nanoseconds"}


@pytest.mark.parametrize("seed", range(5))
def test_missing_segments_cost_no_more_than_what_was_in_them(network, read, seed):
    _, frames_ = network
    chance = random.Random(seed)
    wanted = [n for n, frame in enumerate(frames_) if b"cmd" in frame.data[ETHERNET + 40 : ETHERNET + 60]]
    gone = set(chance.sample(wanted[2:-2], 4))
    recording = read([frame for n, frame in enumerate(frames_) if n not in gone])
    lost = 2 * MESSAGES - len(published(recording)) - len(published(recording, "deliver"))
    assert 1 <= lost <= 4
    holes = [gap for gap in recording.gaps() if "segments are missing" in gap.why]
    assert sum(gap.count for gap in holes) == sum(len(frames_[n].data) - ETHERNET - 20 - TCP_HEADER for n in gone)


def test_frames_that_were_cut_short_are_gaps(network, read):
    _, frames_ = network
    cut = [f._replace(data=f.data[:200], cut=max(0, len(f.data) - 200)) for f in frames_]
    recording = read(cut)
    large = {number for number in range(MESSAGES) if number % 10 == 7}
    assert published(recording) == [number for number in range(MESSAGES) if number not in large]
    assert sum(gap.count for gap in recording.gaps() if "missing" in gap.why) > 2 * 2_600 * len(large)


def test_a_capture_that_begins_in_the_middle_is_read_from_the_next_packet(network, read):
    _, frames_ = network
    recording = read(frames_[len(frames_) // 2 :])
    found = published(recording)
    assert found == list(range(found[0], MESSAGES)) and found[0] < MESSAGES - 5


@pytest.mark.parametrize("size", [3, 30, 1_000, -1, -20])
def test_a_file_that_was_cut_is_read_up_to_there(network, tmp_path, size):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(network[1])[: 24 + size if size > 0 else size])
    if size < 100 and size > 0:
        with pytest.raises(Exception, match="holds nothing that network capture can read"):
            open_recording(path)
    else:
        *_, last = open_recording(path).items()
        assert isinstance(last, Gap) or size == 1_000


# ---------------------------------------------------------------------------------------------------- streams, purely


def told(*segments):
    stream = Stream()
    made = (
        Segment("a:1", "b:2", sequence & 0xFFFFFFFF, 2 * (data is None), data or b"", 0)
        for sequence, data in segments
    )
    pieces = []
    for one in made:
        if one.opens:
            stream.open(one.sequence)
        pieces += stream.take(one, 0)
    return [*pieces, *stream.rest()]


@pytest.mark.parametrize(
    ("segments", "pieces"),
    [
        ([(9, None), (10, b"ab"), (12, b"cd")], [b"ab", b"cd"]),
        ([(9, None), (12, b"cd"), (10, b"ab")], [b"ab", b"cd"]),
        ([(9, None), (10, b"abc"), (11, b"bcd"), (10, b"ab")], [b"abc", b"d"]),
        ([(9, None), (10, b"a"), (14, b"e")], [b"a", Hole(3), b"e"]),
        ([(10, b"a"), (9, None), (11, b"b")], [b"a", b"b"]),
        ([(-2, None), (-1, b"ab"), (1, b"c")], [b"ab", b"c"]),
        ([(-2, None), (1, b"c"), (-1, b"ab")], [b"ab", b"c"]),
    ],
)
def test_a_stream_in_order(segments, pieces):
    assert told(*segments) == pieces


def test_a_hole_is_given_up_after_a_while_and_beyond_a_size():
    stream = Stream()
    stream.open(0)
    assert list(stream.take(Segment("a:1", "b:2", 5, 0, b"x", 0), 0)) == []
    assert list(stream.take(Segment("a:1", "b:2", 6, 0, b"y", 0), 6 * 10**9)) == [Hole(4), b"x", b"y"]
    large = b"z" * 1_500
    pieces = [
        p for n in range(5_000) for p in stream.take(Segment("a:1", "b:2", 100 + n * 1_500, 0, large, 0), 7 * 10**9)
    ]
    assert pieces[0] == Hole(93)


# ---------------------------------------------------------------------------------------------------- other languages


def frame_of(port, data, sequence=1, at_ns=START_NS):
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, 0x0A000001, 0x0A000002)
    tcp = struct.pack("!HHIIBBHHH", 40_000, port, sequence, 0, 80, 24, 1024, 0, 0)
    return type("F", (), {"at_ns": at_ns, "data": b"\0" * 12 + b"\x08\0" + ip + tcp + data, "cut": 0})


def test_scpi_is_read_line_by_line(read):
    recording = read([frame_of(5025, b"*IDN?\nMEAS:VO"), frame_of(5025, b"LT?\r\n", 14)])
    assert [(e.kind, e.topic, e.payload, e.direction) for e in recording] == [
        ("scpi", "10.0.0.2:5025", b"*IDN?", "in"), ("scpi", "10.0.0.2:5025", b"MEAS:VOLT?", "in"),
    ]  # fmt: skip


def test_mqtt_on_any_port_is_known_by_its_connect_and_tls_is_named(read):
    hello = codec.encode_connect(codec.Connect("a"))
    recording = read([frame_of(8883, b"\x16\x03\x01"), frame_of(80, b"GET /"), frame_of(9999, hello)])
    assert [(e.kind, e.client) for e in recording] == [("connect", "a")]
    (gap,) = recording.gaps()
    assert "encrypted" in gap.why


def test_a_password_is_in_no_entry(read):
    hello = codec.encode_connect(codec.Connect("a", username="floor", password=b"geheim"))
    (entry,) = read([frame_of(1883, hello)])
    assert entry.detail["username"] == "floor" and "geheim" not in repr(entry)
