"""Cells to fly with faults, and a stage for pure rules."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.semi_ate import SEMI_ATE
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.faults import Fault, Packet, chain
from drycell.sim.kernel import journal as journals
from drycell.sim.kernel import stream
from drycell.sim.scenario import from_data

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
BASE: dict[str, Any] = {
    "drycell": 1,
    "name": "a story",
    "seed": 7,
    "rung": "model",
    "cell": {
        "sites": 2,
        "handler": {"index_time_s": 0.1},
        "peripherals": {"Temperature": {"latency_s": 0.05}},
        "operator": {"resets": 2},
    },
    "program": {"definitions": str(DEMO)},
    "devices": {"size": 6},
    "instruments": {"meter": {"variable": "DRYCELL_METER"}},
    "limits": {"virtual_s": 600},
}


class Flight(SimpleNamespace):
    """A finished run: ``result`` and ``events``."""

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [event.fields for event in self.events if event.kind == kind]

    def verdict(self, name: str) -> str:
        return next(oracle.verdict for oracle in self.result.oracles if oracle.name == name)

    def softerrors(self) -> list[str]:
        return [
            event.fields.get("message", "")
            for event in self.events
            if event.kind == "state" and event.actor == "master" and event.fields["to"] == "softerror"
        ]

    @property
    def end(self) -> str:
        return self.kinds("end")[-1]["reason"]


@pytest.fixture
def fly(tmp_path: Path) -> Callable[..., Flight]:
    count = [0]

    def fly_(*steps: dict[str, Any], **changes: Any) -> Flight:
        count[0] += 1
        data = {**BASE, "timeline": list(steps)}
        for key, value in changes.items():
            data[key] = {**BASE.get(key, {}), **value} if isinstance(value, dict) else value
        run_dir = tmp_path / str(count[0])
        result = run(from_data(data), run_dir)
        events = list(journals.read(run_dir / JOURNAL))
        return Flight(result=result, events=events, run_dir=run_dir)

    return fly_


class SmallStage:
    """A stage without a cell: rules are asked by hand, time is set by hand."""

    topics = Topics("demo")

    def __init__(self) -> None:
        self.now_ns = 0
        self.deadline_ns: int | None = None
        self.parts: dict[str, str] = {"0": "3", "1": "4"}
        self.notes: list[dict[str, Any]] = []
        self.messages: list[Any] = []
        self.packets: list[Any] = []
        self.replies: list[Any] = []
        self.random: np.random.Generator = stream(7, "fault", "test", 1)

    def part_at(self, site: str) -> str | None:
        return self.parts.get(site)

    def asked_site(self, instrument: str, question: str) -> str:
        found = re.search(r"\(@(\d+)\)", question)
        return found[1] if found else ""

    @property
    def dialect(self) -> Dialect:
        return SEMI_ATE

    def result_deadline_ns(self, site: str) -> int | None:
        return self.deadline_ns

    def note(self, **fields: Any) -> None:
        self.notes.append(fields)

    def lasts(self, site: int, for_s: float | None = None, *, until_exit: bool = True) -> None:
        """There are no contacts on a small stage."""

    def later(self, delay_s: float, action: Any) -> None:
        """Nothing happens later on a small stage."""

    def on_messages(self, rule: Any) -> None:
        self.messages.append(rule)

    def on_packets(self, rule: Any) -> None:
        self.packets.append(rule)

    def on_replies(self, rule: Any) -> None:
        self.replies.append(rule)

    def arm(self, fault: Fault) -> "SmallStage":
        fault.inject(self)  # type: ignore[arg-type]  # as much of a stage as rules need
        return self

    def send(self, topic: str, content: Any) -> list[tuple[int, Message]]:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        return chain(self.messages, Message(topic, payload, 2, False, "testapp.demo.0"))

    def packet(self, kind: str, topic: str = "", *, inbound: bool = True, client: str = "testapp.demo.1") -> Any:
        raw = b"12345678"
        return chain([lambda _, r=rule: r(Packet(client, kind, inbound, topic, raw)) for rule in self.packets], raw)

    def reply(self, question: str, answer: str, instrument: str = "meter") -> list[tuple[int, str]]:
        return chain([lambda text, r=rule: r(instrument, question, text) for rule in self.replies], answer)


@pytest.fixture
def stage() -> SmallStage:
    return SmallStage()
