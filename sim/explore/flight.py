"""One run as the search sees it: its result, its journal, and what was violated.

A flight happens in this process and leaves nothing behind: thousands of them fit into one process.
"""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.sim.cell.result import OracleResult, RunResult
from drycell.sim.cell.run import run
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.errors import DrycellError
from drycell.sim.explore.excuses import excused
from drycell.sim.explore.signature import signature
from drycell.sim.kernel import Event
from drycell.sim.scenario import Scenario

NO_INTERNAL_ERROR = "no internal error"
"""The promise of the simulator itself: whatever the scenario, it comes to an end and a verdict."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise. ``signature``: what it has in common with others of its kind (:func:`signature`); ``text``
    and ``evidence``: the oracle's sentence and the numbers of the events that prove it. ``excused``: it is the
    scenario's own doing (:mod:`drycell.sim.explore.excuses`)."""

    oracle: str
    signature: str
    text: str
    evidence: tuple[int, ...] = ()
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Flight:
    """A finished run. ``events`` is its whole journal; ``violations`` are in the order of the oracles.

    ``result`` is None for a run that ended by an internal error, which is its only violation.
    """

    scenario: Scenario
    result: RunResult | None
    events: tuple[Event, ...]
    violations: tuple[Violation, ...]

    @property
    def findings(self) -> tuple[Violation, ...]:
        """The violations that are not the scenario's own doing."""
        return tuple(found for found in self.violations if not found.excused)

    def violation(self, signature: str) -> Violation | None:
        """The violation of that kind, None when there is none."""
        return next((found for found in self.violations if found.signature == signature), None)

    def finding(self, signature: str) -> Violation | None:
        """The same among :attr:`findings`."""
        return next((found for found in self.findings if found.signature == signature), None)


def fly(scenario: Scenario, run_dir: Path | None = None, *, warm: WarmPrograms | None = None) -> Flight:
    """Run ``scenario`` and judge it, in ``run_dir`` (new or empty) or in a folder that is gone afterwards.

    ``warm`` starts real programs faster. Raises DrycellError when the run cannot be started; one that ends it later,
    as a hanging program does, and any other error is a violation of :data:`NO_INTERNAL_ERROR`.
    """
    if run_dir is None:
        with TemporaryDirectory(prefix="drycell-") as folder:
            return fly(scenario, Path(folder), warm=warm)
    events: list[Event] = []
    try:
        result = run(scenario, run_dir, observer=events.append, warm=warm)
    except Exception as error:
        if isinstance(error, DrycellError) and not events:
            raise
        return Flight(scenario, None, tuple(events), (_internal(error),))
    return Flight(scenario, result, tuple(events), tuple(_violations(scenario, events, result.oracles)))


def _violations(scenario: Scenario, events: list[Event], answers: Iterable[OracleResult]) -> list[Violation]:
    return [
        Violation(
            answer.name,
            signature(answer.name, answer.text),
            answer.text,
            answer.evidence,
            excused(answer.name, scenario, events),
        )
        for answer in answers
        if answer.verdict == "violated"
    ]


def _internal(error: Exception) -> Violation:
    place = traceback.extract_tb(error.__traceback__)[-1]
    kind = f"{type(error).__name__} in {Path(place.filename).stem}.{place.name}"
    return Violation(NO_INTERNAL_ERROR, f"{NO_INTERNAL_ERROR}: {kind}", f"{kind}: {error}")
