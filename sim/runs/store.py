"""Making, finding and reading run directories.

Layout of one: ``scenario.yaml`` (as given; ``scenario.given.json`` if it was JSON), ``scenario.json`` (canonical),
``environment.json``, ``journal.jsonl``, ``verdict.json`` (a finished run) or ``failure.json`` (one that could not
finish), ``wall.json``, ``sites/`` and what the run itself leaves.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from drycell.sim.cell.result import BLOCKED, RunResult, from_record
from drycell.sim.cell.tally import Tally, tally
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event, read
from drycell.sim.runs.environment import environment
from drycell.sim.scenario import Scenario, canonical, from_text
from drycell.sim.suggest import did_you_mean

DEFAULT_ROOT = Path(".drycell") / "runs"
LATEST = "latest"
State = Literal["done", "failed", "interrupted", "unfinished"]
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Run:
    """One run directory. Its properties read the files, so they cost what reading costs."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, by which ``drycell show`` finds it."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.jsonl"

    @property
    def blocked(self) -> Path:
        """The stacks of programs that slept outside of simulated time; a file only if there were any."""
        return self.path / BLOCKED

    def state(self) -> State:
        """How far the run came. ``unfinished``: it still runs, or its process was killed."""
        if (self.path / "verdict.json").is_file():
            return "done"
        failure = self.failure()
        if failure is None:
            return "unfinished"
        return "interrupted" if failure.get("interrupted") else "failed"

    def scenario(self) -> Scenario:
        """The scenario it ran. Raises DrycellError when the file is damaged."""
        path = self.path / "scenario.json"
        try:
            text = path.read_bytes()
        except OSError as error:
            raise DrycellError(f"{path} cannot be read ({error.strerror})") from None
        return from_text(text, name=str(path), as_json=True, folder=self._home())

    def result(self) -> RunResult | None:
        """Its result; None for a run that has none. Raises DrycellError when the file is damaged."""
        record = _read_json(self.path / "verdict.json")
        return None if record is None else from_record(record, self.path)

    def failure(self) -> dict[str, Any] | None:
        """Why it could not finish: ``{"text": ..., "interrupted": bool}``, or None."""
        record = _read_json(self.path / "failure.json")
        return record if isinstance(record, dict) else None

    def counts(self) -> Tally:
        """What its journal counts; nothing for a run without one."""
        return tally(read(self.journal)) if self.journal.is_file() else Tally()

    def event(self, number: int) -> Event:
        """Event ``number`` of its journal. Raises DrycellError when there is none."""
        last = 0
        for event in read(self.journal) if self.journal.is_file() else ():
            if event.seq == number:
                return event
            last = event.seq
        raise DrycellError(f"run {self.name} has no event {number}; its events are 1 to {last}")

    def finish(self, result: RunResult) -> None:
        """Write the verdict."""
        write_json(self.path / "verdict.json", result.to_record())
        self._write_wall(result.wall_s)

    def fail(self, text: str, *, interrupted: bool = False) -> None:
        """Write why there is no verdict, in one sentence."""
        write_json(self.path / "failure.json", {"text": text, "interrupted": interrupted})
        self._write_wall(None)

    def _write_wall(self, wall_s: float | None) -> None:
        write_json(self.path / "wall.json", {"ended_utc": _now(), "wall_s": wall_s})

    def _home(self) -> Path:
        record = _read_json(self.path / "environment.json")
        folder = record.get("scenario_folder") if isinstance(record, dict) else None
        return Path(folder) if isinstance(folder, str) else self.path


class RunStore:
    """All runs below one folder."""

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root

    def new(self, scenario: Scenario, given: Path | None, *, out: Path | None = None) -> Run:
        """Make the directory of a run and put the scenario and the environment into it.

        ``given``: the file the scenario came from. ``out``: this very directory, which must be new or empty, instead
        of a fresh one in the store. Raises DrycellError when it cannot be made.
        """
        path = self._fresh(scenario.name) if out is None else _claim(out)
        run = Run(path)
        try:
            _copy_given(given, path)
            (path / "scenario.json").write_bytes(canonical(scenario))
            facts = {**environment(), "started_utc": _now(), "scenario_folder": str(scenario.folder.absolute())}
            write_json(path / "environment.json", facts)
            if out is None:
                self._point_latest(path)
        except OSError as error:
            raise DrycellError(f"{path} cannot be written ({error.strerror}); free space or use --out") from None
        return run

    def all(self) -> list[Run]:
        """Every run, oldest first."""
        try:
            if not self.root.is_dir():
                return []
            folders = [path for path in self.root.iterdir() if path.is_dir() and not path.is_symlink()]
        except OSError as error:
            raise DrycellError(f"{self.root} cannot be read ({error.strerror})") from None
        return [Run(path) for path in sorted(folders) if (path / "scenario.json").is_file()]

    def find(self, word: str) -> Run:
        """The run called ``word``: a path, ``latest``, a name, or the beginning of exactly one name.

        Raises DrycellError, with the nearest name, when there is no such run.
        """
        if "\0" not in word:
            if word == LATEST and (self.root / LATEST / "scenario.json").is_file():
                return Run(self.root / (self.root / LATEST).resolve().name)
            for path in (self.root / word, Path(word)):
                if word and (path / "scenario.json").is_file():
                    return Run(path)
        names = [run.name for run in self.all()]
        fitting = [name for name in names if word and name.startswith(word)]
        if len(fitting) == 1:
            return Run(self.root / fitting[0])
        if fitting:
            raise DrycellError(f"{len(fitting)} runs begin with {word!r}; write more of the name of one of them")
        if not names:
            raise DrycellError(f"there is no run {word!r} in {self.root}, nor any other; make one with drycell run")
        near = did_you_mean(word, [*names, LATEST]) if len(names) < 50 else "see drycell runs"
        if near.startswith("known are"):
            near = "see drycell runs"
        raise DrycellError(f"there is no run {word!r} in {self.root}; {near}")

    def _fresh(self, name: str) -> Path:
        slug = _SLUG.sub("-", name.lower()).strip("-")[:40].strip("-") or "run"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for number in range(1, 100_000):
                path = self.root / f"{stamp}-{slug}-{number}"
                try:
                    path.mkdir()
                    return path
                except FileExistsError:
                    continue
        except OSError as error:
            raise DrycellError(f"{self.root} cannot be made ({error.strerror}); use --out") from None
        raise DrycellError(f"{self.root} has no free name left for {slug}; use --out")

    def _point_latest(self, path: Path) -> None:
        """Let ``latest`` lead to ``path``; a file system without links goes without."""
        link = self.root / f".{LATEST}-{path.name}"
        try:
            link.symlink_to(path.name)
            link.replace(self.root / LATEST)
        except OSError:
            link.unlink(missing_ok=True)


def write_json(path: Path, data: Mapping[str, Any] | Iterable[Any]) -> None:
    """Write ``data`` for people and programs, all or nothing."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DrycellError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise DrycellError(f"{path} is damaged: it is no JSON") from None


def _claim(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise DrycellError(f"{out} is not empty; name a new folder with --out, so that no run overwrites another")
        return out.resolve()
    except OSError as error:
        raise DrycellError(f"{out} cannot be made ({error.strerror}); name another folder with --out") from None


def _copy_given(given: Path | None, into: Path) -> None:
    if given is not None:
        name = "scenario.given.json" if given.suffix.lower() == ".json" else "scenario.yaml"
        (into / name).write_bytes(given.read_bytes())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
