"""The seam between the command and the simulated cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from drycell.sim.cell.result import RunResult
from drycell.sim.kernel.journal import Event
from drycell.sim.lockstep import DebugWish
from drycell.sim.scenario import Scenario


class Runner(Protocol):
    """Runs a scenario in ``run_dir`` and judges it.

    ``observer`` sees every journal event as it is written; ``say`` gets a line before something slow;
    ``debug`` lets a debugger into one program.
    """

    def __call__(
        self,
        scenario: Scenario,
        run_dir: Path,
        *,
        observer: Callable[[Event], None] | None = None,
        say: Callable[[str], None] = ...,
        debug: DebugWish | None = None,
    ) -> RunResult: ...


def simulated_cell() -> Runner:
    """The runner of this drycell, loaded when it is needed because it brings the whole cell with it."""
    from drycell.sim.cell.run import run

    return run
