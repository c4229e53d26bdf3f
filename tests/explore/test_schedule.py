"""The schedule: the same seed gives the same genomes, whoever flies them and in whatever order they land."""

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drycell.sim.explore import scenarios
from drycell.sim.explore.coverage import Coverage, Feature
from drycell.sim.explore.drawing import GENOME_BYTES, Drawer, genome
from drycell.sim.explore.schedule import ROUND, Schedule, changed
from drycell.sim.scenario import canonical, load

BASE = load(Path(__file__).parents[2] / "scenarios" / "demo.yaml", {"rung": "model"})
RUNS = 6 * ROUND


def reached(dna: bytes) -> set[Feature]:
    """A program with a feature for each of the first bytes, so that what is new depends on the genome."""
    return {Feature("message", "master", "ready", str(value)) for value in dna[:3]}


def fly_all(seed: int, in_the_air: int, rng: random.Random) -> list[bytes]:
    """The genomes of all runs, with up to ``in_the_air`` of them landing in any order."""
    schedule, flown, air = Schedule(seed, Coverage()), dict[int, bytes](), list[int]()
    while len(flown) < RUNS or air:
        number = len(flown) + 1
        if number <= RUNS and len(air) < in_the_air and schedule.ready(number):
            flown[number] = schedule.genome(number)
            air.append(number)
        else:
            landed = air.pop(rng.randrange(len(air)))
            schedule.land(landed, flown[landed][:100], reached(flown[landed]))
    return [flown[number] for number in sorted(flown)]


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_the_number_of_workers_and_their_pace_change_nothing(in_the_air: int, pace: int) -> None:
    assert fly_all(3, in_the_air, random.Random(pace)) == fly_all(3, 1, random.Random(0))


def test_another_seed_is_another_search() -> None:
    assert fly_all(3, 1, random.Random(0)) != fly_all(4, 1, random.Random(0))


def test_genomes_that_reached_something_new_are_changed_again() -> None:
    genomes = fly_all(3, 1, random.Random(0))
    beginnings = [dna[:8] for dna in genomes]
    assert len(set(beginnings[: 2 * ROUND])) == 2 * ROUND, "nothing is known yet: all are new"
    assert any(later in beginnings[:ROUND] for later in beginnings[2 * ROUND :])


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 1000))
def test_a_changed_genome_is_a_genome(dna: bytes, other: bytes, number: int) -> None:
    assert len(changed(dna, other, genome(1, number), random.Random(number))) == GENOME_BYTES


def test_runs_that_landed_behind_a_gap_are_counted_at_the_end() -> None:
    schedule = Schedule(1, Coverage())
    schedule.land(2, b"x", reached(b"abc"))
    schedule.finish()
    assert schedule.coverage.runs == 1


def test_equal_genomes_are_equal_scenarios_and_any_bytes_are_a_genome() -> None:
    one, other = Drawer(scenarios(BASE)), Drawer(scenarios(BASE))
    for number in range(1, 11):
        made = one.scenario(genome(5, number))
        assert made is not None
        scenario, used = made
        assert canonical(scenario) == canonical(other.draw(5, number))
        again = other.scenario(used)
        assert again is not None
        assert canonical(again[0]) == canonical(scenario)
        one.scenario(changed(used, used, genome(6, number), random.Random(number)))
