"""``drycell findings``: list, show, fly again, promote."""

import json

import pytest

from drycell.sim.cli import main
from drycell.sim.explore.findings import FindingStore
from drycell.sim.explore.flight import fly
from drycell.sim.scenario import from_data
from tests.oracles.support import scenario_data


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A store with one finding, in the present folder."""
    monkeypatch.chdir(tmp_path)
    timeline = [{"when": {"touchdown": 1}, "do": {"options": {"stop_on_fail": True}}}]
    cell = {"quirks": ["sequencer-passes-part-on-stop"]}
    flight = fly(from_data(scenario_data({"cell": cell, "devices": {"defects": 1.0}, "timeline": timeline})))
    violation = next(one for one in flight.findings if one.oracle == "stopped devices are failed devices")
    return FindingStore().add(flight.scenario, violation)


def test_without_findings_it_says_how_to_look_for_some(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["findings"]) == 0
    assert "drycell explore" in capsys.readouterr().err


def test_findings_are_listed_with_how_often_they_showed(stopped, capsys):
    assert main(["findings"]) == 0
    assert "1, not minimal" in capsys.readouterr().out
    assert main(["findings", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["name"], line["seen"], line["confirmed"]) == (stopped.name, 1, 0)


def test_one_is_shown_by_the_beginning_of_its_name(stopped, capsys):
    assert main(["findings", "stopped"]) == 0
    shown = capsys.readouterr().out
    assert "stop_on_fail: true" in shown and "still says passed" in shown


def test_flown_again_the_exit_code_says_whether_it_still_shows(stopped, capsys):
    assert main(["findings", "--again"]) == 1
    assert "shows again (2 of 2)" in capsys.readouterr().out
    small = FindingStore().find(stopped.name).file
    text = small.read_text("utf-8")
    small.write_text(text.replace("sequencer-passes-part-on-stop", "master-hides-message"), "utf-8")
    assert main(["findings", "stopped", "--again", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["shows"], line["confirmed"], line["flown"]) == (False, 2, 3)


def test_promoted_it_is_a_scenario_that_fails(stopped, tmp_path, capsys):
    assert main(["findings", "stopped", "--promote", "mine"]) == 0
    path = capsys.readouterr().out.strip()
    assert main(["run", path, "--out", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--promote", "mine"], "--promote needs the name of a finding"),
        (["nothing"], "there is no finding 'nothing'"),
    ],
)
def test_mistakes_are_one_sentence(stopped, capsys, words, said):
    assert main(["findings", *words]) == 3
    assert said in capsys.readouterr().err
