"""Findings are files: confirmed, reduced, explained, counted, flown again and promoted."""

import json

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.explore.findings import FindingStore, again, investigate, promote
from drycell.sim.explore.flight import fly
from drycell.sim.runs import RunStore
from drycell.sim.scenario import from_data, load
from tests.oracles.mutants import MUTANTS
from tests.oracles.support import scenario_data

NOISE = [
    {"when": {"touchdown": 3}, "do": {"options": {"trigger_on_fail": True}}},
    {"at": "3s", "do": {"slow_link": {"site": 1, "for": 2.5, "bytes_per_s": 5000}}},
]


@pytest.fixture
def deaf_master(monkeypatch):
    """A master that does not hear of crashes."""
    MUTANTS["master ignores crashes"].install(monkeypatch)


def crashing(folder):
    """A lot with a kill and much that does not matter, found in ``folder``."""
    timeline = [*NOISE, {"when": {"part": 3}, "do": {"kill": {"site": 0}}}]
    data = scenario_data({"timeline": timeline, "devices": {"size": 9}, "expect": ["lot completes"]})
    return from_data(data, folder=folder)


def found(store, tmp_path):
    flight = fly(crashing(tmp_path))
    violation = next(one for one in flight.violations if one.oracle == "crashes end in soft error")
    return flight, violation, store.add(flight.scenario, violation, where="seed 1, scenario 17")


def test_a_finding_is_confirmed_reduced_proved_and_explained(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    _, _, finding = found(store, tmp_path)
    finding = investigate(finding, fly)
    facts = finding.facts
    assert (facts.flown, facts.confirmed, facts.reduced, facts.minimal, facts.events) == (2, 2, True, True, 1)
    small = finding.scenario()
    assert small.name == "broken after kill: crashes end in soft error"
    assert (small.devices.size, len(small.cell.sites), small.expect) == (1, 1, ("crashes end in soft error",))
    lines = finding.explanation().splitlines()
    assert lines[0].startswith("Promise: Whenever a loaded program ends unasked")
    assert lines[2] == "By:      the master"
    assert lines[3].startswith("After:   kill site 0, signal SIGKILL at ")
    assert any(line.startswith("»") and "last will: says crash" in line for line in lines)


def test_the_run_of_a_finding_is_one_of_the_store_and_shows_it(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    _, _, finding = found(store, tmp_path)
    finding = investigate(finding, fly)
    run = RunStore().find(str(finding.path / "run"))
    broken = {oracle.name for oracle in run.result().oracles if oracle.verdict == "violated"}
    assert "crashes end in soft error" in broken


def test_what_was_found_is_on_disk_before_it_is_reduced(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    _, violation, finding = found(store, tmp_path)

    def interrupted(scenario, run_dir=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        investigate(finding, interrupted)
    (kept,) = FindingStore(tmp_path / "findings").all()
    assert not kept.facts.reduced
    assert kept.facts.where == "seed 1, scenario 17"
    assert fly(kept.scenario()).violation(violation.signature) is not None


def test_the_same_kind_is_counted_and_not_stored_again(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    flight, violation, _ = found(store, tmp_path)
    assert store.add(flight.scenario, violation).facts.seen == 2
    assert len(store.all()) == 1


def test_what_does_not_show_again_is_not_confirmed(tmp_path, monkeypatch):
    store = FindingStore(tmp_path / "findings")
    with monkeypatch.context() as patch:
        MUTANTS["master ignores crashes"].install(patch)
        _, _, finding = found(store, tmp_path)
    finding = investigate(finding, fly)
    assert (finding.facts.flown, finding.facts.confirmed, finding.facts.reduced) == (1, 0, False)


def test_a_finding_that_is_repaired_does_not_show_again(tmp_path, monkeypatch):
    store = FindingStore(tmp_path / "findings")
    with monkeypatch.context() as patch:
        MUTANTS["master ignores crashes"].install(patch)
        found(store, tmp_path)
        shown, _, violation = again(store.all()[0], fly)
        assert (violation is not None, shown.facts.confirmed) == (True, 1)
    repaired, _, violation = again(store.all()[0], fly)
    assert (violation, repaired.facts.flown, repaired.facts.confirmed) == (None, 2, 1)
    with pytest.raises(DrycellError, match="does not show its violation any more"):
        promote(repaired, tmp_path / "scenarios", fly)


def test_promoted_it_is_a_scenario_that_says_what_it_shows(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    _, _, finding = found(store, tmp_path)
    path = promote(finding, tmp_path / "scenarios" / "found", fly)
    assert path.read_text("utf-8").startswith("# the program of site 0 announced crash, and the master went")
    promoted = load(path)
    assert "crashes end in soft error" in promoted.shows.violates
    assert fly(promoted).violation(finding.facts.signature) is not None
    with pytest.raises(DrycellError, match="is there already"):
        promote(finding, tmp_path / "scenarios" / "found", fly)


def test_names_may_be_cut_short_and_a_wrong_one_gets_a_suggestion(deaf_master, tmp_path):
    store = FindingStore(tmp_path / "findings")
    _, _, finding = found(store, tmp_path)
    assert store.find("crashes-end").path == finding.path
    with pytest.raises(DrycellError, match="there is no finding 'crushes'"):
        store.find("crushes")


def test_a_damaged_finding_is_named_with_what_to_do(tmp_path):
    folder = tmp_path / "findings" / "odd"
    folder.mkdir(parents=True)
    (folder / "finding.json").write_text(json.dumps({"drycell_finding": 99}))
    with pytest.raises(DrycellError, match="is no finding of format 1"):
        FindingStore(tmp_path / "findings").all()
