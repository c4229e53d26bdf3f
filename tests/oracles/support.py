"""Modelled cells to be judged: the demo lot, changed as a story needs it."""

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim import oracles
from drycell.sim.cell.result import OracleResult
from drycell.sim.cell.run import run
from drycell.sim.oracles import ORACLES
from drycell.sim.scenario import from_data

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
LAYOUT = {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]}
BASE: dict[str, Any] = {
    "drycell": 1,
    "name": "a story",
    "seed": 7,
    "rung": "model",
    "cell": {"sites": 2, "handler": {"index_time_s": 0.1}, "peripherals": {"Temperature": {"latency_s": 0.05}}},
    "program": {"definitions": str(DEMO)},
    "devices": {"size": 8, "defects": "16%"},
    "instruments": {"meter": {"variable": "DRYCELL_METER"}},
}


class Judged(NamedTuple):
    """Verdicts by oracle, and the results behind them."""

    verdicts: Mapping[str, str]
    results: Mapping[str, OracleResult]

    @property
    def violated(self) -> set[str]:
        return {name for name, verdict in self.verdicts.items() if verdict == "violated"}

    def texts(self, *names: str) -> list[str]:
        return [f"{name}: {self.results[name].text}" for name in names or sorted(self.violated)]


def scenario_data(changes: Mapping[str, Any]) -> dict[str, Any]:
    """BASE with ``changes``; cell, devices and handler are changed key by key, a layout is added for the sites."""
    data = copy.deepcopy(BASE)
    for key, value in changes.items():
        if key in ("cell", "devices"):
            handler = {**data["cell"]["handler"], **value.get("handler", {})}
            data[key] = {**data[key], **value, **({"handler": handler} if key == "cell" else {})}
        else:
            data[key] = value
    dialect = data["cell"].get("dialect", "semi-ate")
    data.setdefault("expect", [name for name, oracle in ORACLES.items() if dialect in oracle.dialects])
    if isinstance(data["cell"]["sites"], int) and "layout" not in data["cell"]:
        data["cell"]["layout"] = {site: LAYOUT[site] for site in range(data["cell"]["sites"])}
    return data


WITHOUT_ALARM_BINS: Mapping[str, Any] = {"definitions": "without alarm bins"}
"""The demo program with a bin table that lacks the bins of tests that an exception ends."""


def _without_alarm_bins(folder: Path) -> Mapping[str, Any]:
    shutil.copytree(DEMO, folder)
    table = json.loads((DEMO / "binning.json").read_text("utf-8"))["bin-table"]
    kept = [row for row in table if int(row["SBIN"]) < 60_000]
    (folder / "binning.json").write_text(json.dumps({"bin-table": kept}), "utf-8")
    return {"definitions": str(folder)}


def fly(run_dir: Path, **changes: Any) -> Judged:
    """Run the changed demo in ``run_dir`` and have every oracle judge it, the opt-in ones too."""
    if changes.get("program") is WITHOUT_ALARM_BINS:
        changes["program"] = _without_alarm_bins(run_dir.with_name(f"{run_dir.name}-program"))
    result = run(from_data(scenario_data(changes)), run_dir)
    return judged(result.oracles)


def fly_mutant(name: str, run_dir: Path) -> Judged:
    """Fly with the mutant ``name`` installed."""
    from tests.oracles.mutants import MUTANTS

    mutant = MUTANTS[name]
    with pytest.MonkeyPatch.context() as patch:
        if mutant.install is not None:
            mutant.install(patch)
        return fly(run_dir, **mutant.changes)


def judged(results: tuple[OracleResult, ...]) -> Judged:
    return Judged({r.name: r.verdict for r in results}, {r.name: r for r in results})


def judge_nothing(dialect: str) -> Judged:
    """All oracles on a journal without events."""
    facts = oracles.Facts([], "demo", "handler", 8, dialect=DIALECTS[dialect])
    return judged(oracles.judge(facts, list(ORACLES)))
