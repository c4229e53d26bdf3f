"""Whatever programs and peers say, an oracle answers: malformed messages are evidence, never an error of ours."""

import json
import random
from typing import Any

import pytest

from drycell.sim import oracles
from drycell.sim.cell.run import JOURNAL
from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals
from drycell.sim.oracles import ORACLES
from tests.oracles.support import fly

NONSENSE: tuple[Any, ...] = (
    *(None, True, -1, 2**70, 1.5, float("nan"), float("inf"), "", "x", "1", [], {}, [[]], [None], [{}], {"a": 1}),
    {"sites": 3},
    {"state": {}},
)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """A run in which every kind of message occurs."""
    folder = tmp_path_factory.mktemp("run") / "run"
    on = {"stop_on_fail": True, "trigger_on_fail": True}
    fly(
        folder,
        cell={"operator": {"resets": 1, "reset_after_s": 1}},
        devices={"size": 6, "defects": "60%"},
        timeline=[
            {"when": {"touchdown": 1}, "do": {"options": on}},
            {"when": {"touchdown": 2}, "do": {"operator": {"bin": {"soft": 12, "hard": 7}}}},
            {"when": {"site": 0, "says": "testing", "nth": 2}, "do": {"kill": {"site": 0}}},
        ],
    )
    return list(journals.read(folder / JOURNAL))


def damaged(value: Any, draw: random.Random) -> Any:
    """``value`` with something in it replaced by nonsense, left out or doubled."""
    if draw.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return draw.choice(NONSENSE)
    if isinstance(value, dict):
        key = draw.choice(list(value))
        if draw.random() < 0.2:
            return {name: entry for name, entry in value.items() if name != key}
        return {**value, key: damaged(value[key], draw)}
    place = draw.randrange(len(value))
    how = draw.random()
    if how < 0.2:
        return [*value[:place], *value[place + 1 :]]
    if how < 0.4:
        return [*value, value[place]]
    return [*value[:place], damaged(value[place], draw), *value[place + 1 :]]


def with_damage(events: list[Event], draw: random.Random) -> list[Event]:
    """Some messages damaged, some lost, some said twice."""
    found = []
    for event in events:
        if event.kind == "message" and draw.random() < 0.1:
            how = draw.random()
            if how < 0.1:
                continue
            if how < 0.2:
                found.append(event)
            elif how < 0.3:
                fields = {key: entry for key, entry in event.fields.items() if key != "payload"}
                event = event._replace(fields={**fields, "payload_b64": "/w=="})
            else:
                content = json.loads(event.fields["payload"])
                payload = json.dumps(damaged(content, draw))
                event = event._replace(fields={**event.fields, "payload": payload})
        found.append(event)
    return [event._replace(seq=seq) for seq, event in enumerate(found, start=1)]


@pytest.mark.parametrize("tens", range(20))
def test_two_hundred_damaged_journals_are_judged_without_an_error(events, tens):
    for seed in range(10 * tens, 10 * tens + 10):
        journal = with_damage(events, random.Random(seed))
        results = oracles.judge(oracles.Facts(journal, "demo", "handler", 6), list(ORACLES))
        assert len(results) == len(ORACLES)


def test_a_stdf_file_that_is_no_stdf_is_damaged_not_an_error(events):
    for content in (b"", b"\x00" * 50, b"nonsense" * 100):
        facts = oracles.Facts(events, "demo", "handler", 6, {}, content)
        results = {result.name: result for result in oracles.judge(facts, list(ORACLES))}
        assert results["stdf is recoverable"].verdict == "violated"


@pytest.mark.parametrize("length", [0, 1, 30, 60, 90, 120])
def test_a_journal_that_was_cut_off_is_judged_as_far_as_it_goes(events, length):
    facts = oracles.Facts(events[:length], "demo", "handler", 6)
    broken = [r for r in oracles.judge(facts, list(ORACLES)) if r.verdict == "violated"]
    assert {result.name for result in broken} <= {"lot completes"}
