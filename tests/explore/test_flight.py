"""A flight: a run with its journal and its broken promises, thousands of times in one process."""

from pathlib import Path

import pytest

from drycell.sim.cell.lot import Lot
from drycell.sim.errors import DrycellError
from drycell.sim.explore import fly
from drycell.sim.explore.signature import signature
from drycell.sim.kernel import journal
from drycell.sim.scenario import Scenario, load

ROOT = Path(__file__).parents[2]


def scenario(name: str) -> Scenario:
    return load(ROOT / "scenarios" / name, {"rung": "model"})


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_flight_holds_the_events_of_its_journal(tmp_path: Path) -> None:
    flight = fly(scenario("nominal/clean_lot.yaml"), tmp_path)
    assert list(flight.events) == list(journal.read(tmp_path / "journal.jsonl"))
    assert flight.violations == ()
    assert flight.result is not None
    assert flight.result.verdict == "holds"


def test_a_violation_says_who_broke_what_and_what_proves_it() -> None:
    flight = fly(scenario("faults/disk_full_for_good.yaml"))
    assert {violation.oracle for violation in flight.violations} == set(flight.scenario.shows.violates)  # type: ignore[union-attr]
    for violation in flight.violations:
        assert violation.evidence
        assert violation.excused, "a full disk stops the lot, which nobody promised to finish"
        assert flight.violation(violation.signature) == violation


def test_an_incomplete_lot_of_an_undisturbed_cell_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lot, "next_touch", lambda lot, sites: {})
    found = {violation.oracle for violation in fly(scenario("nominal/clean_lot.yaml")).findings}
    assert found == {"lot completes", "no device is lost"}


def test_an_error_of_the_simulator_is_a_violation_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(lot: Lot, device: int, hard_bin: int) -> None:
        raise ZeroDivisionError("no bins")

    monkeypatch.setattr(Lot, "sort", broken)
    (violation,) = fly(scenario("nominal/clean_lot.yaml")).findings
    assert violation.signature == "no internal error: ZeroDivisionError in test_flight.broken"


def test_a_run_that_ends_in_the_middle_is_a_violation_one_that_cannot_begin_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hangs(lot: Lot, device: int, hard_bin: int) -> None:
        raise DrycellError("the program computes for 60 s without waiting for anything")

    lot = scenario("nominal/clean_lot.yaml")
    with pytest.raises(DrycellError, match="no test 'vuot_1'"):
        fly(lot.model_copy(update={"program": lot.program.model_copy(update={"tests": ("vuot_1",)})}))
    monkeypatch.setattr(Lot, "sort", hangs)
    (violation,) = fly(lot).findings
    assert violation.signature == "no internal error: DrycellError in test_flight.hangs"
    assert violation.text.endswith("the program computes for 60 s without waiting for anything")


def test_flights_in_a_folder_of_their_own_leave_nothing_behind() -> None:
    lot = scenario("nominal/clean_lot.yaml")
    fly(lot)
    before = descriptors()
    for _ in range(20):
        result = fly(lot).result
        assert result is not None
        assert not result.run_dir.exists()
    assert descriptors() == before


def test_the_kind_of_a_violation_knows_no_times_sites_or_numbers() -> None:
    one = signature("bins agree", "site 1 sorted 12 into bin 3 at 12.345 s (event 67)")
    other = signature("bins agree", "site 0 sorted 4 into bin 11 at 2.000 s (event 9)")
    assert one == other
    assert one != signature("bins agree", "site 1 was not sorted at 12.345 s (event 67)")
    assert signature("x", "parts 1, 2 and 3 are missing") == signature("x", "parts 7 and 8 are missing")
