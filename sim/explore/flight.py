"""One run as the search sees it: its result, its journal, and what was violated.

A flight happens in this process and leaves nothing behind: thousands of them fit into one process.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.sim.cell.result import OracleResult, RunResult
from drycell.sim.cell.run import run
from drycell.sim.explore.signature import signature
from drycell.sim.kernel import Event
from drycell.sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise. ``signature``: what it has in common with others of its kind (:func:`signature`); ``text``
    and ``evidence``: the oracle's sentence and the numbers of the events that prove it."""

    oracle: str
    signature: str
    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flight:
    """A finished run. ``events`` is its whole journal; ``violations`` are in the order of the oracles."""

    scenario: Scenario
    result: RunResult
    events: tuple[Event, ...]
    violations: tuple[Violation, ...]

    def violation(self, signature: str) -> Violation | None:
        """The violation of that kind, None when there is none."""
        return next((found for found in self.violations if found.signature == signature), None)


def fly(scenario: Scenario, run_dir: Path | None = None) -> Flight:
    """Run ``scenario`` and judge it, in ``run_dir`` (new or empty) or in a folder that is gone afterwards.

    Raises DrycellError when the run cannot be started.
    """
    if run_dir is None:
        with TemporaryDirectory(prefix="drycell-") as folder:
            return fly(scenario, Path(folder))
    events: list[Event] = []
    result = run(scenario, run_dir, observer=events.append)
    return Flight(scenario, result, tuple(events), tuple(violations(result.oracles)))


def violations(answers: tuple[OracleResult, ...]) -> list[Violation]:
    """The broken promises among the answers of the oracles."""
    return [
        Violation(answer.name, signature(answer.name, answer.text), answer.text, answer.evidence)
        for answer in answers
        if answer.verdict == "violated"
    ]
