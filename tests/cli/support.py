"""A small stand-in for the simulated cell, so that the command is tested without it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from drycell.sim.cell.result import OracleResult, RunResult, overall
from drycell.sim.cell.tally import tally
from drycell.sim.kernel.journal import Event, Journal, read
from drycell.sim.scenario import Scenario

SCENARIO = """
drycell: 1
name: a small lot
seed: 7
rung: model
cell: {sites: 2}
program: {definitions: ./definitions}
devices: {lot: 20}
expect: [lot completes]
"""
COMPLETES = OracleResult("lot completes", "holds", (3,), "20 devices were sorted and the lot was unloaded", True)


class FakeCell:
    """Writes a lot's journal: every tenth device fails with bin 11. It ends with ``oracles`` or ``error``."""

    def __init__(self, *oracles: OracleResult, error: BaseException | None = None) -> None:
        self.oracles = oracles or (COMPLETES,)
        self.error = error
        self.seen: Scenario | None = None

    def __call__(
        self, scenario: Scenario, run_dir: Path, *, observer: Callable[[Event], None] | None = None, **_: Any
    ) -> RunResult:
        self.seen = scenario
        now_ns = [0]
        journal = Journal(lambda: now_ns[0], run_dir / "journal.jsonl")
        if observer is not None:
            journal.watch(observer)
        journal.record("state", "master", **{"from": "ready", "to": "testing", "event": "next"})
        for device in range(1, scenario.devices.size + 1):
            now_ns[0] += 2_500_000_000
            site = scenario.cell.sites[device % len(scenario.cell.sites)]
            soft = 11 if device % 10 == 0 else 1
            place = {"site": str(site), "device": device, "part": str(device)}
            journal.record("contact", "handler", lot="L", touchdown=device, sites=[place])
            bins = {"hard_bin": 2 if soft == 11 else 1, "soft_bin": soft, "passed": soft == 1, "attempt": 1}
            journal.record("sorted", "handler", lot="L", **place, **bins)
            if self.error is not None and device == 5:
                journal.close()
                raise self.error
        journal.record("problem", "master", text="Site 1 was slow [twice].")
        journal.close()
        counts = tally(read(run_dir / "journal.jsonl"))
        return RunResult(
            verdict=overall(self.oracles),
            oracles=self.oracles,
            journal_sha256=journal.sha256,
            virtual_s=now_ns[0] / 1e9,
            wall_s=0.25,
            parts=counts.parts,
            soft_bins=counts.soft_bins,
            hard_bins=counts.hard_bins,
            yield_=counts.yield_,
            stdf_path=None,
            run_dir=run_dir,
            deterministic=True,
            rung=scenario.rung,
            pace=str(scenario.effective_pace),
            seed=scenario.seed,
            versions={"drycell": "x"},
            problems=tuple(counts.problems),
            soft_bin_names={1: "Good", 11: "Contact"},
        )
