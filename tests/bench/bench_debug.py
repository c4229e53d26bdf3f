"""How quickly any event of a long run is shown: index once, then jump about. CPU time of this process.

python tests/bench/bench_debug.py [EVENTS]
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from drycell.sim.cell.run import run
from drycell.sim.kernel import Journal
from drycell.sim.kernel import journal as journals
from drycell.sim.replay.stepping import Steps
from drycell.sim.scenario import load

ROOT = Path(__file__).parents[2]
EVENTS = 1_000_000
JUMPS = 200


def long_journal(folder: Path, events: int) -> Path:
    """A lot of twelve devices, told again and again until there are enough events."""
    run(load(ROOT / "scenarios" / "nominal" / "clean_lot.yaml"), folder / "run")
    lot = list(journals.read(folder / "run" / "journal.jsonl"))
    now_ns = [0]
    path = folder / "long.jsonl"
    journal = Journal(lambda: now_ns[0], path)
    begin_ns = 0
    while journal.count < events:
        for event in lot[: events - journal.count]:
            now_ns[0] = begin_ns + event.t_ns
            journal.record(event.kind, event.actor, **event.fields)
        begin_ns = now_ns[0]
    journal.close()
    return path


def main() -> None:
    """Print the figures."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory() as folder:
        path = long_journal(Path(folder), events)
        begin_s = time.process_time()
        with Steps(path) as steps:
            print(
                f"index of {len(steps):,} events ({path.stat().st_size >> 20} MiB): {time.process_time() - begin_s:.1f} s"
            )
            draw, taken_s = random.Random(1), []
            for _ in range(JUMPS):
                number = draw.randrange(1, len(steps) + 1)
                begin_s = time.process_time()
                steps.event(number)
                steps.picture(number)
                taken_s.append(time.process_time() - begin_s)
        print(
            f"any event with its picture: median {sorted(taken_s)[JUMPS // 2] * 1e3:.1f} ms, worst {max(taken_s) * 1e3:.1f} ms"
        )


if __name__ == "__main__":
    main()
