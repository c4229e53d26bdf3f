"""How many generated runs can be imported from their recording and come out the same, without a hand.

    python -m tests.quality.replay [RUNS [SEED]]

Two groups: cells, lots, options and operators as they are drawn, and the same with every fault of the palette. Of each
at least 95 % must come out the same.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.sim.errors import DrycellError
from drycell.sim.explore import clean, scenarios
from drycell.sim.explore.drawing import Drawer
from drycell.sim.scenario import load
from tests.replay.roundtrip import same_again

BASE = Path(__file__).parents[2] / "scenarios" / "nominal" / "clean_lot.yaml"
RUNS, SEED, LEAST = 100, 7, 0.95


def unlike(strategy, runs: int, seed: int = SEED) -> Iterator[tuple[int, str]]:
    """Number and reason of each run that needs a hand."""
    drawer = Drawer(strategy)
    for number in range(runs):
        with TemporaryDirectory() as folder:
            try:
                alignment = same_again(drawer.draw(seed, number), Path(folder))
            except DrycellError as error:
                yield number, str(error)
                continue
        if not alignment.equal:
            yield number, "; ".join(alignment.partings[0].sentences()[:1])


def main(runs: int, seed: int) -> int:
    """Print the shares; 1 when runs need a hand too often."""
    base, code = load(BASE), 0
    for name, strategy in (("without faults", clean(base)), ("with faults", scenarios(base))):
        found = list(unlike(strategy, runs, seed))
        for number, why in found:
            print(f"  run {number}: {why}")
        print(f"{name}: {runs - len(found)} of {runs} runs come out the same")
        code = 1 if runs - len(found) < LEAST * runs else code
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="?", type=int, default=RUNS)
    parser.add_argument("seed", nargs="?", type=int, default=SEED)
    options = parser.parse_args()
    sys.exit(main(options.runs, options.seed))
