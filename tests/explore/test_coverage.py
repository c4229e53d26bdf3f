"""Coverage: what a journal has reached, what could be reached, and what nobody has seen yet."""

from pathlib import Path

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.protocol.semi_ate import MASTER
from drycell.runtime.protocol.topics import Topics
from drycell.sim.explore import fly, kinds
from drycell.sim.explore.coverage import Coverage, Feature, features, reachable
from drycell.sim.oracles import ORACLES
from drycell.sim.scenario import load

ROOT = Path(__file__).parents[2] / "scenarios"
DIALECT = DIALECTS["semi-ate"]
POSSIBLE = frozenset(reachable(DIALECT, kinds(), list(ORACLES)))


def reached(name: str) -> set[Feature]:
    flight = fly(load(ROOT / name, {"rung": "model"}))
    cell = flight.scenario.cell
    return features(flight.events, Topics(cell.device_id, cell.handler.id), DIALECT)


def test_a_clean_lot_takes_the_rows_of_a_clean_lot() -> None:
    found = reached("nominal/clean_lot.yaml")
    assert Feature("row", "master", "awaiting_results", "all_results") in found
    assert Feature("message", "master", "awaiting_results", "testresult") in found
    assert Feature("said", "sequencer", "terminated", "") in found
    assert not [feature for feature in found if feature.group == "fault" or feature.what == "fail"]


def test_a_fault_is_reached_in_the_state_in_which_it_struck() -> None:
    found = reached("faults/kill_while_testing.yaml")
    assert {feature.what for feature in found if feature.group == "fault"} >= {"kill"}
    assert Feature("row", "master", "awaiting_results", "fail") in found


def test_all_that_runs_reach_could_be_reached() -> None:
    for name in ("nominal/clean_lot.yaml", "faults/kill_while_testing.yaml", "faults/lost_next.yaml"):
        assert reached(name) <= POSSIBLE


def test_every_row_of_a_table_could_be_reached_in_every_state_it_is_for() -> None:
    rows = {feature for feature in POSSIBLE if feature.group == "row" and feature.role == "master"}
    assert Feature("row", "master", "ready", "next") in rows
    assert Feature("row", "master", "ready", "fail") in rows
    assert Feature("row", "master", "error", "fail") not in rows, "no way leads out of a final state"
    assert {feature.state for feature in rows} == set(MASTER.states) - MASTER.final


def test_what_a_peer_only_knows_for_itself_cannot_be_seen_in_a_journal() -> None:
    possible = reachable(DIALECTS["specification"], [], [])
    assert {one.role for one in possible if one.group == "row"} == {"master", "control", "sequencer", "handler"}


def test_the_report_says_what_was_never_reached() -> None:
    coverage = Coverage(POSSIBLE)
    assert coverage.add(reached("nominal/clean_lot.yaml")) > 0
    assert coverage.add(reached("nominal/clean_lot.yaml")) == 0
    text = "\n".join(coverage.sentences())
    assert "softerror/reset" in text
    assert "rows of the state tables: " in text
    never = coverage.to_json()["groups"]["row"]["never"]
    assert {"role": "master", "state": "softerror", "what": "reset"} in never
    assert coverage.to_json()["runs"] == 2
