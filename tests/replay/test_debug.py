"""Stepping through a run: any event, forward and backward, with what the cell looked like."""

import json
from pathlib import Path

import pytest

from drycell.sim.cell.run import run
from drycell.sim.cli.main import main
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import journal as journals
from drycell.sim.replay import stepping
from drycell.sim.replay.pictures import Picture
from drycell.sim.replay.stepping import Steps
from drycell.sim.scenario import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """The journal of a lot in which a program dies."""
    folder = tmp_path_factory.mktemp("run")
    run(load(ROOT / "scenarios" / "faults" / "kill_while_testing.yaml", {"rung": "model"}), folder)
    return folder / "journal.jsonl"


def test_every_picture_is_the_one_of_the_events_until_then(journal, monkeypatch):
    monkeypatch.setattr(stepping, "EVERY", 7)
    picture = Picture()
    with Steps(journal) as steps:
        events = list(journals.read(journal))
        assert len(steps) == len(events)
        for event in events:
            picture.take(event)
            assert steps.picture(event.seq).to_json() == picture.to_json()
        assert steps.event(3) == events[2]


def test_while_a_touchdown_is_tested_its_results_are_waited_for(journal):
    with Steps(journal) as steps:
        begin = steps.find(0, lambda event: event.kind == "contact")
        testing = steps.find(begin, lambda event: event.fields.get("payload", "").find('"next"') > 0)
        told = steps.find(testing, lambda event: "/TestApp/cmd" in event.fields.get("topic", ""))
        waiting = steps.picture(told).to_json()["waiting"]
        assert waiting["result"] == ["site 0", "site 1"]
        assert steps.picture(told).touching == {"0": "1", "1": "2"}
        assert steps.picture(told).states["master"] == "awaiting_testing"


def test_backward_finds_the_one_before(journal):
    with Steps(journal) as steps:
        contacts = [event.seq for event in journals.read(journal) if event.kind == "contact"]
        assert steps.find(contacts[1], lambda event: event.kind == "contact", backward=True) == contacts[0]


def test_a_time_is_the_last_event_until_then(journal):
    with Steps(journal) as steps:
        event = steps.event(40)
        assert steps.event(steps.at(event.t_ns)).t_ns == event.t_ns
        assert steps.at(0) >= 1


def test_events_outside_are_refused(journal):
    with Steps(journal) as steps, pytest.raises(DrycellError, match="the events are 1 to"):
        steps.event(len(steps) + 1)


def test_a_script_steps_through_a_run(journal, capsys):
    words = [
        word for line in ("find softerror", "state", "back 2", "last", "nonsense", "quit") for word in ("--do", line)
    ]
    assert main(["debug", str(journal.parent / "journal.jsonl"), *words]) == 0
    out, err = capsys.readouterr()
    assert "softerror" in out
    assert "unknown command 'nonsense'" in err


def test_an_event_and_its_picture_as_json(journal, capsys):
    assert main(["debug", str(journal), "--at", "30", "--json", "--do", "quit"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["event"]["seq"] == told["picture"]["seq"] == 30
