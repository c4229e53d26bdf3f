"""How many generated runs can be imported from their recording and come out the same, without a hand.

    python -m tests.quality.replay [RUNS]

Two groups: cells, lots, options and operators as they are drawn, of which at most 5 % may part; and the same with
every fault of the palette, where it is measured how many do.
"""

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


def unlike(strategy, runs: int) -> Iterator[tuple[int, str]]:
    """Number and reason of each run that needs a hand."""
    drawer = Drawer(strategy)
    for number in range(runs):
        with TemporaryDirectory() as folder:
            try:
                alignment = same_again(drawer.draw(SEED, number), Path(folder))
            except DrycellError as error:
                yield number, str(error)
                continue
        if not alignment.equal:
            yield number, "; ".join(alignment.partings[0].sentences()[:1])


def main() -> int:
    """Print the shares; 1 when runs without faults need a hand too often."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    base, code = load(BASE), 0
    for name, strategy in (("without faults", clean(base)), ("with faults", scenarios(base))):
        found = list(unlike(strategy, runs))
        for number, why in found:
            print(f"  run {number}: {why}")
        print(f"{name}: {runs - len(found)} of {runs} runs come out the same")
        if name == "without faults" and len(found) > (1 - LEAST) * runs:
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
