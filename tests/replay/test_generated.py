"""Generated runs are recorded, imported and played again: nothing may need a hand.

Drawn are cells, lots, options and what operators do; with ``faults`` everything that the palette can do to a cell as
well. A run counts when every client says the same in the same order. `make quality` draws 100 of each.
"""

import os
from pathlib import Path

from drycell.sim.explore import clean
from drycell.sim.explore.drawing import Drawer
from drycell.sim.scenario import load
from tests.replay.roundtrip import same_again

BASE = Path(__file__).parents[2] / "scenarios" / "nominal" / "clean_lot.yaml"
SIZE = int(os.environ.get("DRYCELL_GENERATED", "8"))
SEED = 7


def unlike(strategy, folder, size):
    """The numbers of the runs that did not come out the same, and why."""
    drawer, found = Drawer(strategy), {}
    for number in range(size):
        alignment = same_again(drawer.draw(SEED, number), folder / str(number))
        if not alignment.equal:
            found[number] = alignment.partings[0].sentences()[0]
    return found


def test_generated_runs_need_no_hand(tmp_path):
    assert unlike(clean(load(BASE)), tmp_path, SIZE) == {}
