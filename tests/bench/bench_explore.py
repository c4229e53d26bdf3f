"""The search in its own loop: model scenarios per second and core, and scenarios with real programs.

Run by ``make bench``; ``python tests/bench/bench_explore.py [RUNS]``, 300 model runs when nothing is said. The loop
draws, flies, judges, counts the coverage and schedules, all in one process; a tenth as many runs with real programs
(two or four of them and the cell) are forked warm, as a worker of ``drycell explore`` does it. Rates are per second of
processor time: of this process and of all that it has started.
"""

import os
import sys
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from drycell.sim.explore import clean, scenarios
from drycell.sim.explore.findings import FindingStore
from drycell.sim.explore.pilot import Pilot, Plan
from drycell.sim.explore.search import Search
from drycell.sim.scenario import Scenario, load, with_overrides

DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
TEN = {"devices.size": 10, "cell.sites": 2}


def used_s() -> float:
    """Processor time of this process and of all children that have ended."""
    return sum(os.times()[:4])


def row(title: str, base: Scenario, strategy: st.SearchStrategy[Scenario], runs: int) -> None:
    plan = Plan(base)
    with tempfile.TemporaryDirectory() as folder:
        pilot = Pilot(plan, strategy)
        pilot.fly(with_overrides(base, **{"devices.size": 2}))  # what is slow once is done
        search = Search(plan, FindingStore(Path(folder)), seed=1, pilot=pilot, investigates=False)
        begun_s = used_s()
        search.run(runs=runs)
        if base.rung == "process":
            pilot.close()  # the processes that programs are forked from count when they have ended
        spent_s = used_s() - begun_s
        assert not search.progress.troubles, search.progress.troubles
        print(f"{title:<52}{runs:>6}{search.progress.virtual_s / runs:>12.1f}{runs / spent_s:>14.1f}")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    model, real = (load(DEMO, {"rung": rung}) for rung in ("model", "process"))
    print(f"{'':<52}{'runs':>6}{'virtual s':>12}{'per CPU second':>14}")
    row("model: ten devices, two sites, no draws", model, st.just(with_overrides(model, **TEN)), runs)
    row("model: clean draws", model, clean(model), runs)
    row("model: draws with faults", model, scenarios(model), runs)
    row("real: two programs, ten devices, no draws", real, st.just(with_overrides(real, **TEN)), runs // 10)
    row("real: draws with faults", real, scenarios(real), runs // 10)


if __name__ == "__main__":
    main()
