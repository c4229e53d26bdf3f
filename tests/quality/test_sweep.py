"""Faults that are ordered, not drawn: the tables know the whole palette, and the oracles stay quiet in a sample.

``make quality`` flies twenty thousand of them.
"""

import pytest

from drycell.sim.explore import kinds
from tests.quality import sweep
from tests.quality.mutants import MUTANTS

SAMPLE, BATCH = 300, 75


def test_every_fault_of_the_palette_is_ordered():
    ordered = {name for name, _ in (*sweep.STRIKES, *sweep.FAULTS)}
    assert ordered == set(kinds())


def test_a_place_is_the_same_scenario_every_time():
    place = sweep.PLACES - 1
    assert sweep.scenario(place) == sweep.scenario(place)
    assert sweep.chosen(5, seed=3) == sweep.chosen(5, seed=3)
    with pytest.raises(IndexError, match="place"):
        sweep.scenario(sweep.PLACES)


def test_what_makes_no_difference_in_a_dialect_is_left_out():
    none = next(place for place in range(sweep.PLACES - 1, 0, -1) if sweep.scenario(place) is None)
    assert sweep.alarms_at([none]) == []


@pytest.mark.parametrize("first", range(0, SAMPLE, BATCH))
def test_peers_without_a_defect_give_no_alarm_at_any_place(first):
    assert sweep.alarms_at(sweep.chosen(SAMPLE, seed=1)[first : first + BATCH]) == []


def test_a_finding_is_an_alarm_with_its_place(monkeypatch, capsys):
    MUTANTS["busy before loading"].install(monkeypatch)
    (place,) = sweep.chosen(1, seed=1)
    assert sweep.main(["--runs", "1", "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert f"false alarm at place {place}" in said
    assert "1 false alarms in 1 of" in said


def test_a_scenario_can_be_shown(capsys):
    assert sweep.main(["--show", "7"]) == 0
    assert "name: place 7" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--show", str(sweep.PLACES)), ("--runs", "-1")])
def test_a_place_that_there_is_not_is_refused_in_one_sentence(words, capsys):
    with pytest.raises(SystemExit) as error:
        sweep.main(words)
    assert error.value.code == 2
    assert f"there are {sweep.PLACES} places" in capsys.readouterr().err
