"""The ``cell`` fixture: flies scenarios, keeps the last run of a failed test, asks in the words of the oracles."""

import os
import shlex
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.errors import DrycellError
from drycell.sim.explore.findings import Finding, FindingStore
from drycell.sim.explore.flight import Flight, Violation, fly
from drycell.sim.kernel import Event
from drycell.sim.oracles import ORACLES
from drycell.sim.report import write_report
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, load, with_overrides
from drycell.sim.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Flown:
    """A finished run, with what tests ask about it. Every ``assert_`` says in its error which events prove it."""

    flight: Flight

    @property
    def events(self) -> Sequence[Event]:
        """The journal."""
        return self.flight.events

    @property
    def violations(self) -> Sequence[Violation]:
        """All broken promises."""
        return self.flight.violations

    @property
    def bins(self) -> Mapping[int, int]:
        """Soft bin -> devices."""
        return {} if self.flight.result is None else self.flight.result.soft_bins

    def of_kind(self, kind: str) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if event.kind == kind]

    def verdict(self, oracle: str) -> str:
        """``holds``, ``violated`` or ``unknown``. Raises DrycellError for an oracle that was not judged."""
        answers = {} if self.flight.result is None else {one.name: one for one in self.flight.result.oracles}
        if oracle not in answers:
            hint = "name it under expect" if oracle in ORACLES else did_you_mean(oracle, answers)
            raise DrycellError(f"{oracle!r} was not judged in this run; {hint}")
        return answers[oracle].verdict

    def assert_holds(self, *oracles: str) -> None:
        """Each of these promises was put to the test and kept."""
        __tracebackhide__ = True
        for oracle in oracles:
            verdict = self.verdict(oracle)
            assert verdict == "holds", _sentence(self, oracle, verdict)

    def assert_nothing_violated(self, *, but: Collection[str] = ()) -> None:
        """No promise was broken, save those in ``but``."""
        __tracebackhide__ = True
        wrong = [violation for violation in self.violations if violation.oracle not in but]
        assert not wrong, _listed(wrong)

    def assert_no_findings(self) -> None:
        """No promise was broken that is not the scenario's own doing (docs/explore.md)."""
        __tracebackhide__ = True
        assert not self.flight.findings, _listed(self.flight.findings)


def _sentence(flown: Flown, oracle: str, verdict: str) -> str:
    result = flown.flight.result
    text = "" if result is None else next(one.text for one in result.oracles if one.name == oracle)
    return f"{oracle}: {verdict}: {text}"


def _listed(violations: Collection[Violation]) -> str:
    lines = [
        f"{violation.oracle}: {violation.text} (events {', '.join(map(str, violation.evidence))})"
        for violation in violations
    ]
    return "\n".join(["broken promises:", *lines])


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked of all tests. ``replay`` takes the place of every scenario."""

    rung: str | None = None
    seed: int | None = None
    replay: Scenario | None = None
    store: Path = Path(".drycell")


class CellUnderTest:
    """What the ``cell`` fixture is; one for the whole session, so that ``@given`` accepts it and real programs start
    warm."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._warm = WarmPrograms()
        self._marked: Scenario | None = None
        self._last: tuple[Flight, Path] | None = None

    def begin(self, marked: Scenario | None) -> None:
        """A test begins; ``marked`` is the scenario of its marker."""
        self._marked = marked
        self.forget()

    def close(self) -> None:
        """The session ends."""
        self.forget()
        self._warm.close()

    def forget(self) -> None:
        """Remove what is left of the last run."""
        if self._last is not None:
            shutil.rmtree(self._last[1], ignore_errors=True)
        self._last = None

    def run(self, scenario: Scenario | str | Path | None = None, **overrides: Any) -> Flown:
        """Fly ``scenario``, a value or a file, or the one of the test's marker, with ``overrides`` (dotted keys).

        Raises DrycellError when there is none or when it cannot be flown.
        """
        chosen = self._scenario(scenario, overrides)
        self.forget()
        folder = Path(mkdtemp(prefix="drycell-"))
        try:
            flight = fly(chosen, folder / "run", warm=self._warm)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._last = flight, folder
        return Flown(flight)

    def keep(self, test: str) -> tuple[str, int] | None:
        """Put the last run of ``test`` and what it found into the store; returns footer and seed, None for no run."""
        if self._last is None:
            return None
        flight, folder = self._last
        run = RunStore(self._wishes.store / "runs").new(flight.scenario, None)
        shutil.copytree(folder / "run", run.path, dirs_exist_ok=True)
        if flight.result is None:
            run.fail(flight.violations[0].text)
        else:
            run.finish(flight.result)
        store = FindingStore(self._wishes.store / "findings")
        findings = [store.add(flight.scenario, found, where=test) for found in flight.findings]
        return "\n".join(_footer(test, flight, run, findings)), flight.scenario.seed

    def _scenario(self, given: Scenario | str | Path | None, overrides: Mapping[str, Any]) -> Scenario:
        wishes = self._wishes
        if wishes.replay is not None:
            return wishes.replay
        chosen = self._marked if given is None else load(Path(given)) if isinstance(given, str | Path) else given
        if chosen is None:
            raise DrycellError(
                "cell.run() needs a scenario; name one, or mark the test with @pytest.mark.drycell(FILE)"
            )
        asked = {"rung": wishes.rung, "seed": wishes.seed}
        changes = {**overrides, **{key: value for key, value in asked.items() if value is not None}}
        return with_overrides(chosen, **changes) if changes else chosen


def scenario_of(path: Path) -> Scenario:
    """The scenario in a file, a run directory or the folder of a finding. Raises DrycellError."""
    folder = path if path.is_dir() else path.parent
    if (folder / "journal.jsonl").is_file() and (path.is_dir() or path.name == "scenario.json"):
        return Run(folder).scenario()
    if path.is_dir():
        inside = next((path / name for name in ("scenario.yaml", "found.yaml") if (path / name).is_file()), None)
        if inside is None:
            raise DrycellError(f"{path} is neither a run directory nor a finding; name one, or a scenario file")
        return load(inside)
    return load(path)


def _footer(test: str, flight: Flight, run: Run, findings: Iterable[Finding]) -> Iterator[str]:
    """What a person needs to go on, with paths as short as they can be."""
    for violation in flight.violations:
        yield f"{violation.oracle}: {violation.text}"
    where = os.path.relpath(run.path)
    yield f"again:  {shlex.join(['pytest', test, '--drycell-replay', where])}"
    yield f"events: {shlex.join(['drycell', 'show', where])}"
    if flight.result is not None:
        yield f"report: {os.path.relpath(write_report(run, None))}"
    for finding in findings:
        yield f"reduce: {shlex.join(['drycell', 'findings', finding.name, '--again'])}"
