"""Findings as files: one folder for each kind of violation, with all that is needed to see it again.

Rules
- A kind is a signature; a further violation of a known kind is counted, not stored.
- A finding is on disk before it is confirmed and reduced, so that whoever stops the search loses nothing.
- Confirmed is what showed when the same scenario was flown again; ``confirmed`` says how often, on which rung.
- A folder holds ``finding.json``, ``found.yaml`` (as it was found), ``scenario.yaml`` (as small as it gets),
  ``explanation.txt``, and ``run/``: the run directory of the small one, which every verb that takes a run can use.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol

from drycell import __version__
from drycell.sim import oracles
from drycell.sim.cell.program_model import load_program_model
from drycell.sim.errors import DrycellError
from drycell.sim.explore.explanation import explain
from drycell.sim.explore.flight import Flight, Violation
from drycell.sim.explore.reducer import MOST_RUNS, reduce, survivors
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, load, with_overrides
from drycell.sim.scenario.files import pretty
from drycell.sim.suggest import did_you_mean

DEFAULT_ROOT = Path(".drycell") / "findings"
FORMAT = 1
_RECORD = "finding.json"
_PATHS = ("definitions", "path", "python")


class Fly(Protocol):
    """Runs a scenario, in ``run_dir`` (new or empty) or in a folder that is gone afterwards."""

    def __call__(self, scenario: Scenario, run_dir: Path | None = None) -> Flight: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``finding.json`` says. ``text``: the oracle's sentence in the small scenario; ``confirmed`` of ``flown``
    flights showed it again; ``minimal``: proved by taking away every single thing; ``events``: steps that are left;
    ``runs``: how many it took to reduce; ``seen``: how often the search came across it; ``where``: what drew it."""

    oracle: str
    signature: str
    text: str
    rung: str
    where: str = ""
    seen: int = 1
    flown: int = 0
    confirmed: int = 0
    reduced: bool = False
    minimal: bool = False
    events: int = 0
    runs: int = 0
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Finding:
    """One folder of the store."""

    path: Path
    facts: Facts

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def file(self) -> Path:
        """The scenario that shows it best: the small one, else the one that was found."""
        small = self.path / "scenario.yaml"
        return small if small.is_file() else self.path / "found.yaml"

    def scenario(self) -> Scenario:
        """The scenario in :attr:`file`. Raises DrycellError."""
        return load(self.file)

    def explanation(self) -> str:
        """What happened, in words; "" before it was reduced."""
        path = self.path / "explanation.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


