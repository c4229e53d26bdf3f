"""Four sites in two ping-pong stages, a thousand touchdowns: the modelled and the real program with a parallel tester.

``python -m tests.quality.ping_pong [--touchdowns N]``

The small size is in tests/cell/test_tester.py. Ends with 1 when a lot does not complete, a site is released out of its
stage, or the two rungs differ in their bins; the times depend on the machine.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data
from tests.cell.conftest import BASE, merged
from tests.cell.test_tester import PING_PONG, PROMISES, four


def fly(rung: str, touchdowns: int) -> Mapping[int, int]:
    """The lot's soft bins. Ends the process when anything is not as it must be."""
    lot = {"rung": rung, "cell": four(), "devices": {"size": 4 * touchdowns, "defects": "16%"}, "expect": PROMISES}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        result = run(from_data(merged(BASE, lot)), Path(folder))
        wall_s = time.perf_counter() - begin
        released = [e.fields["sites"] for e in journals.read(Path(folder) / JOURNAL) if e.kind == "release"]
    if result.verdict != "holds" or released != PING_PONG * touchdowns:
        sys.exit(f"rung {rung}: {result.verdict}, {len(released)} releases, {'; '.join(result.problems)}")
    print(f"{rung:8} {touchdowns:6} touchdowns  {result.virtual_s:9.1f} s simulated  {wall_s:7.1f} s wall"
          f"  {1000 * wall_s / touchdowns:6.1f} ms each")  # fmt: skip
    return result.soft_bins


def main() -> None:
    """Both rungs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--touchdowns", type=int, default=1000)
    count = parser.parse_args().touchdowns
    if fly("model", count) != fly("process", count):
        sys.exit("the two rungs differ in their bins")


if __name__ == "__main__":
    main()
