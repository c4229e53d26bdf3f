"""The search finds what it should and nothing else: the quality suite at the size of a coffee break.

``make quality`` does the same with all mutants and a hundred thousand runs.
"""

import json

import pytest

from tests.quality import search
from tests.quality.hunting import FEW_EVENTS, Hunt, alarms, hunt
from tests.quality.mutants import MUTANTS

FOUR = ("stopped device counts all tests", "bins by arrival", "devices lost in an error", "summaries of one site")
"""One mutant each of the sequencer, the master, the handler and the STDF writer."""
CLEAN, BATCH = 2000, 250


@pytest.mark.parametrize("name", FOUR)
def test_a_mutant_is_found_and_becomes_small(name):
    found = hunt(name, seed=search.SEED, most_runs=search.RUNS)
    assert found.oracle, f"not found in {found.runs} runs"
    assert found.minimal and found.events <= FEW_EVENTS, found.scenario


@pytest.mark.parametrize("first", range(1, CLEAN, BATCH))
def test_peers_without_a_defect_give_no_alarm(first):
    assert alarms(first, first + BATCH - 1, seed=search.SEED) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_can_be_installed(name):
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name].install(patch)


def test_there_are_forty_mutants_of_every_peer():
    peers = {mutant.peer for mutant in MUTANTS.values()}
    assert len(MUTANTS) >= 40
    assert peers == {"sequencer", "master", "control", "TCC", "handler", "STDF writer"}


def test_figures_are_good_only_with_nearly_all_found_small_and_no_alarm():
    lost, large = Hunt("a", 1000), Hunt("a", 3, "bins agree", 6, True, 40, "")
    small = Hunt("a", 3, "bins agree", 5, True, 40, "")

    def good(hunts, alarms=()):
        return search.Figures(1, 1000, 1, 10, hunts, alarms).good

    assert good([small] * 38 + [lost] * 2)
    assert not good([small] * 37 + [lost] * 3)
    assert not good([small] * 37 + [large] * 3)
    assert not good([small], ["an alarm"])


def test_the_command_prints_a_table_and_keeps_the_figures(tmp_path, capsys):
    out = tmp_path / "figures.json"
    name = "options one touchdown late"
    assert search.main([name, "--clean", "4", "--jobs", "1", "--out", str(out)]) == 0
    figures = json.loads(out.read_text("utf-8"))
    assert figures["good"] and figures["clean"] == 4
    assert figures["hunts"][0]["mutant"] == name and figures["hunts"][0]["minimal"]
    assert "1 of 1 mutants found" in capsys.readouterr().out


def test_the_command_ends_with_1_when_a_mutant_is_not_found(tmp_path, capsys):
    words = [FOUR[0], "--runs", "1", "--clean", "0", "--jobs", "1", "--out", str(tmp_path / "figures.json")]
    assert search.main(words) == 1
    assert "not found" in capsys.readouterr().out
