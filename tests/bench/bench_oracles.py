"""What judging a run costs: a model run of two sites x N devices, its journal, and every oracle on it.

``python tests/bench/bench_oracles.py [N]``; N is 1000 when nothing is said. The first oracle that needs a shared fact
pays for it, so the shared facts are made first and shown on their own.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from drycell.sim import oracles
from drycell.sim.cell import run as runs
from drycell.sim.kernel import journal as journals
from drycell.sim.oracles import ORACLES, Facts
from drycell.sim.scenario import Scenario, load

T = TypeVar("T")
DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
SHARED: tuple[tuple[str, Callable[[Facts], object]], ...] = (
    ("messages", lambda facts: facts.messages),
    ("results", lambda facts: facts.results),
    ("touchdowns", lambda facts: facts.story),
    ("STDF file", lambda facts: facts.stdf),
)


def timed(action: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    value = action()
    return time.perf_counter() - start, value


def a_lot(devices: int) -> Scenario:
    scenario = load(DEMO)
    changed = scenario.model_copy(
        update={"rung": "model", "devices": scenario.devices.model_copy(update={"size": devices})}
    )
    return changed.at_home(DEMO.parent)


def main() -> None:
    per_site = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    scenario = a_lot(2 * per_site)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        whole_s, result = timed(lambda: runs.run(scenario, run_dir))
        run_s = result.wall_s
        read_s, events = timed(lambda: list(journals.read(run_dir / runs.JOURNAL)))
        facts = Facts(events, scenario.cell.device_id, scenario.cell.handler.id, 2 * per_site, {}, result.stdf_path)
        lines = [("the run itself", run_s), ("reading its journal", read_s)]
        gc.disable()  # as judge() does
        shared_s = 0.0
        for name, make in SHARED:
            seconds, _ = timed(lambda make=make: make(facts))  # type: ignore[misc]
            shared_s += seconds
            lines.append((f"shared: {name}", seconds))
        own = {}
        for name, oracle in ORACLES.items():
            own[name], _ = timed(lambda oracle=oracle: oracle.judge(facts, required=True))  # type: ignore[misc]
        lines += [(f"oracle: {name}", seconds) for name, seconds in sorted(own.items(), key=lambda item: -item[1])]
        lines.append(("all oracles with what they share", shared_s + sum(own.values())))
        gc.enable()
        fresh_s, _ = timed(lambda: oracles.judge(replace(facts), list(ORACLES)))
        lines.append(("judge(), all oracles on fresh facts", fresh_s))
        print(f"2 x {per_site} devices, {len(events)} events, verdict {result.verdict}; whole run() {whole_s:.2f} s")
        for name, seconds in lines:
            print(f"{name:<60} {seconds:8.3f} s {seconds / run_s:8.1%} of the run")


if __name__ == "__main__":
    main()
