"""Scenarios with real programs, started cold and forked from a warm process: how many per second, and their cost.

Run by ``make bench``; ``python tests/bench/bench_warm.py [SCENARIOS]``, 10 per worker when nothing is said. A scenario
is three processes: master, broker and peers in one, and two Semi-ATE programs. As in ``drycell explore --jobs 2``, two
workers fly one scenario after the other; cold and warm take turns, so that both see the same machine. Processor time
is that of the worker and of everything it has started, from /proc.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drycell.sim.cell.run import run
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.scenario import Scenario, load, with_overrides

DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
WORKERS = 2
TURNS = 2
SIZES = (2, 10)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def scenario(devices: int) -> Scenario:
    return with_overrides(load(DEMO), **{"rung": "process", "cell.sites": 2, "devices.size": devices})


def used_s(pid: int) -> float:
    """Processor time of a process, of its living descendants and of all that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_S + sum(used_s(int(child)) for child in children)


def work(kind: str, devices: int, count: int) -> None:
    """One worker: get warm, say so, wait for a line, fly ``count`` scenarios, say what they have cost."""
    planned = scenario(devices)
    with tempfile.TemporaryDirectory() as folder, WarmPrograms() as programs:
        warm = programs if kind == "warm" else None
        for number in (1, 2):  # the second one starts the server anew, with what the first has imported late
            run(planned, Path(folder) / f"before{number}", warm=warm)
        print("ready", flush=True)
        sys.stdin.readline()
        begun_s = used_s(os.getpid())
        hashes = {run(planned, Path(folder) / str(number), warm=warm).journal_sha256 for number in range(count)}
        assert len(hashes) == 1 and not programs.reasons, programs.reasons
        print(used_s(os.getpid()) - begun_s, *hashes, flush=True)


def turn(kind: str, devices: int, count: int) -> tuple[float, float, str]:
    """(wall time, processor time, journal) of ``count`` scenarios in each of all workers at once."""
    command = [sys.executable, __file__, kind, str(devices), str(count)]
    crew = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    said = [worker.stdout for worker in crew if worker.stdout]
    for stream in said:
        assert stream.readline() == "ready\n"
    begin_s = time.perf_counter()
    for worker in crew:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    answers = [stream.readline().split() for stream in said]
    wall_s = time.perf_counter() - begin_s
    for worker in crew:
        worker.communicate()
    (journal,) = {journal for _, journal in answers}
    return wall_s, sum(float(cpu_s) for cpu_s, _ in answers), journal


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'':<34}{'per second, 2 workers':>22}{'processor time each':>22}")
    for devices in SIZES:
        walls, cpus, journals = {"cold": 0.0, "warm": 0.0}, {"cold": 0.0, "warm": 0.0}, set()
        for _ in range(TURNS):
            for kind in walls:
                wall_s, cpu_s, journal = turn(kind, devices, count)
                walls[kind] += wall_s
                cpus[kind] += cpu_s
                journals.add(journal)
        flown = TURNS * WORKERS * count
        for kind in walls:
            title = f"{devices} devices, 2 programs, {kind}"
            print(f"{title:<34}{flown / walls[kind]:>22.2f}{cpus[kind] / flown * 1e3:>19.0f} ms")
        ratios = f"{walls['cold'] / walls['warm']:>21.1f}x{cpus['cold'] / cpus['warm']:>21.1f}x"
        print(f"{'  warm against cold':<34}{ratios}")
        assert len(journals) == 1
        print("  one journal, byte by byte, in all of them")


if __name__ == "__main__":
    if sys.argv[1:2] in (["cold"], ["warm"]):
        work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
