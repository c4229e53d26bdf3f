"""``drycell pack``: a run as one file."""

import argparse
from pathlib import Path

from drycell.sim.cli.output import print_text
from drycell.sim.replay.replay_file import pack
from drycell.sim.runs import RunStore


def pack_run(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell pack``."""
    run = RunStore().find(arguments.run)
    path = arguments.out or Path(f"{run.path.resolve().name}.zip")
    pack(run, path)
    print_text(str(path))
    return 0
