"""Four sites in two ping-pong stages, a thousand touchdowns: the modelled and the real program with a parallel tester.

Run by ``make bench``. Ends with an error when a lot does not complete, a site is released out of its stage, or the two
rungs differ in their bins; the times depend on the machine.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

ROOT = Path(__file__).parents[2]
STAGES = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2], [1, 3], [0, 1, 2, 3]]


def scenario(rung, touchdowns):
    return from_data(
        {
            "drycell": 1,
            "name": "ping-pong",
            "seed": 7,
            "rung": rung,
            "cell": {
                "sites": 4,
                "layout": {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]},
                "tester": {"model": "parallel"},
                "peripherals": {"Temperature": {"latency_s": 0.05}},
            },
            "program": {"definitions": str(ROOT / "scenarios" / "demo")},
            "devices": {"size": 4 * touchdowns, "defects": "16%"},
            "instruments": {"meter": {"variable": "DRYCELL_METER"}},
            "expect": ["lot completes", "one result per device", "bins agree"],
        }
    )


def fly(rung, touchdowns):
    folder = Path(tempfile.mkdtemp())
    try:
        begin = time.perf_counter()
        result = run(scenario(rung, touchdowns), folder)
        wall_s = time.perf_counter() - begin
        released = [e.fields["sites"] for e in journals.read(folder / JOURNAL) if e.kind == "release"]
    finally:
        shutil.rmtree(folder)
    if result.verdict != "holds" or released != STAGES * touchdowns:
        sys.exit(f"rung {rung}: {result.verdict}, {len(released)} releases")
    print(f"{rung:8} {touchdowns:6} touchdowns  {result.virtual_s:9.1f} s simulated  {wall_s:7.1f} s wall"
          f"  {1000 * wall_s / touchdowns:6.1f} ms each")  # fmt: skip
    return result.soft_bins


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--touchdowns", type=int, default=1000)
    count = parser.parse_args().touchdowns
    if fly("model", count) != fly("process", count):
        sys.exit("the two rungs differ in their bins")


if __name__ == "__main__":
    main()
