"""``drycell explore``: what it says and writes, and how it refuses."""

import json
from pathlib import Path

import pytest

from drycell.sim.cli.main import main

DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def explore(*words: str) -> int:
    return main(["explore", str(DEMO), "--rung", "model", "--jobs", "0", "--duts", "2", *words])


def test_a_cell_without_faults_has_no_findings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert explore("--runs", "5", "--faults", "", "--coverage", "coverage.json") == 0
    told = capsys.readouterr()
    assert "5 runs under seed 0" in told.out
    assert "nothing was found" in told.out
    assert "rows of the state tables: " in told.out
    groups = json.loads((tmp_path / "coverage.json").read_text())["groups"]
    assert {"role": "master", "state": "ready", "what": "next", "runs": 5} in groups["row"]["reached"]


def test_findings_are_named_and_the_exit_code_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    quirk, oracle = "sequencer-passes-part-on-stop", "stopped devices are failed devices"
    words = ["--set", f"cell.quirks=[{quirk}]", "--set", f"expect=[{oracle}]", "--faults", "", "--seed", "2"]
    assert explore("--runs", "32", *words) == 1
    assert "stopped-devices-are-failed-devices-" in capsys.readouterr().out
    assert explore("--runs", "32", "--json", *words) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["new"] is False
    assert main(["findings", finding["name"]]) == 0
    assert "stop_on_fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "either --runs N or --minutes M"),
        (("--runs", "3", "--minutes", "1"), "either --runs N or --minutes M"),
        (("--runs", "0"), "--runs '0' is no whole number from 1 on"),
        (("--minutes", "soon"), "--minutes 'soon' is no duration"),
        (("--runs", "1", "--faults", "cutt"), "did you mean 'cut'"),
        (("--runs", "1", "--sites", "3"), "the program is made for 1, 2, 4 sites"),
        (("--runs", "1", "--sites", "x"), "neither a number of sites nor a list"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explore(*words) == 3
    assert why in capsys.readouterr().err


def test_something_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--runs", "1"]) == 3
    assert "name a scenario, or a program" in capsys.readouterr().err


def test_a_program_without_a_scenario_is_searched_in_a_cell_of_as_many_sites_as_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["program", "new", "mine"]) == 0
    peripherals = [
        "--set",
        "cell.peripherals={Chamber: {}}",
        "--set",
        "instruments={meter: {variable: DRYCELL_METER}}",
    ]
    words = ["--program", "mine.py", "--sites", "2", "--rung", "model", *peripherals]
    assert main(["explore", *words, "--runs", "2", "--jobs", "0", "--faults", "", "--duts", "2"]) == 0
    assert "2 runs under seed 0" in capsys.readouterr().out
