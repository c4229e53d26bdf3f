"""A finished run in other tools: they find in it what drycell says of it."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pyarrow import parquet

from drycell.runtime.stdf import read
from drycell.sim.broker import codec
from drycell.sim.cli import main
from drycell.sim.replay import Entry, Recording, open_recording
from drycell.sim.replay.packets import packets
from drycell.sim.report.pcapng import write_pcapng
from drycell.sim.runs import Run
from tests import debian

ROOT = Path(__file__).resolve().parents[2]
REAL_LOT = Path(__file__).parent / "recordings" / "real_lot.recording.jsonl"
KINDS = {name: number for number, name in enumerate(codec.PACKET_NAMES)}
FORMATS = "recording,pcapng,stdf,atdf,csv,parquet"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A run of the demo, and the folder that everything was exported to."""
    folder = tmp_path_factory.mktemp("export")
    run_dir, out = folder / "run", folder / "out"
    assert main(["run", str(ROOT / "scenarios" / "demo.yaml"), "--rung", "model", "--out", str(run_dir)]) == 0
    assert main(["export", str(run_dir), "--to", FORMATS, "-o", str(out)]) == 0
    return Run(run_dir).result(), run_dir, out


def heard(recording):
    """What each client said, in order."""
    said: dict[str, list] = {}
    for entry in recording:
        if entry.kind == "publish" and not entry.detail.get("will"):
            said.setdefault(entry.client or "unknown", []).append(
                (entry.topic, entry.payload, entry.qos, entry.retain)
            )
    return said


# ----------------------------------------------------------------------------------------------------------- packets


