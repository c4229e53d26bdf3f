"""``drycell run``: overrides, exit codes, what is printed where, and what stays behind."""

import errno
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from drycell.sim.cell.result import OracleResult, RunResult
from drycell.sim.cli import main
from drycell.sim.cli.progress import LiveProgress, PlainProgress
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event
from drycell.sim.scenario import Scenario, load
from tests.cli.support import COMPLETES, FakeCell

VIOLATED = OracleResult("result deadline", "violated", (4, 5), "Site 1 was late.")
UNKNOWN = OracleResult("reset brings the cell back", "unknown", (), "There was no reset.", required=True)
Capture = pytest.CaptureFixture[str]


def drycell(*words: str, cell: FakeCell | None = None) -> int:
    return main(words, runner=cell or FakeCell())


def latest(here: Path) -> Path:
    return (here / ".drycell" / "runs" / "latest").resolve()


def test_a_run_prints_bins_yield_verdict_and_where_it_lies(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml") == 0
    out, err = capsys.readouterr()
    assert "a small lot: holds" in out
    assert re.search(r"^ *1 +1 +Good +8 +10 +18 +90\.0%$", out, re.MULTILINE)
    assert re.search(r"^ *11 +2 +Contact +2 +0 +2 +10\.0%$", out, re.MULTILINE)
    assert re.search(r"^ *Yield +80\.0% +100\.0% +20 +90\.0%$", out, re.MULTILINE)
    assert "holds  lot completes  20 devices were sorted" in out
    assert "problem: Site 1 was slow [twice]." in out
    assert str(latest(here).relative_to(here)) in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out + err
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_progress_in_a_pipe_is_a_line_per_tenth_on_stderr(here: Path, capsys: Capture) -> None:
    drycell("run", "s.yaml")
    lines = [line for line in capsys.readouterr().err.splitlines() if "devices" in line]
    assert lines[0] == "2 of 20 devices, yield 100.0%, simulated 0:00:05, master testing"
    assert len(lines) == 10


def test_json_is_the_only_thing_on_stdout(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["soft_bins"] == {"1": 18, "11": 2}
    assert data["yield"] == 0.9
    assert data["seed"] == 7


@pytest.mark.parametrize(
    ("oracles", "code"),
    [((COMPLETES,), 0), ((COMPLETES, VIOLATED), 1), ((UNKNOWN,), 2), ((UNKNOWN, VIOLATED), 1)],
)
def test_the_exit_code_is_the_verdict(here: Path, oracles: tuple[OracleResult, ...], code: int) -> None:
    assert drycell("run", "s.yaml", cell=FakeCell(*oracles)) == code


def test_the_run_directory_holds_everything(here: Path) -> None:
    drycell("run", "s.yaml", "--duts", "5")
    run = latest(here)
    assert re.fullmatch(r"\d{8}T\d{6}Z-a-small-lot-1", run.name)
    names = {path.name for path in run.iterdir()}
    assert names == {
        *("scenario.yaml", "scenario.json", "environment.json", "journal.jsonl", "verdict.json", "wall.json")
    }
    assert (run / "scenario.yaml").read_bytes() == (here / "s.yaml").read_bytes()
    assert load(run / "scenario.json").devices.size == 5
    environment = json.loads((run / "environment.json").read_text())
    assert environment["versions"]["drycell"]
    assert environment["scenario_folder"] == str(here)


def test_options_override_the_scenario(here: Path) -> None:
    cell = FakeCell()
    options = {
        "--program": "./p/prog.py",
        "--python": "/usr/bin/python3",
        "--sites": "0,2",
        "--duts": "5",
        "--seed": "99",
        "--rung": "process",
        "--pace": "real",
        "--dialect": "semi-ate",
    }
    words = [word for pair in options.items() for word in pair]
    settings = ["--set", "devices.defects=8%", "--set", "cell.handler.retest_bins=[2, 3]", "--set", "name=two words"]
    assert drycell("run", "s.yaml", *words, *settings, cell=cell) == 0
    seen = cell.seen
    assert seen is not None
    assert (seen.program.path, seen.program.python) == ("p/prog.py", "/usr/bin/python3")
    assert (seen.cell.sites, seen.devices.size, seen.seed) == ((0, 2), 5, 99)
    assert (seen.rung, str(seen.effective_pace)) == ("process", "real")
    assert (seen.devices.defects, seen.cell.handler.retest_bins, seen.name) == (0.08, (2, 3), "two words")
    assert seen.cell.layout == {0: (0, 0), 2: (0, 1)}


def test_a_program_named_on_the_command_line_is_seen_from_where_the_user_stands(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    cell = FakeCell()
    assert drycell("run", "../s.yaml", "--rung", "process", "--program", "prog.py", cell=cell) == 0
    assert cell.seen is not None and cell.seen.program.path is not None
    assert cell.seen.path_of(cell.seen.program.path).resolve() == here / "elsewhere" / "prog.py"


def test_out_is_the_run_directory_itself_and_is_never_overwritten(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml", "--out", "mine") == 0
    assert (here / "mine" / "verdict.json").is_file()
    assert drycell("run", "s.yaml", "--out", "mine") == 3
    assert "mine is not empty; name a new folder with --out" in capsys.readouterr().err


def test_junit_counts_oracles(here: Path) -> None:
    ambient = OracleResult("crash is noticed", "unknown", (), "no crash")
    drycell("run", "s.yaml", "--junit", "out/junit.xml", cell=FakeCell(COMPLETES, VIOLATED, UNKNOWN, ambient))
    suite = ElementTree.parse(here / "out" / "junit.xml").getroot()
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.get("message") == "Site 1 was late. (events 4, 5)"


def test_an_unwritable_junit_file_is_one_sentence_and_the_run_is_kept(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml", "--junit", "s.yaml/x.xml") == 3
    assert "s.yaml/x.xml cannot be written" in capsys.readouterr().err
    assert (latest(here) / "verdict.json").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rnu",), "unknown verb 'rnu' of drycell; did you mean 'run'?"),
        (("scenario", "chekc"), "unknown verb 'chekc' of drycell scenario; did you mean 'check'?"),
        (("--versoin",), "unknown option '--versoin' of drycell; did you mean '--version'?"),
        (("run",), "missing: SCENARIO; see drycell run --help"),
        (("run", "s.yaml", "--sed", "3"), "unknown option '--sed' of drycell run; did you mean '--seed'?"),
        (("run", "s.yaml", "--sed=3"), "unknown option '--sed' of drycell run; did you mean '--seed'?"),
        (("run", "s.yaml", "--duts"), "argument --duts: expected one argument; see drycell run --help"),
        (("run", "s.yaml", "extra"), "drycell run cannot use 'extra'; see drycell run --help"),
        (("run", "missing.yaml"), "missing.yaml: there is no such file; check the name"),
        (("run", "."), ".: unknown kind of file; name it .yaml or .json"),
        (("run", "s.yaml", "--duts", "0"), "override devices.size: devices.size: 0 is too small; use at least 1"),
        (("run", "s.yaml", "--duts", "many"), "override devices.size: devices.size: 'many' is no whole number"),
        (("run", "s.yaml", "--sites", "0,0"), "override cell.sites: cell.sites: 0 is named twice; name it once"),
        (("run", "s.yaml", "--sites", "["), "--sites:1:2: not YAML: "),
        (("run", "s.yaml", "--rung", "modle"), "override rung: rung: 'modle' is not known; did you mean 'model'?"),
        (("run", "s.yaml", "--set", "seed"), "--set 'seed' is no KEY=VALUE; write for instance --set devices."),
        (("run", "s.yaml", "--set", "seeed=1"), "override seeed: unknown key 'seeed'; did you mean 'seed'?"),
        (("run", "s.yaml", "--rung", "process", "--pace", "x10"), "pace x10 is not for real programs, which follow"),
        (("run", "s.yaml", "--program", "p.py"), "--program needs rung process, since rung model interprets"),
        (("run", "s.yaml", "--set", "program={}"), "rung model interprets definitions, but there are none"),
        (("run", "s.yaml", "--out", "s.yaml"), "s.yaml cannot be made (File exists); name another folder"),
    ],
)
def test_a_usage_mistake_is_one_sentence_and_exit_code_3(
    here: Path, capsys: Capture, words: tuple[str, ...], sentence: str
) -> None:
    assert drycell(*words) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"drycell: {sentence}")
    assert len(err.splitlines()) == 1
    assert not (here / ".drycell").exists()


def test_a_run_that_cannot_go_on_says_why_and_keeps_what_it_learnt(here: Path, capsys: Capture) -> None:
    error = DrycellError("the program of site 0 died before it connected; see sites/0/stderr.txt")
    assert drycell("run", "s.yaml", cell=FakeCell(error=error)) == 3
    assert f"drycell: {error}\nwhat was learnt so far is in .drycell" in capsys.readouterr().err
    assert (latest(here) / "journal.jsonl").stat().st_size > 0
    assert main(["show", "latest"]) == 0
    out = capsys.readouterr().out
    assert "a small lot: failed: the program of site 0 died before it connected" in out
    assert re.search(r"^ *1 +1 +2 +3 +5 +100\.0%$", out, re.MULTILINE)


def test_an_internal_error_is_one_line_and_its_traceback_a_file(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml", cell=FakeCell(error=ValueError("boo"))) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    match = re.fullmatch(r"drycell: internal error \(ValueError\); the full traceback is in (.+)", last)
    assert match is not None
    assert "ValueError: boo" in (here / match[1]).read_text()


def test_a_full_disk_is_one_sentence(here: Path, capsys: Capture) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert drycell("run", "s.yaml", cell=FakeCell(error=full)) == 3
    err = capsys.readouterr().err
    assert "drycell: the run directory cannot be written (No space left on device); free space or use --out" in err
    assert not (latest(here) / "traceback.txt").exists()


def test_interrupted_is_130(here: Path, capsys: Capture) -> None:
    assert drycell("run", "s.yaml", cell=FakeCell(error=KeyboardInterrupt())) == 130
    assert "drycell: interrupted; what was learnt so far is in" in capsys.readouterr().err


def test_terminated_is_interrupted(here: Path) -> None:
    class Killed(FakeCell):
        def __call__(
            self, scenario: Scenario, run_dir: Path, *, observer: Callable[[Event], None] | None = None, **_: Any
        ) -> RunResult:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(scenario, run_dir, observer=observer)

    before = signal.getsignal(signal.SIGTERM)
    assert drycell("run", "s.yaml", cell=Killed()) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_live_panel_shows_what_matters() -> None:
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    with LiveProgress("a lot", (0, 1), 10, console) as live:
        for event in some_events():
            live.take(event)
        console.print(live.panel())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("a lot", "1/10", "yield 100.0%", "1:01:01", "testing", "0: 100%", "1: -"):
        assert text in shown


def test_a_problem_is_said_when_it_happens() -> None:
    said: list[str] = []
    progress = PlainProgress(10, said.append)
    for event in some_events():
        progress.take(event)
    assert said == [
        "1 of 10 devices, yield 100.0%, simulated 1:01:01, master testing",
        "problem at 1:01:01: a jam",
    ]


def some_events() -> list[Event]:
    at_ns = 3661 * 10**9
    place: dict[str, Any] = {"lot": "L", "site": "0", "device": 1, "part": "1"}
    return [
        Event(1, 0, "master", "state", {"from": "ready", "to": "testing", "event": "next"}),
        Event(2, at_ns, "handler", "sorted", {**place, "hard_bin": 1, "soft_bin": 1, "passed": True, "attempt": 1}),
        Event(3, at_ns, "handler", "problem", {"text": "a jam"}),
    ]
