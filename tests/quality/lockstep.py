"""Virtual time at night size: equal journals under load, exact clocks in many results, no byte missed in many exchanges.

``python -m tests.quality.lockstep [--lots N] [--results N] [--exchanges N]``

The small sizes of the same checks are tests/lockstep. Ends with 1 when anything is not as it must be.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lockstep.cell import Cell
from tests.lockstep.test_mqtt import python
from tests.lockstep.test_stress import converse

ROOT = Path(__file__).parents[2]
HOGS = 4
SITES = 2


@contextmanager
def busy(hogs: int) -> Iterator[None]:
    """A machine with ``hogs`` endless computations beside ours."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(hogs)]
    try:
        yield
    finally:
        for hog in started:
            hog.kill()
            hog.wait()


def real_lot(folder: Path, hash_seed: int) -> str:
    """The journal's hash of the demo lot, flown with the real program by the command."""
    command = Path(sys.executable).with_name("drycell")
    subprocess.run(
        [command, "run", "scenarios/demo.yaml", "--rung", "process", "--out", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        check=True,
        capture_output=True,
    )
    return str(json.loads((folder / "verdict.json").read_text())["journal_sha256"])


def lots(count: int) -> bool:
    """``count`` lots, the second half of them on a busy machine, each with another hash seed."""
    with tempfile.TemporaryDirectory() as root:
        hashes = []
        for number in range(count):
            with busy(HOGS if number >= count // 2 else 0):
                hashes.append(real_lot(Path(root) / str(number), number))
    equal = hashes.count(hashes[0])
    print(f"journals of the real program's lot that are equal: {equal} of {count} ({HOGS} hogs in half of them)")
    return equal == count


def clocks(results: int) -> bool:
    """The program's own clock in each of ``results`` results, against the instant at which the broker got it."""
    cell = Cell(python(), SITES, results // SITES).run()
    told = [(at, json.loads(text)["now"]) for at, topic, text in cell.messages if topic.startswith("result/")]
    wrong = sum(now - cell.settings.epoch_ns != at for at, now in told)
    print(f"results whose clock differs from the simulated one: {wrong} of {len(told)}")
    return not wrong and len(told) == results // SITES * SITES


def bytes_in_flight(exchanges: int) -> bool:
    """Random exchanges, watched by the operating system's own counters at every advance of the clock."""
    _, advances, missed, _, _ = converse(1, exchanges)
    print(f"bytes in flight at an advance of the clock: {missed}; {exchanges} exchanges, {advances} advances")
    return not missed and advances > 0


def main() -> int:
    parser = argparse.ArgumentParser(description="virtual time at night size")
    parser.add_argument("--lots", type=int, default=20)
    parser.add_argument("--results", type=int, default=20_000)
    parser.add_argument("--exchanges", type=int, default=100_000)
    wish = parser.parse_args()
    good = [bytes_in_flight(wish.exchanges), clocks(wish.results), lots(wish.lots)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
