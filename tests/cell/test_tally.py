"""Counting a lot from its journal: retests, soft bins nobody said, damaged events."""

import json
from typing import Any

import pytest

from drycell.sim.cell.tally import Bin, Sorted, tally
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event


def sorted_(seq: int, device: int, site: int, hard: int, **more: Any) -> Event:
    place = {"lot": "L", "site": str(site), "device": device, "part": str(device)}
    return Event(seq, seq * 10, "handler", "sorted", {**place, "hard_bin": hard, "attempt": 1, **more})


def result(seq: int, site: int, part: int, soft: int, hard: int) -> Event:
    records: list[dict[str, Any]] = [
        {"type": "PIR", "SITE_NUM": site},
        {"type": "PTR", "TEST_TXT": 'a text with {"type":"PRR"} in it', "RESULT": float("inf")},
        {"type": "PRR", "PART_ID": str(part), "SOFT_BIN": soft, "HARD_BIN": hard, "PART_FLG": 0},
    ]
    payload = json.dumps({"type": "testresult", "payload": records})
    return Event(seq, seq * 10, "c", "message", {"topic": f"ate/D/TestApp/testresult/site{site}", "payload": payload})


def test_the_soft_bin_comes_from_the_program_and_the_hard_bin_from_the_handler() -> None:
    counts = tally([result(1, 0, 1, 12, 3), sorted_(2, 1, 0, 3), result(3, 1, 2, 1, 1), sorted_(4, 2, 1, 1)])
    assert counts.table() == {Bin(1, 1): {1: 1}, Bin(12, 3): {0: 1}}
    assert (counts.soft_bins, counts.hard_bins) == ({1: 1, 12: 1}, {1: 1, 3: 1})
    assert (counts.yield_, counts.yield_of(0), counts.yield_of(1), counts.yield_of(7)) == (0.5, 0.0, 1.0, None)


def test_a_result_that_contradicts_the_handler_says_nothing_about_the_soft_bin() -> None:
    counts = tally([result(1, 0, 1, 12, 3), sorted_(2, 1, 0, 5)])
    assert counts.devices == {("L", 1): Sorted(0, None, 5, False)}


def test_a_retested_device_counts_once_where_it_was_tested_last() -> None:
    first, second = sorted_(1, 1, 0, 3, soft_bin=12), sorted_(2, 1, 1, 1, soft_bin=1)
    counts = tally([first, second])
    assert (counts.parts, counts.retested, counts.passed) == (1, 1, 1)
    assert counts.table() == {Bin(1, 1): {1: 1}}
    assert tally([second, first]).passed == 0


@pytest.mark.parametrize("payload", ["", "{", '{"type":"PRR"', '[{"type":"PRR"}]', '[{"type":"PRR","PART_ID":1}]'])
def test_a_result_that_is_no_result_is_passed_over(payload: str) -> None:
    fields = {"topic": "ate/D/TestApp/testresult/site0", "payload": payload}
    counts = tally([Event(1, 0, "c", "message", fields), sorted_(2, 1, 0, 1)])
    assert counts.devices == {("L", 1): Sorted(0, None, 1, True)}


def test_a_damaged_event_is_named() -> None:
    with pytest.raises(DrycellError, match=r"the journal is damaged at event 7 \(sorted\): KeyError 'device'"):
        tally([Event(7, 0, "handler", "sorted", {})])
