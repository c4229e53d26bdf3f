"""What ``replay``, ``debug`` and ``pack`` take: a run directory, the name of a run, a replay file, a bare journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drycell.sim.errors import DrycellError
from drycell.sim.replay.replay_file import Packed, is_replay_file, unpack
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, with_overrides

UNPACKED = Path(".drycell") / "unpacked"


@dataclass(frozen=True, slots=True)
class Source:
    """``run`` is None for a journal without its directory; ``packed`` is set when it came as a replay file."""

    journal: Path
    run: Run | None = None
    packed: Packed | None = None

    def scenario(self, own: Mapping[str, Any]) -> Scenario:
        """The scenario it ran, with what the user says. Raises DrycellError when there is none to be had."""
        if self.packed is not None:
            return self.packed.scenario(own)
        if self.run is None:
            raise DrycellError(f"{self.journal} is a journal alone; its run directory is needed to run it again")
        return with_overrides(self.run.scenario(), **own)


def run_of(file: Path) -> Source | None:
    """The run that ``file`` is; None when it is something else that exists. DrycellError when nothing is there."""
    if (file / "scenario.json").is_file():
        return _of_run(Run(file))
    if is_replay_file(file):
        packed = unpack(file, UNPACKED)
        return Source(packed.run.journal, packed.run, packed)
    return None if file.exists() else _of_run(RunStore().find(str(file)))


def source_of(file: Path) -> Source:
    """The same, where a bare journal will do."""
    return run_of(file) or Source(file)


def _of_run(run: Run) -> Source:
    return Source(run.journal, run)
