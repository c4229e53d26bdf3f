"""Cells to fly: the demo lot, changed as a story needs it."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drycell.sim import oracles
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
BASE = {
    "drycell": 1,
    "name": "a story",
    "seed": 7,
    "rung": "model",
    "cell": {"sites": 2, "handler": {"index_time_s": 0.1}, "peripherals": {"Temperature": {"latency_s": 0.05}}},
    "program": {"definitions": str(DEMO)},
    "devices": {"size": 8, "defects": "16%"},
    "instruments": {"meter": {"variable": "DRYCELL_METER"}},
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in ("cell", "devices") else value
    return result


class Flight(SimpleNamespace):
    """A finished run: ``result`` and the journal's ``facts``."""

    def kinds(self, kind: str) -> list[Any]:
        return list(self.facts.of_kind(kind))

    def verdict(self, name: str) -> str:
        return next(oracle.verdict for oracle in self.result.oracles if oracle.name == name)

    def results(self) -> list[tuple[str, dict[str, Any]]]:
        """(site, record) of every PRR in order of arrival."""
        return [
            (heard.site, record)
            for heard in self.facts.program("testresult")
            for record in heard.content["payload"]
            if record["type"] == "PRR"
        ]

    def said(self, actor: str) -> list[str]:
        """The states that ``actor`` announced, in order."""
        topics = self.facts.topics
        topic = {"master": topics.master_status, "handler": topics.handler_status}.get(actor)
        if topic is None:
            role, site = actor[:-1], actor[-1]
            topic = topics.control_status(site) if role == "control" else topics.program("status", site)
        states = [heard.content for heard in self.facts.messages if heard.topic == topic]
        return [content.get("state") or content["payload"]["state"] for content in states]


@pytest.fixture
def demo() -> Path:
    return DEMO


@pytest.fixture
def fly(tmp_path: Path) -> Callable[..., Flight]:
    count = 0

    def fly_(**changes: Any) -> Flight:
        nonlocal count
        count += 1
        scenario = from_data(merged(BASE, changes))
        run_dir = tmp_path / str(count)
        result = run(scenario, run_dir)
        events = list(journals.read(run_dir / JOURNAL))
        facts = oracles.Facts(events, scenario.cell.device_id, scenario.cell.handler.id, scenario.devices.size)
        return Flight(result=result, facts=facts, events=events, run_dir=run_dir, scenario=scenario)

    yield fly_
    shutil.rmtree(tmp_path, ignore_errors=True)