class FindingStore:
    """All findings below one folder."""

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root

    def all(self) -> list[Finding]:
        """Every finding, by name. Raises DrycellError for a damaged one."""
        folders = sorted(self.root.iterdir()) if self.root.is_dir() else []
        return [Finding(path, _read(path)) for path in folders if (path / _RECORD).is_file()]

    def find(self, word: str) -> Finding:
        """The finding called ``word``, or whose name alone begins so. Raises DrycellError with the nearest name."""
        known = self.all()
        fitting = [one for one in known if one.name == word] or [one for one in known if one.name.startswith(word)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise DrycellError(f"{len(fitting)} findings begin with {word!r}; write more of the name of one of them")
        near = did_you_mean(word, [one.name for one in known]) if known else "there is none; see drycell explore"
        raise DrycellError(f"there is no finding {word!r} in {self.root}; {near}")

    def known(self, signature: str) -> Finding | None:
        """The finding of that kind, None when it is new."""
        path = self.root / _slug(signature)
        return Finding(path, _read(path)) if (path / _RECORD).is_file() else None

    def add(self, scenario: Scenario, violation: Violation, *, where: str = "") -> Finding:
        """Keep what ``scenario`` showed, as it is: a new folder, or one more in the count of its kind.

        Several processes may do so at a time. Raises DrycellError when the folder cannot be written.
        """
        known = self.known(violation.signature)
        if known is not None:
            return _written(known.path, replace(known.facts, seen=known.facts.seen + 1))
        path = self.root / _slug(violation.signature)
        facts = Facts(violation.oracle, violation.signature, violation.text, scenario.rung, where)
        try:
            path.mkdir(parents=True, exist_ok=True)
            _write(path / "found.yaml", pretty(moved(scenario, path)))
            return _written(path, replace(facts, events=len(scenario.timeline)))
        except OSError as error:
            raise DrycellError(f"{path} cannot be written ({error.strerror}); free space there") from None


def again(finding: Finding, fly: Fly) -> tuple[Finding, Flight, Violation | None]:
    """Fly a finding once more; its facts say how often it showed."""
    flight = fly(finding.scenario())
    violation = flight.finding(finding.facts.signature)
    facts = finding.facts
    facts = replace(facts, flown=facts.flown + 1, confirmed=facts.confirmed + (violation is not None))
    return _written(finding.path, facts), flight, violation


def investigate(finding: Finding, fly: Fly, *, most_runs: int = MOST_RUNS) -> Finding:
    """Confirm, reduce and prove a finding, and keep the small scenario with its run.

    A violation that does not show again is kept as it was found: ``confirmed`` of its ``flown`` is too few.
    """
    finding, flight, violation = again(finding, fly)
    if violation is None:
        return finding
    facts, tests = finding.facts, _tests(flight)
    reduction = reduce(flight.scenario, violation, fly, tests=tests, most_runs=most_runs)
    minimal = reduction.minimal and not survivors(reduction.scenario, violation.signature, fly, tests=tests)
    last = _keep_run(finding.path, reduction.scenario, fly)
    shown = last.finding(violation.signature)
    facts = replace(
        facts,
        text=reduction.violation.text if shown is None else shown.text,
        flown=facts.flown + 1,
        confirmed=facts.confirmed + (shown is not None),
        reduced=True,
        minimal=minimal,
        events=len(reduction.scenario.timeline),
        runs=reduction.runs,
    )
    told = explain(shown or reduction.violation, last.events)
    _write(finding.path / "explanation.txt", "\n".join([*told, ""]))
    _write(finding.path / "scenario.yaml", pretty(moved(reduction.scenario, finding.path)))
    return _written(finding.path, facts)


def promote(finding: Finding, folder: Path, fly: Fly) -> Path:
    """Write the scenario of ``finding`` into ``folder`` as one that says what it shows; returns the file.

    Raises DrycellError when it does not show it any more, or when there is such a file already.
    """
    target = folder / f"{finding.name}.yaml"
    flight = fly(finding.scenario())
    if flight.finding(finding.facts.signature) is None:
        raise DrycellError(f"{finding.name} does not show its violation any more, so there is nothing to promote")
    if flight.result is None:
        raise DrycellError(f"{finding.name} is an error of drycell itself: no verdict that a scenario could show")
    shows = {
        "verdict": "violated",
        "violates": [answer.name for answer in flight.result.oracles if answer.verdict == "violated"],
        "rungs": [flight.scenario.rung],
    }
    text = pretty(with_overrides(moved(finding.scenario(), folder), shows=shows))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(f"# {_remark(finding.facts.text)}\n{text}")
    except FileExistsError:
        raise DrycellError(f"{target} is there already; remove it or name another folder") from None
    except OSError as error:
        raise DrycellError(f"{target} cannot be written ({error.strerror}); name another folder") from None
    return target


def moved(scenario: Scenario, folder: Path) -> Scenario:
    """The same scenario as a file in ``folder``: relative paths start there."""
    changes = {
        f"program.{name}": os.path.relpath(scenario.path_of(text).absolute(), folder.absolute())
        for name in _PATHS
        if (text := getattr(scenario.program, name)) is not None and not Path(text).is_absolute()
    }
    return with_overrides(scenario, **changes).at_home(folder) if changes else scenario.at_home(folder)


def _tests(flight: Flight) -> Sequence[str]:
    """The program's test instances: as its definitions say, else as its results do."""
    scenario = flight.scenario
    if scenario.program.definitions is not None:
        model = load_program_model(scenario.path_of(scenario.program.definitions))
        return [test.instance for test in model.tests]
    cell = scenario.cell
    journal = oracles.Facts(flight.events, cell.device_id, cell.handler.id, scenario.devices.size)
    outputs = (output.name for result in journal.results for test in result.tests for output in test.outputs)
    return list(dict.fromkeys(name.partition(".")[0] for name in outputs))


def _keep_run(path: Path, scenario: Scenario, fly: Fly) -> Flight:
    """The run directory of the small scenario, in place of one of before."""
    rmtree(path / "run", ignore_errors=True)
    run: Run = RunStore().new(scenario, None, out=path / "run")
    flight = fly(scenario, run.path)
    if flight.result is None:
        run.fail(flight.violations[0].text)
    else:
        run.finish(flight.result)
    return flight


def _remark(text: str) -> str:
    return " ".join(re.sub(r" at \d+(?:\.\d+)? s \(event \d+\)", "", text).split()).rstrip(".;") + "."


def _slug(signature: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", signature.partition(":")[0].lower()).strip("-")
    return f"{words[:60]}-{hashlib.sha256(signature.encode()).hexdigest()[:8]}"


def _written(path: Path, facts: Facts) -> Finding:
    _write(path / _RECORD, json.dumps({"drycell_finding": FORMAT, **asdict(facts)}, indent=2) + "\n")
    return Finding(path, facts)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> Facts:
    try:
        record: dict[str, Any] = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        if record.pop("drycell_finding") != FORMAT:
            raise ValueError("unknown format")
        return Facts(**record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DrycellError(
            f"{path / _RECORD} is no finding of format {FORMAT} ({error}); remove that folder"
        ) from None
