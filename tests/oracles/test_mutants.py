"""A defect in a modelled peer is noticed by its oracle, and the table in the docs lists all that notice it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drycell.sim.oracles import ORACLES
from tests.oracles.mutants import MUTANTS
from tests.oracles.support import Judged, fly
from tests.oracles.write_page import PAGE, mutants_table


def judge(name: str, folder: Path) -> Judged:
    mutant = MUTANTS[name]
    with pytest.MonkeyPatch.context() as patch:
        if mutant.install is not None:
            mutant.install(patch)
        return fly(folder, **mutant.changes)


@pytest.fixture(scope="session")
def tripped() -> Iterator[dict[str, set[str]]]:
    """Mutant -> all oracles that it trips, filled by the tests below."""
    yield {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_trips_its_oracle(name: str, tmp_path: Path, tripped: dict[str, set[str]]) -> None:
    found = judge(name, tmp_path / "run")
    tripped[name] = found.violated
    assert MUTANTS[name].trips in found.violated, found.texts(MUTANTS[name].trips)
    for oracle in found.violated:
        assert found.results[oracle].evidence, f"{oracle} names no event as proof"
        assert " at " in found.results[oracle].text or "lot" in found.results[oracle].text


def test_every_oracle_has_a_mutant() -> None:
    assert {mutant.trips for mutant in MUTANTS.values()} == set(ORACLES)


def test_the_page_lists_all_that_each_mutant_trips(tmp_path: Path) -> None:
    found = {name: judge(name, tmp_path / str(number)).violated for number, name in enumerate(MUTANTS)}
    assert mutants_table(found) in PAGE.read_text("utf-8"), "run tests/oracles/write_page.py"
