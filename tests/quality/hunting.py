"""How the quality of the search is measured: mutants that it must find, and clean runs in which it must find nothing.

Rules
- A mutant is found when a drawn scenario shows a finding with it that the same scenario does not show without it.
- Scenarios are drawn as ``drycell explore`` draws them, without guidance, so that a hunt depends on its seed alone.
- What is found is reduced, and proved minimal by taking away every single thing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.cell.program_model import load_program_model
from drycell.sim.explore import clean, scenarios
from drycell.sim.explore.drawing import Drawer
from drycell.sim.explore.flight import Flight, Violation, fly
from drycell.sim.explore.reducer import reduce, survivors
from drycell.sim.scenario import Scenario, load
from drycell.sim.scenario.files import pretty
from tests.quality.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
FEW_EVENTS = 5
"""A finding with more events than this is not readable at a glance."""
MOST_DEVICES = 10


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of one mutant. ``runs``: flights until it was found, or all of them; ``oracle``: "" for not found;
    ``events``: steps of the small scenario; ``reduction_runs``: flights that reducing took; ``scenario``: the text."""

    mutant: str
    runs: int
    oracle: str = ""
    events: int = 0
    minimal: bool = False
    reduction_runs: int = 0
    scenario: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A finding in a run of peers without a mutant. ``number``: the scenario's, under the seed."""

    number: int
    faults: bool
    dialect: str
    signature: str
    text: str


def base(dialect: str = "semi-ate") -> Scenario:
    """The demo's cell on rung model."""
    return load(ROOT / "scenarios" / "demo.yaml", {"rung": "model", "cell.dialect": dialect})


@cache
def drawer(*, faults: bool, dialect: str = "semi-ate") -> Drawer:
    """Draws cells with faults, or clean ones."""
    return Drawer((scenarios if faults else clean)(base(dialect), devices=MOST_DEVICES))


@cache
def tests() -> tuple[str, ...]:
    """The test instances of the demo's program."""
    start = base()
    model = load_program_model(start.path_of(str(start.program.definitions)))
    return tuple(test.instance for test in model.tests)


def with_mutant(name: str) -> Callable[..., Flight]:
    """Flies with the mutant ``name`` installed, afresh for each run."""

    def flown(scenario: Scenario, run_dir: Path | None = None) -> Flight:
        with pytest.MonkeyPatch.context() as patch:
            MUTANTS[name].install(patch)
            return fly(scenario, run_dir)

    return flown


def hunt(name: str, *, seed: int, most_runs: int) -> Hunt:
    """Look for the mutant ``name`` in at most ``most_runs`` scenarios, and reduce what shows it first."""
    flown = with_mutant(name)
    for number in range(1, most_runs + 1):
        scenario = drawer(faults=True).draw(seed, number)
        for violation in _new(scenario, flown(scenario)):
            small = reduce(scenario, violation, flown, tests=tests())
            left = survivors(small.scenario, violation.signature, flown, tests=tests())
            minimal = small.minimal and not left
            events = len(small.scenario.timeline)
            return Hunt(name, number, violation.oracle, events, minimal, small.runs, pretty(small.scenario))
    return Hunt(name, most_runs)


def _new(scenario: Scenario, flight: Flight) -> Iterator[Violation]:
    """The findings of ``flight`` that the peers as they are do not show in the same scenario."""
    if flight.findings:
        known = {violation.signature for violation in fly(scenario).findings}
        yield from (violation for violation in flight.findings if violation.signature not in known)


def alarms(first: int, last: int, *, seed: int) -> list[Alarm]:
    """The findings in the scenarios ``first`` to ``last`` with peers as they are; there should be none.

    Those with odd numbers have faults, the others are lots in which nothing goes wrong. Two in one dialect are followed
    by two in the other.
    """
    found = []
    for number in range(first, last + 1):
        faults, dialect = number % 2 == 1, tuple(DIALECTS)[number // 2 % len(DIALECTS)]
        flight = fly(drawer(faults=faults, dialect=dialect).draw(seed, number))
        found += [Alarm(number, faults, dialect, one.signature, one.text) for one in flight.findings]
    return found
