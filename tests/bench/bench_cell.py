"""What a cell costs: model lots against real time, the real program's touchdown, start and stop, first result.

Run by ``make bench``. Ratios are taken side by side in one run; absolute times depend on the machine. What is said per
core counts processor time, so that it holds on a busy machine too; bench_warm.py has the scenarios with real programs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drycell.sim.cell.run import JOURNAL, judge, run
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scenarios" / "demo"
PAUSES = ("contact_1", "vout_1", "iq_1", "ramp_1")


def scenario(size, sites=2, rung="model", settle_s=None, **cell):
    steps = []
    if settle_s is not None:
        share = {name: settle_s / len(PAUSES) for name in PAUSES}
        steps = [
            {
                "when": {"touchdown": 1},
                "do": {"operator": {"parameter": {"name": f"{name}.settle_s", "value": value}}},
            }
            for name, value in share.items()
        ]
    return from_data(
        {
            "drycell": 1,
            "name": "bench",
            "seed": 7,
            "rung": rung,
            "cell": {
                "sites": sites,
                "layout": {site: [site // 2, site % 2] for site in range(sites)},
                "handler": {"index_time_s": 0.01},
                "peripherals": {"Temperature": {"latency_s": 0.005}},
                **cell,
            },
            "program": {"definitions": str(DEMO)},
            "devices": {"size": size, "defects": "10%"},
            "instruments": {"meter": {"variable": "DRYCELL_METER"}},
            "timeline": steps,
        }
    )


class Runs:
    """Runs scenarios in throw-away folders."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.count = 0

    def __call__(self, scenario):
        self.count += 1
        self.last = self.folder / str(self.count)
        begin, used = time.perf_counter(), time.process_time()
        result = run(scenario, self.last)
        self.cpu_s = time.process_time() - used
        return result, time.perf_counter() - begin

    def judging_s(self, scenario, result):
        """Processor time of judging the last run once more: all oracles, the tally."""
        events = list(journals.read(self.last / JOURNAL))
        used = time.process_time()
        again = judge(scenario, self.last, events, result.journal_sha256, 0, {}, result.stdf_path, deterministic=True)
        assert again.verdict == result.verdict
        return time.process_time() - used

    def close(self):
        shutil.rmtree(self.folder)


def row(what, figure, note=""):
    print(f"{what:<58} {figure:>14}  {note}")


def model_lot(runs, devices):
    result, wall_s = runs(scenario(devices, settle_s=2.5))
    assert result.verdict == "holds" and result.parts == devices
    row(
        f"model lot, 2 sites, {devices} devices, 2.5 s of test each",
        f"{wall_s:.2f} s",
        f"{result.virtual_s:.0f} simulated s",
    )
    row("  times real time", f"{result.virtual_s / wall_s:.0f}", "broker, STDF, journal and verdict included")
    row(
        "  times real time, per core", f"{result.virtual_s / runs.cpu_s:.0f}", f"{runs.cpu_s:.2f} s of processor time"
    )
    share = runs.judging_s(scenario(devices, settle_s=2.5), result) / runs.cpu_s
    row("  of this, judging it", f"{share:.0%}")
    return result.journal_sha256


def repeats(runs, devices, times, first):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import bench_cell as b; r, _ = b.Runs()(b.scenario(int(sys.argv[2]), settle_s=2.5)); print(r.journal_sha256)"
    equal = 0
    for number in range(times):
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(devices)],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            capture_output=True,
            text=True,
            check=True,
        )
        equal += done.stdout.strip() == first
    row("  journal sha256 equal, another PYTHONHASHSEED each", f"{equal} of {times}", first[:16])


def start_stop(runs, times):
    walls = []
    for _ in range(times):
        _, wall_s = runs(stopped_at_once())
        walls.append(wall_s)
    row("start and stop of a modelled cell, median", f"{statistics.median(walls) * 1e3:.2f} ms", f"{times} times")


def stopped_at_once():
    plain = scenario(2)
    return plain.model_copy(update={"limits": plain.limits.model_copy(update={"virtual_s": 0.001})})


def ten_devices(runs, times):
    planned = scenario(10)
    cpus, shares = [], []
    for _ in range(times):
        result, _ = runs(planned)
        cpus.append(runs.cpu_s)
        shares.append(runs.judging_s(planned, result) / runs.cpu_s)
    note = f"median of {times}, best {1 / min(cpus):.0f}"
    row("ten-device scenarios per second and core", f"{1 / statistics.median(cpus):.0f}", note)
    row("  of this, judging it", f"{statistics.median(shares):.0%}")


def real_touchdown(runs, sites, devices):
    result, _ = runs(scenario(devices, sites=sites, rung="process", settle_s=0).model_copy(update={"pace": "real"}))
    assert result.verdict == "holds", result.problems
    sent, walls = 0, []
    waiting = 0
    for event in journals.read(runs.last / "journal.jsonl"):
        if event.kind != "message":
            continue
        topic = event.fields["topic"]
        if topic.endswith("TestApp/cmd") and json.loads(event.fields["payload"])["command"] == "next":
            sent, waiting = event.t_ns, sites
        elif "/testresult/" in topic:
            waiting -= 1
            if not waiting:
                walls.append((event.t_ns - sent) / 1e6)
    ordered = sorted(walls)
    row(
        f"real program, {sites} site(s): next -> last result, median",
        f"{statistics.median(walls):.1f} ms",
        f"p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms, {len(walls)} touchdowns, no pauses in the tests",
    )


def first_result(rung):
    """Wall time from typing the command to the first device's result, as a new process."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        child = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("drycell")),
                "run",
                str(ROOT / "scenarios" / "demo.yaml"),
                "--rung",
                rung,
                "--out",
                f"{folder}/run",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        journal = Path(folder) / "run" / "journal.jsonl"
        while child.poll() is None and not (journal.exists() and b"/testresult/" in journal.read_bytes()):
            time.sleep(0.002)
        wall_s = time.perf_counter() - begin
        child.wait()
    row(
        f"command to first device's result, rung {rung}", f"{wall_s:.2f} s", "a new process, environment already made"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs = Runs()
    try:
        digest = model_lot(runs, options.devices)
        repeats(runs, options.devices, options.repeats, digest)
        ten_devices(runs, 50)
        start_stop(runs, 100)
        first_result("model")
        first_result("process")
        for sites in (1, 2, 4):
            real_touchdown(runs, sites, 60 * sites)
    finally:
        runs.close()


if __name__ == "__main__":
    main()
