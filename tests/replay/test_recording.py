"""Recordings: one stored form, which survives being cut, and readers that plugins add."""

import re
from pathlib import Path

import orjson
import pluggy
import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.hooks.registry import GROUP, Registry
from drycell.sim.hooks.spec import DrycellHooks
from drycell.sim.replay import Entry, Gap, Recording, open_recording
from drycell.sim.replay.lines import lines
from drycell.sim.replay.recording import GAPS_KEPT
from drycell.sim.replay.stored import SUFFIX, header_line, line_of, store

PAGE = (Path(__file__).parents[2] / "docs" / "field.md").read_text("utf-8")
ITEMS = [
    Entry(0, "connect", "testapp.D.0", detail={"clean": True, "keepalive_s": 60}),
    Entry(5, "publish", "testapp.D.0", "ate/D/TestApp/status/site0", b'{"state": "idle"}', 2),
    Gap("line 7", "no JSON", 12),
    Entry(5, "publish", None, "x", b"\xff\x00", 0, True, True),
    Entry(9, "scpi", "testapp.D.0", "meter", b"MEAS:VOUT? 1", direction="in"),
    Entry(10, "mark", payload="Störung, Griff klemmt".encode()),
]


def recorded(items, **more):
    return Recording("made", "a test", lambda: iter(items), **more)


def test_what_is_stored_is_read_again_unchanged(tmp_path):
    path = tmp_path / f"a{SUFFIX}"
    store(recorded(ITEMS, start_unix_ns=17), path)
    again = open_recording(path)
    assert list(again.items()) == ITEMS
    assert (again.format, again.source, again.start_unix_ns) == ("made", "a test", 17)
    assert again.gaps() == (ITEMS[2],)
    assert list(again) == [item for item in ITEMS if isinstance(item, Entry)]


def test_a_file_cut_anywhere_is_a_recording_up_to_its_last_whole_line(tmp_path):
    path = tmp_path / f"a{SUFFIX}"
    store(recorded(ITEMS), path)
    data = path.read_bytes()
    begin = data.index(b"\n") + 1
    for end in range(begin, len(data), 7):
        path.write_bytes(data[:end])
        whole = data[begin:end].count(b"\n")
        items = list(open_recording(path).items())
        assert items[:whole] == ITEMS[:whole]
        assert [type(item) for item in items[whole:]] == ([] if data[end - 1 : end] == b"\n" else [Gap])


def test_a_folder_of_files_is_one_recording_on_one_clock(tmp_path):
    for number, start_ns in enumerate((1_000, 5_000)):
        entry = line_of(Entry(3, "publish", topic=f"t{number}"))
        (tmp_path / f"{number}{SUFFIX}").write_bytes(header_line("capture", "mqtt://x:1", start_ns) + entry)
    assert [(entry.t_ns, entry.topic) for entry in open_recording(tmp_path)] == [(3, "t0"), (4_003, "t1")]


def test_a_clock_that_runs_backwards_is_a_gap_and_time_never_falls():
    times = [5, 9, 2, 3, 11]
    items = list(recorded([Entry(t, "publish", topic=str(t)) for t in times]).items())
    assert [(i.t_ns, i.topic) for i in items if isinstance(i, Entry)] == [
        (5, "5"), (9, "9"), (9, "2"), (9, "3"), (11, "11"),
    ]  # fmt: skip
    assert [(i.count, i.unit) for i in items if isinstance(i, Gap)] == [(7, "nanoseconds")]


def test_a_flood_of_gaps_is_summed_up_by_reason():
    flood = [Gap(f"line {n}", f"no JSON {n % 2}", 10) for n in range(GAPS_KEPT * 3)]
    gaps = recorded(flood).gaps()
    assert len(gaps) == GAPS_KEPT + 2
    assert sum(gap.count for gap in gaps) == GAPS_KEPT * 30


