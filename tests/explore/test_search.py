"""The search: the same findings for every number of workers, nothing lost when it is stopped or a worker dies."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drycell.sim.explore.drawing import genome
from drycell.sim.explore.findings import FindingStore
from drycell.sim.explore.flight import Flight, Violation
from drycell.sim.explore.pilot import Landed, Pilot, Plan, charged, landed_from, plan_from, reference
from drycell.sim.explore.pool import Pool
from drycell.sim.explore.schedule import ROUND
from drycell.sim.explore.search import Search
from drycell.sim.scenario import load

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scenarios" / "demo.yaml"
QUIRK, BROKEN = "sequencer-passes-part-on-stop", "stopped devices are failed devices"
BASE = load(DEMO, {"rung": "model", "cell.quirks": [QUIRK], "expect": [BROKEN]})
PLAN = Plan(BASE, devices=2, faults=())
RUNS = 2 * ROUND + 6
"""Enough for the first genomes that are changes of earlier ones."""


def search(store: Path, **options: object) -> Search:
    return Search(PLAN, FindingStore(store), seed=2, **options)  # type: ignore[arg-type]


def test_the_number_of_workers_changes_nothing_but_the_time(tmp_path: Path) -> None:
    here = search(tmp_path / "here", investigates=False)
    crew = search(tmp_path / "crew", investigates=False, jobs=2)
    assert here.run(runs=RUNS) == crew.run(runs=RUNS) == "runs"
    assert here.progress.first == crew.progress.first != {}
    assert here.coverage.counts == crew.coverage.counts
    assert here.progress.runs == crew.progress.runs == RUNS


def test_a_finding_is_confirmed_and_reduced_before_the_search_ends(tmp_path: Path) -> None:
    flown = search(tmp_path, jobs=1)
    flown.run(runs=ROUND)
    (finding,) = FindingStore(tmp_path).all()
    assert finding.facts.oracle == BROKEN
    assert finding.facts.reduced
    assert finding.facts.confirmed == finding.facts.flown
    assert len(finding.scenario().timeline) == 1
    again = search(tmp_path)
    again.run(runs=ROUND)
    assert again.progress.new == []
    assert list(again.progress.first) == [finding.facts.signature]


def test_who_stops_a_search_keeps_what_was_found(tmp_path: Path) -> None:
    def stop_at_the_first(running: Search) -> None:
        if running.progress.first:
            running.stop()

    stopped = search(tmp_path, watch=stop_at_the_first)
    assert stopped.run(runs=100 * ROUND) == "stopped"
    assert stopped.progress.runs < 100 * ROUND
    (finding,) = FindingStore(tmp_path).all()
    assert finding.facts.signature in stopped.progress.first
    assert not finding.facts.reduced


def test_a_worker_that_takes_too_long_is_replaced(tmp_path: Path) -> None:
    pool = Pool({"plan": PLAN.to_json(), "store": str(tmp_path)}, jobs=1)
    task = {"number": 1, "dna": genome(1, 1).hex()}
    try:
        pool.take_on(task, 0.0)
        (lost,) = pool.wait(10)
        assert lost.answer is None
        assert "took too long" in lost.trouble
        pool.take_on(task, None)
        (done,) = pool.wait(60)
        assert done.answer is not None
        assert landed_from(done.answer).number == 1
    finally:
        pool.close()


def test_plans_and_landings_travel_without_loss() -> None:
    assert plan_from(PLAN.to_json()).to_json() == PLAN.to_json()
    landed = Pilot(PLAN).land(7, genome(1, 7))
    assert landed_from(landed.to_json()) == landed
    assert landed_from(Landed(1, trouble="no program").to_json()).trouble == "no program"


def test_what_the_modelled_program_breaks_too_is_not_charged_to_the_program_under_test() -> None:
    def flight(*oracles: str) -> Flight:
        return Flight(BASE, None, (), tuple(Violation(oracle, oracle, "") for oracle in oracles))

    judged = charged(flight("bins agree", "stdf agrees"), flight("stdf agrees"))
    assert [violation.oracle for violation in judged.findings] == ["bins agree"]
    real = load(DEMO, {"program.path": "x.py", "program.python": "python"})
    assert (reference(real).rung, reference(real).program.path) == ("model", None)


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_ends_the_command_with_its_findings_kept(
    tmp_path: Path, request_to_stop: signal.Signals
) -> None:
    words = ["--rung", "model", "--set", f"cell.quirks=[{QUIRK}]", "--set", f"expect=[{BROKEN}]", "--faults", ""]
    command = [str(Path(sys.executable).with_name("drycell")), "explore", str(DEMO), *words, "--minutes", "60"]
    process = subprocess.Popen([*command, "--jobs", "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("found in run"):
            process.send_signal(request_to_stop)
            break
    said = process.stderr.read()
    assert process.wait() == 130
    assert "stopping when the runs in the air are back" in said
    assert [finding.facts.oracle for finding in FindingStore(tmp_path / ".drycell" / "findings").all()] == [BROKEN]
