"""The run store and the verbs that read it; ``drycell scenario``; ``drycell doctor``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drycell import __version__
from drycell.sim.cli import examination, main
from drycell.sim.errors import DrycellError
from drycell.sim.runs import RunStore
from drycell.sim.scenario import canonical, from_text, load
from drycell.sim.scenario.files import pretty, schema, starter
from tests.cli.support import FakeCell
from tests.scenario.test_model import FULL

Capture = pytest.CaptureFixture[str]


def test_runs_are_listed_and_shown_by_beginning_path_and_latest(here: Path, capsys: Capture) -> None:
    main(["run", "s.yaml"], runner=FakeCell())
    main(["run", "s.yaml", "--set", 'name="Second: lot/é"'], runner=FakeCell())
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["verdict"] == "holds"
    assert second["run"].endswith("-second-lot-1")
    assert main(["runs"]) == 0
    assert second["run"] in capsys.readouterr().out
    for word in ("latest", second["run"], second["run_dir"], second["run"][:-1]):
        assert main(["show", word]) == 0
        assert "Second: lot/é: holds" in capsys.readouterr().out


def test_show_json_is_the_result(here: Path, capsys: Capture) -> None:
    main(["run", "s.yaml", "--json"], runner=FakeCell())
    printed = json.loads(capsys.readouterr().out)
    assert main(["show", "latest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == printed


def test_show_prints_one_event(here: Path, capsys: Capture) -> None:
    main(["run", "s.yaml"], runner=FakeCell())
    capsys.readouterr()
    assert main(["show", "latest", "--event", "2"]) == 0
    assert capsys.readouterr().out.startswith("event 2 at 2.500000000 s: handler, contact\n  lot: L\n")
    assert main(["show", "latest", "--event", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["t_ns"] == 2_500_000_000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "lates"), "there is no run 'lates' in .drycell/runs; did you mean 'latest'?"),
        (("show", "zzz"), "there is no run 'zzz' in .drycell/runs; see drycell runs"),
        (("show", "a\0b"), "there is no run 'a\\x00b' in .drycell/runs; see drycell runs"),
        (("show", "2"), "2 runs begin with '2'; write more of the name of one of them"),
        (("show", "latest", "--event", "999"), "run "),
        (("show", "latest", "--event", "x"), "--event 'x' is no event number; write one such as --event 17"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    here: Path, capsys: Capture, words: tuple[str, ...], sentence: str
) -> None:
    for _ in range(2):
        main(["run", "s.yaml"], runner=FakeCell())
    capsys.readouterr()
    assert main(words) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"drycell: {sentence}")
    assert len(err.splitlines()) == 1


def test_an_empty_store_says_how_to_fill_it(here: Path, capsys: Capture) -> None:
    assert main(["runs"]) == 0
    assert capsys.readouterr().err == "no runs in .drycell/runs; make one with drycell run\n"
    assert main(["show", "latest"]) == 3
    assert "nor any other; make one with drycell run" in capsys.readouterr().err


def test_a_damaged_run_is_listed_as_such_and_refused(here: Path, capsys: Capture) -> None:
    main(["run", "s.yaml"], runner=FakeCell())
    (RunStore().find("latest").path / "verdict.json").write_text("{")
    capsys.readouterr()
    assert main(["runs"]) == 0
    assert "damaged" in capsys.readouterr().out
    assert main(["show", "latest"]) == 3
    assert "verdict.json is damaged: it is no JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ['{"seq":1', '{"seq":1,"t_ns":0,"actor":"handler","kind":"sorted"}', "[]", '{"seq":1,"t_ns":0}']
)
def test_a_damaged_journal_is_one_sentence(here: Path, capsys: Capture, line: str) -> None:
    main(["run", "s.yaml"], runner=FakeCell())
    (RunStore().find("latest").path / "journal.jsonl").write_text('{"drycell_journal":1}\n' + line + "\n")
    capsys.readouterr()
    assert main(["show", "latest"]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "internal" not in err


def test_a_moved_run_can_still_be_shown(here: Path, capsys: Capture) -> None:
    main(["run", "s.yaml"], runner=FakeCell())
    shutil.move(RunStore().find("latest").path, here / "elsewhere")
    capsys.readouterr()
    assert main(["show", "elsewhere"]) == 0
    assert "a small lot: holds" in capsys.readouterr().out


def test_a_store_that_cannot_be_written_is_one_sentence(here: Path) -> None:
    (here / ".drycell").write_text("a file")
    with pytest.raises(DrycellError, match=r"\.drycell/runs cannot be made .* use --out"):
        RunStore().new(load(here / "s.yaml"), here / "s.yaml")


def test_simultaneous_runs_get_names_of_their_own(here: Path) -> None:
    scenario = load(here / "s.yaml")
    names = [RunStore().new(scenario, None).name for _ in range(5)]
    assert len(set(names)) == 5


# drycell scenario -----------------------------------------------------------------------------------------------


def test_the_starter_is_a_scenario(here: Path, capsys: Capture) -> None:
    assert main(["scenario", "new", "my-lot.yaml"]) == 0
    assert main(["scenario", "check", "my-lot.yaml", "s.yaml"]) == 0
    assert capsys.readouterr().out == "my-lot.yaml: good\ns.yaml: good\n"
    assert load(here / "my-lot.yaml").name == "my lot"
    assert main(["scenario", "new", "my-lot.yaml"]) == 3
    assert "my-lot.yaml exists already" in capsys.readouterr().err
    assert starter("'; !!x").count("\nname: ") == 1


def test_check_names_every_mistake_and_exits_3(here: Path, capsys: Capture) -> None:
    (here / "bad.yaml").write_text("drycell: 1\nsead: 3\n")
    assert main(["scenario", "check", "bad.yaml", "s.yaml", "missing.yaml"]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "bad.yaml:1:1: the key 'name' is missing; add it (What this scenario shows, in a few words)",
        "bad.yaml:2:1: unknown key 'sead'; did you mean 'seed'?",
        "s.yaml: good",
        "missing.yaml: there is no such file; check the name",
    ]
    assert err == "drycell: 2 of 3 scenarios cannot be used\n"


def test_fmt_prints_what_loads_to_the_same(here: Path, capsys: Capture) -> None:
    (here / "full.yaml").write_text(FULL)
    scenario = load(here / "full.yaml")
    assert main(["scenario", "fmt", "full.yaml"]) == 0
    assert canonical(from_text(capsys.readouterr().out)) == canonical(scenario)
    assert main(["scenario", "fmt", "full.yaml", "--json"]) == 0
    assert capsys.readouterr().out.rstrip("\n").encode() == canonical(scenario)
    plain = pretty(from_text("drycell: 1\nname: x\ncell: {sites: 1}\n"))
    assert plain == "drycell: 1\nname: x\n"


def test_the_schema_is_json_and_names_every_section(capsys: Capture) -> None:
    assert main(["scenario", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(schema()))
    assert set(printed["properties"]) >= {"cell", "program", "devices", "timeline", "expect", "limits"}


# drycell doctor -------------------------------------------------------------------------------------------------


def test_the_doctor_says_a_state_and_advice_for_everything(capsys: Capture) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"Python", "platform", "venv and pip", "Semi-ATE", "loopback sockets", "process supervision"} <= set(
        findings
    )
    assert {finding["state"] for finding in findings.values()} <= {"ok", "limited", "missing"}
    assert [name for name, finding in findings.items() if finding["state"] != "ok" and not finding["advice"]] == []
    assert main(["doctor"]) == 0
    assert "loopback sockets" in capsys.readouterr().out


def test_the_doctor_changes_nothing() -> None:
    personality = Path("/proc/self/personality")
    before = personality.read_text() if personality.exists() else ""
    examination.examine()
    assert (personality.read_text() if personality.exists() else "") == before


def test_elsewhere_the_doctor_offers_rung_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination.sys, "platform", "darwin")
    states = {finding.name: finding for finding in examination.examine()}
    assert "rung model only" in states["platform"].text
    assert states["process supervision"].state == "missing"


# the process ----------------------------------------------------------------------------------------------------


def test_the_command_is_installed_and_knows_its_version() -> None:
    command = Path(sys.executable).with_name("drycell")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"drycell {__version__}\n"


def test_a_reader_that_leaves_early_is_no_mistake(here: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as gone:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from drycell.sim.cli import main; sys.exit(main(['scenario', 'schema']))",
            ],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.stderr == ""