def test_gaps_side_by_side_are_one_and_its_count_stays_true():
    first, second, entry = Gap("line 1", "no JSON", 10), Gap("line 2", "no JSON", 5), Entry(0, "publish", topic="t")
    assert list(recorded([first, second, entry, first, Gap("line 9", "too long", 1)]).items()) == [
        Gap("line 1 to line 2", "no JSON", 15), entry, first, Gap("line 9", "too long", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{}", "KeyError"),
        (b"[1]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"{", "no JSON object"),
        (b"{]}", "JSONDecodeError"),
        (b'{"t_ns":"1","kind":"publish"}', "ValueError"),
        (b'{"t_ns":1,"kind":"explode"}', "ValueError"),
        (b'{"t_ns":1,"kind":"publish","qos":7}', "ValueError"),
        (b'{"t_ns":1,"kind":"publish","detail":[]}', "ValueError"),
        (b'{"t_ns":1,"kind":"publish","payload_b64":"*"}', "Error"),
        (b'{"t_ns":1,"kind":"publish","payload":7}', "AttributeError"),
        (b'{"gap":{"where":"","why":"","count":"x","unit":"bytes"}}', "ValueError"),
    ],
)
def test_a_line_that_is_no_entry_is_a_gap_that_says_so(tmp_path, line, reason):
    path = tmp_path / f"a{SUFFIX}"
    good = Entry(4, "publish", topic="t")
    path.write_bytes(header_line("capture", "x", None) + line + b"\n" + line_of(good))
    gap, entry = open_recording(path).items()
    assert entry == good
    assert isinstance(gap, Gap) and reason in gap.why and gap.count == len(line) + 1


def test_a_line_too_long_is_skipped_without_being_held(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"a" * 1000 + b"\nshort\n" + b"b" * 1000)
    found = [(line.number, line.data, line.size, line.complete) for line in lines(path, limit_bytes=100)]
    assert found == [(1, b"a" * 80, 1001, False), (2, b"short", 6, True), (3, b"b" * 80, 1000, False)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x00\x01\x02", "no known format; known are capture"),
        (b'{"drycell_recording":2}\n', "format 2; this drycell reads format 1 only"),
        (b'{"drycell_recording":', "is no drycell recording"),
    ],
)
def test_what_no_reader_takes_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DrycellError, match=reason):
        open_recording(path)


def test_a_format_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(DrycellError, match="did you mean 'capture'"):
        open_recording(tmp_path, "capturr")


def test_the_reader_of_the_page_reads_its_format(tmp_path):
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "hookimpl" in block)
    names: dict[str, object] = {}
    exec(code, names)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(DrycellHooks)
    manager.register(type("plugin", (), {"drycell_importers": staticmethod(names["drycell_importers"])}))
    reader = Registry(manager).importers["pipes"]
    path = tmp_path / "pipes"
    path.write_text("PIPES\nate/x|1\nate/y|2\n")
    assert reader.sniff(path.read_bytes()) == 3
    assert [(entry.topic, entry.payload) for entry in reader.read(path)] == [("ate/x", b"1"), ("ate/y", b"2")]


def test_the_recording_of_the_page_is_one(tmp_path):
    path = tmp_path / "page"
    path.write_text(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL).group(1))
    entry, gap = open_recording(path).items()
    assert (entry.topic, gap.unit) == ("ate/D/TestApp/status/site0", "nanoseconds")


# ------------------------------------------------------------------------------------------------ journals of own runs

JOURNAL = b'{"drycell_journal":1,"seed":7}\n'


def event(seq, kind, **fields):
    return orjson.dumps({"seq": seq, "t_ns": seq * 10, "actor": "a", "kind": kind, **fields}) + b"\n"


def test_a_journal_is_what_an_observer_could_have_heard(tmp_path):
    lines_ = [
        event(1, "state", to="idle"),
        event(2, "connect", clean=True, keepalive_s=60, will_topic="w", will_qos=2, will_retain=False),
        event(3, "subscribe", topic_filter="x/#", qos=1),
        event(4, "message", topic="t", qos=2, retain=False, payload="ü"),
        event(5, "message", topic="t", qos=0, retain=True, payload_b64="/w=="),
        event(6, "disconnect", cause="keepalive"),
        event(7, "message", topic="w", qos=2, retain=False, payload="gone", will=True),
    ]
    (tmp_path / "journal.jsonl").write_bytes(JOURNAL + b"".join(lines_))
    will = {"topic": "w", "qos": 2, "retain": False}
    expected = [
        Entry(20, "connect", "a", detail={"clean": True, "keepalive_s": 60, "will": will, "event": 2}),
        Entry(30, "subscribe", "a", detail={"filters": [["x/#", 1]], "event": 3}),
        Entry(40, "publish", "a", "t", "ü".encode(), 2, detail={"event": 4}),
        Entry(50, "publish", "a", "t", b"\xff", 0, True, detail={"event": 5}),
        Entry(60, "disconnect", "a", detail={"cause": "keepalive", "event": 6}),
        Entry(70, "publish", "a", "w", b"gone", 2, detail={"will": True, "event": 7}),
    ]
    assert list(open_recording(tmp_path).items()) == list(open_recording(tmp_path / "journal.jsonl")) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n", b"[]\n", b"nonsense\n", event(2, "message"), event(2, "message", topic=5),
        event(2, "subscribe", topic_filter="x", qos="2"), event(2, "connect", keepalive_s=-1),
    ],
)  # fmt: skip
def test_a_line_of_a_journal_that_is_no_event_is_a_gap(tmp_path, line):
    good = event(3, "message", topic="t", qos=0, retain=False, payload="x")
    (tmp_path / "journal.jsonl").write_bytes(JOURNAL + line + good)
    gap, entry = open_recording(tmp_path).items()
    assert gap.where == "line 2" and entry.payload == b"x"
