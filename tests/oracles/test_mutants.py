"""A defect in a modelled peer is noticed by its oracle, and the table in the docs lists all that notice it."""

import pytest

from drycell.sim.oracles import ORACLES
from tests.oracles.mutants import MUTANTS
from tests.oracles.support import fly_mutant
from tests.oracles.write_page import PAGE, mutants_table, oracles_table


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    """Each mutant, flown once."""
    folder = tmp_path_factory.mktemp("mutants")
    return {name: fly_mutant(name, folder / str(number)) for number, name in enumerate(MUTANTS)}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_trips_its_oracle(name, tripped):
    oracle, found = MUTANTS[name].trips, tripped[name]
    assert oracle in found.violated, found.texts(oracle)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_violation_names_its_proof_and_its_moment(name, tripped):
    for oracle in tripped[name].violated:
        result = tripped[name].results[oracle]
        assert result.evidence == tuple(sorted(result.evidence)) and all(seq > 0 for seq in result.evidence)
        assert oracle in ("lot completes", "stdf agrees") or " s (event " in result.text


def test_every_oracle_has_a_mutant():
    assert {mutant.trips for mutant in MUTANTS.values()} == set(ORACLES)


def test_the_page_lists_every_oracle_and_all_that_each_mutant_trips(tripped):
    page = PAGE.read_text("utf-8")
    assert oracles_table() in page, "run python -m tests.oracles.write_page"
    table = mutants_table({name: found.violated for name, found in tripped.items()})
    assert table in page, "run python -m tests.oracles.write_page"
