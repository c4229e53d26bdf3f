"""The same run as text and as files for other tools."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest

from drycell.sim.cli import main
from drycell.sim.kernel.journal import Event
from drycell.sim.report.lanes import in_order, lane_of, receivers
from drycell.sim.report.words import LETTERS, describe, one_line
from drycell.sim.runs import Run
from tests.report.made import KILL, first, flown
from tests.report.test_page import hostile_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flown(tmp_path_factory.mktemp("runs") / "violated", timeline=[KILL]).path


def output(capsys: Capture, *words: str | Path, code: int = 0) -> list[str]:
    capsys.readouterr()
    assert main([str(word) for word in words]) == code
    captured = capsys.readouterr()
    return (captured.err if code else captured.out).splitlines()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "fault"), ["FAULT kill site 1, signal SIGKILL"]),
        (("--kind", "fault", "--kind", "exit"), ["FAULT kill site 1, signal SIGKILL", "ended with signal SIGKILL"]),
        (
            ("--from", "2.7s", "--to", "2.7", "--actor", "site 1"),
            ["ended with signal SIGKILL", "connection ends (closed)", "last will: says crash"],
        ),
        (("--from", "2.7", "--actor", "program1"), ["ended with signal SIGKILL"]),
        (
            ("--from", "2.65s", "--site", "1", "--kind", "state", "--kind", "fault"),
            ["FAULT kill site 1, signal SIGKILL", "busy → error: the test program ended with signal 9."],
        ),
        (
            ("--grep", "→ SOFTERROR: .* crashed", "--kind", "state"),
            [
                "awaiting_testing → softerror: the test program of site 1 crashed while the master was awaiting_testing"
            ],
        ),
        (("--from", "1h"), []),
    ],
)
def test_events_are_filtered(capsys: Capture, run_dir: Path, options: tuple[str, ...], expected: list[str]) -> None:
    lines = output(capsys, "show", run_dir, "--events", *options)
    assert [line[50:] for line in lines] == expected


def test_an_event_is_one_line(capsys: Capture, run_dir: Path) -> None:
    assert output(capsys, "show", run_dir, "--events", "--kind", "fault") == [
        f"{first(Run(run_dir), 'fault'):>8}        2.700000  scenario    fault       FAULT kill site 1, signal SIGKILL"
    ]


def test_the_column_log_has_a_letter_per_event(capsys: Capture, run_dir: Path) -> None:
    lines = output(capsys, "show", run_dir, "--columns", "--from", "2.7s")
    assert [line.strip(" |") for line in lines[1:10]] == [
        *("handler", "master", "control 0", "control 1", "site 0", "site 1", "tcc", "meter", "scenario"),
    ]
    drawn = {line[37:]: line[26:35] for line in lines[10:]}
    assert drawn["touchdown 10: part 19 on site 0, part 20 on site 1"] == "C········"
    assert drawn["FAULT kill site 1, signal SIGKILL"] == "········F"
    assert drawn["ended with signal SIGKILL"] == "·····X···"
    assert drawn["last will: says crash"] == "·<···!···"
    assert drawn["awaiting_testing → softerror: the test program of site …"] == "·!·······"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--kind", "x"), "drycell: a filter goes with --events or --columns; add one of them"),
        (("--events", "--grep", "("), "drycell: --grep '(' is no regular expression"),
        (("--events", "--from", "soon"), "drycell: --from: 'soon' is no duration; write 90s"),
        (("--events", "--to", "-1"), "drycell: --to '-1' is no time; write 90s"),
        (("--events", "--to", "nan"), "drycell: --to 'nan' is no time"),
    ],
)
def test_a_wrong_filter_is_one_sentence(
    capsys: Capture, run_dir: Path, options: tuple[str, ...], sentence: str
) -> None:
    (line,) = output(capsys, "show", run_dir, *options, code=3)
    assert line.startswith(sentence)


def test_show_tells_the_story_of_a_run_that_did_not_go_well(capsys: Capture, run_dir: Path) -> None:
    lines = output(capsys, "show", run_dir)
    told = {line.split(":")[0]: line for line in lines if line.startswith(("what", "when", "whose"))}
    fault = first(Run(run_dir), "fault")
    assert told["what failed"].startswith("what failed:  “lot completes” is broken: 18 of 50")
    assert told["when"].startswith("when:         At 2.700 s of simulated time, in touchdown 10")
    assert told["whose fault"].startswith("whose fault:  Nobody in the cell: the scenario itself killed the test")
    assert told["whose fault"].endswith(f" [{fault}]")


def test_the_report_is_written_and_its_path_printed(capsys: Capture, run_dir: Path, tmp_path: Path) -> None:
    assert output(capsys, "report", run_dir) == [str(run_dir / "report.html")]
    assert (run_dir / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert output(capsys, "report", run_dir, "--out", tmp_path / "mail.html") == [str(tmp_path / "mail.html")]
    (line,) = output(capsys, "report", run_dir, "--out", tmp_path / "none" / "x.html", code=3)
    assert line.endswith("cannot be written (No such file or directory); name another file with --out")


def test_perfetto_gets_slices_flows_and_instants(capsys: Capture, run_dir: Path, tmp_path: Path) -> None:
    assert output(capsys, "export", run_dir, "--to", "perfetto", "-o", tmp_path) == [
        str(tmp_path / "trace.perfetto.json")
    ]
    events = json.loads((tmp_path / "trace.perfetto.json").read_text("utf-8"))["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(names.values())[:4] == ["handler", "master", "control 0", "control 1"]
    slices = [e for e in events if e["ph"] == "X" and names[e["tid"]] == "master"]
    assert [e["name"] for e in slices[:3]] == ["connecting", "initialized", "loading"]
    assert all(a["ts"] + a["dur"] == pytest.approx(b["ts"]) for a, b in pairwise(slices))
    starts, ends = ({e["id"] for e in events if e["ph"] == phase} for phase in "sf")
    assert starts == ends != set()
    (fault,) = (e for e in events if e.get("cat") == "fault")
    assert (fault["s"], fault["ts"], fault["args"]) == ("g", 2_700_000.0, {"event": first(Run(run_dir), "fault")})


def test_csv_has_every_event_device_and_value(capsys: Capture, run_dir: Path, tmp_path: Path) -> None:
    paths = [Path(line) for line in output(capsys, "export", run_dir, "--to", "csv,csv", "-o", tmp_path / "new")]
    events, devices, values = (list(csv.DictReader(path.open(encoding="utf-8"))) for path in paths)
    assert [int(row["seq"]) for row in events] == list(range(1, len(events) + 1))
    assert [row["text"] for row in events if row["kind"] == "fault"] == ["FAULT kill site 1, signal SIGKILL"]
    assert [row["hard_bin"] for row in devices[-3:]] == ["1", "", ""]
    assert len(values) == 18 * 6
    assert float(values[2]["value"]) == pytest.approx(3.3, abs=0.1)


def test_csv_text_is_no_formula(tmp_path: Path) -> None:
    from drycell.sim.report.tables import _safe

    assert [_safe(cell) for cell in ("=1+1", "@x", "-3", 3.5, "part")] == ["'=1+1", "'@x", "'-3", 3.5, "part"]


def test_an_unknown_format_is_suggested(capsys: Capture, run_dir: Path) -> None:
    (line,) = output(capsys, "export", run_dir, "--to", "perfeto", code=3)
    assert line == "drycell: --to 'perfeto' is no format; did you mean 'perfetto'?"
    (line,) = output(capsys, "export", run_dir, "--to", ",", code=3)
    assert line == "drycell: --to names no format; known are perfetto, csv, parquet, recording, pcapng, stdf, atdf"


def test_hostile_text_stays_on_its_line(capsys: Capture, tmp_path: Path) -> None:
    run = hostile_run(tmp_path / "run").run
    lines = output(capsys, "show", run.path, "--events")
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert "\u202e" not in "".join(lines)


def test_every_kind_that_the_journal_knows_is_told_in_words() -> None:
    samples = {
        "launch": {"script": "a.py"},
        "exit": {"exit_code": -9},
        "connect": {"keepalive_s": 60, "will_topic": "t"},
        "disconnect": {"cause": "closed", "detail": "reset by peer"},
        "subscribe": {"topic_filter": "a/#"},
        "unsubscribe": {"topic_filter": "a/#"},
        "refused": {"command": "next", "state": "softerror"},
        "dropped": {"topic": "a", "cause": "queue full"},
        "operator": {"command": "reset"},
        "ignored": {"what": "request", "state": "ready"},
        "trigger": {"test": 3, "cause": "fail"},
        "timeout": {"state": "loading", "name": "loading_s", "after_s": 180.0},
        "lot": {"lot": "L", "devices": 3, "touchdowns": 2},
        "end": {"reason": "done"},
    }
    told = {kind: describe(Event(1, 0, "a", kind, fields)) for kind, fields in samples.items()}
    assert told["exit"] == "ended with signal SIGKILL"
    assert told["connect"] == "connects, keepalive 60 s, will on t"
    assert told["refused"] == "refuses next while softerror"
    assert told["timeout"] == "TIMEOUT in loading after 180 s: loading_s"
    assert all(kind in LETTERS for kind in told)
    assert describe(Event(1, 0, "a", "state", {"odd": 1})) == "state odd=1"
    assert describe(Event(1, 0, "a", "new", {"b": [1, "é"]})) == 'new b=[1, "é"]'
    assert one_line("a\nb\u2028c" + "x" * 200).startswith("a b cxxx")


def test_lanes_join_what_belongs_together() -> None:
    actors = ("program1", "sequencer1", "testapp.my.cell.1", "control10", "control2", "timeline", "psu", "handler")
    assert [lane_of(actor) for actor in actors] == [
        *("site 1", "site 1", "site 1", "control 10", "control 2", "scenario", "psu", "handler"),
    ]
    assert in_order(map(lane_of, actors)) == ["handler", "control 2", "control 10", "site 1", "psu", "scenario"]


@pytest.mark.parametrize(
    ("topic", "content", "lanes"),
    [
        ("ate/d/TestApp/cmd", {"sites": ["1"]}, ("site 1",)),
        ("ate/d/Control/cmd", {}, ("control 0", "control 1")),
        ("ate/d/TestApp/io-control/site0/request", {}, ("master",)),
        ("ate/d/Temperature/io-control/request", {}, ("tcc",)),
        ("ate/d/Temperature/io-control/response", {}, ("master",)),
        ("ate/d/Master/Temperature/response", {}, ("site 0", "site 1")),
        ("ate/d/Master/response", {}, ("handler",)),
        ("ate/d/Master/cmd", {}, ("master",)),
        ("ate/h/Handler/status", {}, ("master",)),
        ("elsewhere", {}, ()),
    ],
)
def test_receivers_follow_from_the_topic(topic: str, content: dict[str, object], lanes: tuple[str, ...]) -> None:
    assert receivers(topic, content, ("0", "1")) == lanes
