"""From a scenario in which a promise is broken to the smallest one that still breaks it, as a person would write it.

Rules
- Smallest means 1-minimal: with any one event, device, site, test or key taken away (the rows of ``REMOVALS``) the
  same violation is gone, and no value can be made simpler (the rows of ``SIMPLIFICATIONS``).
- A candidate counts when it shows a violation of the same signature; what else goes wrong in it does not matter.
- What is taken away is found by delta debugging: in halves first, then one by one. What is made simpler is tried
  from the simplest on. Both are repeated until nothing more can be done or the number of runs is used up.
- Pure but for ``fly``, which runs a scenario; every scenario is run once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.errors import DrycellError
from drycell.sim.explore.flight import Flight, Violation
from drycell.sim.explore.naming import named
from drycell.sim.explore.removals import REMOVALS, Data, Item, Removal
from drycell.sim.explore.simplifications import SIMPLIFICATIONS
from drycell.sim.oracles import ORACLES
from drycell.sim.scenario import Scenario, ScenarioError, from_data, identity
from drycell.sim.scenario.files import plain

Fly = Callable[[Scenario], Flight]
"""Runs a scenario; DrycellError when it cannot be run."""
MOST_RUNS = 600


@dataclass(frozen=True, slots=True)
class Reduction:
    """``scenario`` shows ``violation``. ``minimal``: nothing more can be taken away; False when the runs were used up
    before that was known. ``runs``: how many it took."""

    scenario: Scenario
    violation: Violation
    minimal: bool
    runs: int


def reduce(
    scenario: Scenario, violation: Violation, fly: Fly, *, tests: Sequence[str] = (), most_runs: int = MOST_RUNS
) -> Reduction:
    """The smallest scenario that shows a violation of the kind of ``violation``, which ``scenario`` does.

    ``tests``: the test instances of the program, which a scenario that runs all of them does not name.
    """
    search = _Search(scenario, violation, fly, tests, most_runs)
    minimal = True
    try:
        search.run()
    except _OutOfRunsError:
        minimal = False
    return Reduction(search.written(), search.violation, minimal, search.runs)


def survivors(scenario: Scenario, signature: str, fly: Fly, *, tests: Sequence[str] = ()) -> list[str]:
    """What can still be taken away from ``scenario`` without losing its violation; [] proves it 1-minimal."""
    data, known, found = _with_tests(plain(scenario), tests), fly(scenario), []
    for row in REMOVALS:
        for item in row.items(data):
            for candidate in row.without(data, {item}):
                smaller = _built(candidate, scenario.folder)
                flight = None if smaller == scenario else _flown(fly, smaller)
                if flight is None or (row.unused and flight.events != known.events):
                    continue
                if flight.finding(signature) is not None:
                    found.append(f"{row.what} {item}")
    return found


class _OutOfRunsError(Exception):
    """The number of runs is used up."""


class _Search:
    """The smallest scenario so far, and what has been looked at."""

    def __init__(
        self, scenario: Scenario, violation: Violation, fly: Fly, tests: Sequence[str], most_runs: int
    ) -> None:
        self._folder: Path = scenario.folder
        self._given = scenario
        self._fly = fly
        self._tests = tests
        self._most_runs = most_runs
        self._seen: dict[str, Violation | None] = {}
        self.best: Data = plain(scenario)
        self.violation = violation
        self.runs = 0

    def run(self) -> None:
        """Take away and simplify until nothing changes any more."""
        self._tries(_with_tests(_about(self.best, self.violation.oracle), self._tests))
        before: Data | None = None
        while before != self.best:
            before = self.best
            for removal in REMOVALS:
                self._take_away(removal)
            for simplification in SIMPLIFICATIONS:
                while any(self._tries(candidate) for candidate in simplification.candidates(self.best)):
                    pass

    def written(self) -> Scenario:
        """The smallest one under a name that says what it is about."""
        data = self.best
        if set(data.get("program", {}).get("tests", ())) == set(self._tests):
            data = {**data, "program": {key: value for key, value in data["program"].items() if key != "tests"}}
        named_data = {**data, "name": named(data, self.violation.oracle)}
        return _built(named_data, self._folder) or self._given

    def _take_away(self, row: Removal) -> None:
        """Delta debugging: drop chunks of items, then halves of chunks, then each item until none can go."""
        base, left, gone = self.best, list(row.items(self.best)), set[Item]()
        tries = self._tries_unused if row.unused else self._tries
        size = len(left)
        while size and left:
            start, dropped = 0, False
            while start < len(left):
                chunk = left[start : start + size]
                if any(tries(candidate) for candidate in row.without(base, gone | set(chunk))):
                    gone |= set(chunk)
                    del left[start : start + size]
                    dropped = True
                else:
                    start += size
            size = size // 2 if size > 1 else int(dropped)

    def _tries(self, candidate: Data) -> bool:
        """Whether ``candidate`` shows the violation too; then it is the smallest so far."""
        scenario = _built(candidate, self._folder)
        if scenario is None:
            return False
        key = identity(scenario)
        if key not in self._seen:
            flight = self._flown(scenario)
            self._seen[key] = None if flight is None else flight.finding(self.violation.signature)
        violation = self._seen[key]
        if violation is None:
            return False
        self.best, self.violation = plain(scenario), violation
        return True

    def _tries_unused(self, candidate: Data) -> bool:
        """Whether ``candidate`` makes the very same run."""
        mine, other = (self._flown(_built(data, self._folder)) for data in (self.best, candidate))
        return mine is not None and other is not None and mine.events == other.events and self._tries(candidate)

    def _flown(self, scenario: Scenario | None) -> Flight | None:
        if self.runs >= self._most_runs:
            raise _OutOfRunsError
        self.runs += 1
        return _flown(self._fly, scenario)


def _about(data: Data, oracle: str) -> Data:
    """The same scenario, asking for nothing but the promise in question."""
    rest = {key: value for key, value in data.items() if key not in ("expect", "shows")}
    return {**rest, "expect": [oracle]} if oracle in ORACLES else rest


def _with_tests(data: Data, tests: Sequence[str]) -> Data:
    program = data.get("program", {})
    return {**data, "program": {**program, "tests": list(tests)}} if tests and not program.get("tests") else data


def _built(data: Data, folder: Path) -> Scenario | None:
    try:
        return from_data(data, folder=folder)
    except ScenarioError:
        return None


def _flown(fly: Fly, scenario: Scenario | None) -> Flight | None:
    try:
        return None if scenario is None else fly(scenario)
    except DrycellError:
        return None
