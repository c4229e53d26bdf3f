"""Virtual time: wall time per touchdown of the real program, where it goes, and the bare round trip.

Wall time is taken from the first contact to the last sorted device, so that starting interpreters does not count. CPU
is that of the whole run, kernel and programs, less what a lot of two touchdowns needs (start and end).

    python -m tests.bench.bench_lockstep [touchdowns, default 8000]
"""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from drycell.sim.cell import cell
from drycell.sim.cell.run import run
from drycell.sim.kernel import Kernel
from drycell.sim.lockstep import Lockstep, Settings, pinned_environment
from drycell.sim.scenario import load, with_overrides

SCENARIO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
TESTS = ("contact_1", "vout_1", "iq_1", "ramp_1")
TARGET_MS = {1: 3.1, 2: 5.6}  # wall per touchdown, by sites
REAL_TOUCHDOWNS = 40


def cpu_s() -> tuple[float, float]:
    """CPU seconds so far: this process, and children that have ended."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime, theirs.ru_utime + theirs.ru_stime


def lot(touchdowns: int, sites: int, test_time_s: float, pace: str = "virtual") -> dict[str, float]:
    """Figures of one lot of the real program whose pauses add up to ``test_time_s`` per touchdown."""
    settle = [
        {
            "when": {"touchdown": 1},
            "do": {"operator": {"parameter": {"name": f"{t}.settle_s", "value": test_time_s / 4}}},
        }
        for t in TESTS
    ]
    planned = with_overrides(
        load(SCENARIO),
        **{
            "rung": "process", "pace": pace, "cell.sites": sites, "devices.size": touchdowns * sites,
            "devices.defects": "0%", "timeline": settle, "cell.handler.index_time_s": 0.01,
            "cell.peripherals.Temperature.latency_s": 0.005, "cell.timeouts.results_s": 100.0, "limits.virtual_s": 1e7,
        },
    )  # fmt: skip
    marks: list[float] = []

    def watch(event: Any) -> None:
        if event.kind == "sorted" or (event.kind == "contact" and not marks):
            marks.append(time.perf_counter())

    rounds: list[Lockstep] = []

    def counted(*args: Any, **settings: Any) -> Lockstep:
        rounds.append(Lockstep(*args, **settings))
        return rounds[0]

    before = cpu_s()
    with mock.patch.object(cell, "Lockstep", counted), tempfile.TemporaryDirectory() as folder:
        result = run(planned, Path(folder) / "run", observer=watch)
    after = cpu_s()
    assert result.parts == touchdowns * sites, result.problems
    return {
        "wall_s": marks[-1] - marks[0],
        "virtual_s": result.virtual_s,
        "kernel_s": after[0] - before[0],
        "programs_s": after[1] - before[1],
        "rounds": rounds[0].counters.supersteps if rounds else 0,
    }


def touchdown_table(touchdowns: int) -> None:
    print(f"{touchdowns} touchdowns of the real Semi-ATE program, pace virtual")
    print("sites  test time s  wall ms/touchdown  target  rounds/touchdown  times real time  an 8 h lot takes")
    for sites in (1, 2):
        for test_time_s in (0.0, 2.5, 60.0):
            seen = lot(touchdowns, sites, test_time_s)
            speed = seen["virtual_s"] / seen["wall_s"]
            print(
                f"{sites:5} {test_time_s:12.1f} {seen['wall_s'] / touchdowns * 1e3:18.2f} {TARGET_MS[sites]:7.1f}"
                f" {seen['rounds'] / touchdowns:17.1f} {speed:16.0f} {28_800 / speed:15.1f} s"
            )


def cpu_table(touchdowns: int) -> None:
    """Where the time goes: the program alone, at pace real and without shim, is the floor of every other figure."""
    count = min(touchdowns, 1000)
    print("\nwhere the time goes, 1 site, test time 0: CPU ms per touchdown (target: at most 2.5 times pace real)")
    print("pace      kernel  program    sum")
    spent = {}
    for pace, size in (("real", REAL_TOUCHDOWNS), ("virtual", count)):
        few, many = lot(2, 1, 0.0, pace), lot(size, 1, 0.0, pace)
        spent[pace] = [(many[key] - few[key]) / (size - 2) * 1e3 for key in ("kernel_s", "programs_s")]
        kernel, program = spent[pace]
        print(f"{pace:8} {kernel:7.2f} {program:8.2f} {kernel + program:6.2f}")
    print(f"ratio virtual to real: {sum(spent['virtual']) / sum(spent['real']):.2f}")
    print(f"the program alone, without shim, needs {spent['real'][1]:.2f} ms of the target of {TARGET_MS[1]} ms")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        wall = lot(count, 1, 0.0)["wall_s"]
    finally:
        os.sched_setaffinity(0, allowed)
    print(f"all on one processor (taskset -c 0): {wall / count * 1e3:.2f} ms wall per touchdown at 1 site")


SLEEPER = "import time\nfor _ in range({count}): time.sleep(0.001)"


def sleeps(processes: int, count: int) -> tuple[float, int, int]:
    """(wall seconds, rounds, messages RUN) of ``processes`` that sleep 1 ms, ``count`` times each."""
    kernel = Kernel()
    done = asyncio.Event()
    left = [processes]

    def ended(_process: Any) -> None:
        left[0] -= 1
        if not left[0]:
            done.set()

    lockstep = Lockstep(kernel, Settings(fix_addresses=False), on_exit=ended)
    started = [0.0]

    async def main() -> None:
        for number in range(processes):
            environment = pinned_environment(os.environ, lockstep.enrol(f"p{number}", number))
            words = [sys.executable, "-c", SLEEPER.format(count=count)]
            child = subprocess.Popen(words, env=environment)  # noqa: ASYNC220
            lockstep.launched(f"p{number}", child.pid)
            children.append(child)
        kernel.later(1, lambda: started.__setitem__(0, time.perf_counter()))
        await done.wait()

    children: list[subprocess.Popen[bytes]] = []
    try:
        kernel.run(main())
        wall = time.perf_counter() - started[0]
    finally:
        lockstep.close()
        for child in children:
            child.wait()
        kernel.close()
    return wall, lockstep.counters.supersteps, lockstep.counters.runs


def sleep_table() -> None:
    print("\nbare time.sleep(1 ms) (target: at most 60 us per round trip)")
    print("processes  sleeps each  us per sleep  rounds  us per RUN/IDLE pair")
    for processes, count in ((1, 50_000), (2, 10_000), (8, 2_000)):
        wall, rounds, runs = sleeps(processes, count)
        print(
            f"{processes:9} {count:12} {wall / count / processes * 1e6:13.1f} {rounds:7}"
            f" {wall / max(runs, 1) * 1e6:21.1f}"
        )
    print("(one process alone sleeps below its horizon, without a message)")


def main() -> None:
    touchdowns = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    sleep_table()
    print()
    touchdown_table(touchdowns)
    cpu_table(touchdowns)


if __name__ == "__main__":
    main()