def tshark(path, *words):
    settings = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    command = [debian.program("tshark", "tshark"), "-r", path, *settings, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def counted_by_tshark(path):
    lines = tshark(path, "-Y", "mqtt", "-T", "fields", "-e", "mqtt.msgtype")
    return Counter(int(number) for line in lines for number in line.split(","))


def assert_tshark_finds_nothing_wrong(path):
    wrong = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status != 1 || ip.checksum.status != 1"
    assert tshark(path, "-Y", wrong) == []


def counted(recording):
    return Counter(packet.raw[0] >> 4 for packet in packets(recording) if packet.raw)


def test_tshark_counts_exactly_the_packets_of_a_run(demo):
    _, run_dir, out = demo
    theirs = counted_by_tshark(out / "messages.pcapng")
    recording = open_recording(run_dir)
    assert theirs == counted(recording)
    entries = Counter(entry.kind for entry in recording)
    clients = {entry.client for entry in recording if entry.client}
    assert theirs[codec.CONNECT] == theirs[codec.CONNACK] == len(clients)
    assert theirs[codec.SUBSCRIBE] == entries["subscribe"]
    to_broker = tshark(out / "messages.pcapng", "-Y", "mqtt.msgtype == 3 && tcp.dstport == 1883")
    assert len(to_broker) == entries["publish"]
    assert_tshark_finds_nothing_wrong(out / "messages.pcapng")


def test_tshark_counts_exactly_the_packets_of_a_captured_floor(tmp_path):
    assert main(["export", str(REAL_LOT), "--to", "pcapng", "-o", str(tmp_path)]) == 0
    assert counted_by_tshark(tmp_path / "messages.pcapng") == counted(open_recording(REAL_LOT))
    assert_tshark_finds_nothing_wrong(tmp_path / "messages.pcapng")


def test_a_message_larger_than_a_segment_is_one_packet(tmp_path):
    large = Entry(5, "publish", "a", "t", b"x" * 100_000, 1)
    assert write_pcapng(packets(recorded(large)), tmp_path / "x.pcapng", 0) == 4
    assert counted_by_tshark(tmp_path / "x.pcapng") == {codec.CONNECT: 1, codec.CONNACK: 1, 3: 1, codec.PUBACK: 1}


def recorded(*entries):
    return Recording("made", "a test", lambda: iter(entries))


def names(*entries):
    """Direction and name of each packet; an empty one ends a connection."""
    arrow = {"in": ">", "out": "<"}
    return " ".join(
        f"{p.client}{arrow[p.direction]}{codec.PACKET_NAMES[p.raw[0] >> 4] if p.raw else 'end'}"
        for p in packets(recorded(*entries))
    )


def test_a_message_travels_at_the_lower_of_both_qos_and_each_hop_is_acknowledged():
    assert names(
        Entry(0, "connect", "b"),
        Entry(0, "subscribe", "b", detail={"filters": [["t/#", 1]]}),
        Entry(0, "publish", "a", "t/x", b"1", 2),
        Entry(0, "unsubscribe", "b", detail={"filters": ["t/#"]}),
        Entry(0, "publish", "a", "t/x", b"2", 0),
    ) == (
        "b>CONNECT b<CONNACK b>SUBSCRIBE b<SUBACK "
        "a>CONNECT a<CONNACK a>PUBLISH a<PUBREC a>PUBREL a<PUBCOMP b<PUBLISH b>PUBACK "
        "b>UNSUBSCRIBE b<UNSUBACK a>PUBLISH b>end a>end"
    )


def test_a_retained_message_greets_a_later_subscriber_until_it_is_emptied():
    kept = [Entry(0, "publish", "a", "t", payload, 0, True) for payload in (b"1", b"")]
    later = [Entry(1, "subscribe", client, detail={"filters": [["#", 0]]}) for client in "bc"]
    assert names(kept[0], later[0], kept[1], later[1]) == (
        "a>CONNECT a<CONNACK a>PUBLISH b>CONNECT b<CONNACK b>SUBSCRIBE b<SUBACK b<PUBLISH "
        "a>PUBLISH b<PUBLISH c>CONNECT c<CONNACK c>SUBSCRIBE c<SUBACK a>end b>end c>end"
    )


def test_a_will_comes_from_the_broker_and_a_client_that_returns_is_a_new_connection():
    assert names(
        Entry(0, "connect", "a", detail={"will": {"topic": "w", "qos": 0, "retain": False, "payload": "gone"}}),
        Entry(0, "subscribe", "b", detail={"filters": [["w", 0]]}),
        Entry(1, "disconnect", "a", detail={"cause": "closed"}),
        Entry(1, "publish", "a", "w", b"gone", 0, detail={"will": True}),
        Entry(2, "connect", "a"),
        Entry(3, "disconnect", "a", detail={"cause": "disconnect"}),
    ) == (
        "a>CONNECT a<CONNACK b>CONNECT b<CONNACK b>SUBSCRIBE b<SUBACK a>end b<PUBLISH "
        "a>CONNECT a<CONNACK a>DISCONNECT a>end b>end"
    )


# ------------------------------------------------------------------------------------------------------- and back again


def test_what_was_exported_is_read_again_with_the_same_messages_of_each_client(demo):
    _, run_dir, out = demo
    there = open_recording(run_dir)
    again = open_recording(out / "messages.recording.jsonl")
    assert list(again.items()) == list(there.items())
    assert again.start_unix_ns == there.start_unix_ns > 0
    network = open_recording(out / "messages.pcapng")
    assert heard(network) == heard(there) and network.gaps() == ()
    assert network.start_unix_ns == there.start_unix_ns
    when = [[entry.t_ns for entry in recording if entry.kind == "publish"] for recording in (network, there)]
    assert when[0] == when[1]


# ---------------------------------------------------------------------------------------------------------------- STDF


def test_stdf_is_the_runs_own(demo):
    result, _, out = demo
    assert (out / result.stdf_path.name).read_bytes() == result.stdf_path.read_bytes()


def test_atdf_has_the_same_parts_values_and_bins(demo):
    result, _, out = demo
    lines = [
        line.split(":", 1) for line in (out / result.stdf_path.with_suffix(".atdf").name).read_text().splitlines()
    ]
    rows = [(name, fields.split("|")) for name, fields in lines]
    records = list(read(result.stdf_path))
    assert Counter(name for name, _ in rows) == Counter(record.name for record in records)
    parts = [(f[2], f[1], f[5], f[6]) for name, f in rows if name == "PRR"]
    assert parts == [
        (r["PART_ID"], *(str(r[key]) for key in ("SITE_NUM", "HARD_BIN", "SOFT_BIN")))
        for r in records if r.name == "PRR"
    ]  # fmt: skip
    values = [(int(f[0]), float(f[3]), f[4]) for name, f in rows if name == "PTR"]
    assert values == [
        (r["TEST_NUM"], pytest.approx(r["RESULT"], rel=1e-6), "F" if r["TEST_FLG"] & 0x80 else "P")
        for r in records if r.name == "PTR"
    ]  # fmt: skip
    assert len(values) > 200 and {verdict for _, _, verdict in values} == {"P", "F"}


# -------------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("table", ["events", "devices", "values"])
def test_parquet_holds_what_csv_holds(table, demo):
    _, _, out = demo
    theirs = parquet.read_table(out / f"{table}.parquet").to_pylist()
    with (out / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        ours = list(csv.DictReader(file))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in theirs] == ours
    assert len(ours) >= 50


def test_without_pyarrow_parquet_says_what_to_install(demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", str(demo[1]), "--to", "parquet", "-o", str(tmp_path)]) == 3
    assert capsys.readouterr().err == "drycell: Parquet needs PyArrow; pip install 'drycell[parquet]'\n"


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([REAL_LOT, "--to", "csv"], f"{REAL_LOT} is no run of drycell; recording and pcapng can be made of it"),
        ([REAL_LOT, "--to", "pcap"], "--to 'pcap' is no format; did you mean 'pcapng'?"),
        ([__file__, "--to", "pcapng"], f"{__file__} is of no known format; "),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_sentence(words, reason, tmp_path, capsys):
    assert main(["export", *map(str, words), "-o", str(tmp_path)]) == 3
    assert capsys.readouterr().err.startswith(f"drycell: {reason}")
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_over(tmp_path, capsys):
    mine = tmp_path / "messages.pcapng"
    mine.write_bytes(b"mine")
    assert main(["export", str(REAL_LOT), "--to", "pcapng", "-o", str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"drycell: {mine} exists already; name another folder with -o\n"
    assert list(tmp_path.iterdir()) == [mine] and mine.read_bytes() == b"mine"


def test_what_mqtt_cannot_carry_is_refused(tmp_path, capsys):
    table = tmp_path / "messages.csv"
    table.write_text(f"time,topic,payload\n1,{'t' * 70_000},x\n")
    assert main(["export", str(table), "--to", "pcapng", "-o", str(tmp_path / "out")]) == 3
    assert "is no MQTT packet: an MQTT string has at most 65,535 bytes" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
