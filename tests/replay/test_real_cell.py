"""A capture beside the real master, controls and test program hears the whole lot, as the master's STDF file tells it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from drycell.runtime.stdf import read
from drycell.sim.replay import open_recording
from tests.replay.real_cell import DEVICE, SITES, population, record

KEPT = Path(__file__).parent / "recordings"
SIZE = 6


def told(recording):
    """The PRR of each part in order of the results, as they were published."""
    results = [json.loads(entry.payload) for entry in recording if "/testresult/" in entry.topic]
    return [item for result in results for item in result["payload"] if item["type"] == "PRR"]


def parts_of(stdf: Path):
    return sorted(
        (rec["PART_ID"], rec["SITE_NUM"], rec["SOFT_BIN"], rec["HARD_BIN"]) for rec in read(stdf) if rec.name == "PRR"
    )


def holds_the_lot(recording, stdf):
    parts = told(recording)
    assert sorted(part["PART_ID"] for part in parts) == [str(number) for number in range(1, SIZE + 1)]
    heard = sorted((part["PART_ID"], part["SITE_NUM"], part["SOFT_BIN"], part["HARD_BIN"]) for part in parts)
    assert heard == parts_of(stdf)
    by = Counter(entry.topic for entry in recording if entry.kind == "publish")
    assert by[f"ate/{DEVICE}/TestApp/cmd"] >= 2 + SIZE // len(SITES)
    assert all(by[f"ate/{DEVICE}/TestApp/testsummary/site{site}"] == 1 for site in SITES)
    assert recording.gaps() == ()


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_a_live_lot_is_captured_whole(tmp_path):
    capture, stdf = record(tmp_path, SIZE)
    recording = open_recording(capture)
    holds_the_lot(recording, stdf)
    assert [part["SOFT_BIN"] == 1 for part in sorted(told(recording), key=lambda part: int(part["PART_ID"]))] == [
        not device.defect for device in population(SIZE)
    ]


def test_the_kept_recording_is_such_a_lot():
    holds_the_lot(open_recording(KEPT / "real_lot.recording.jsonl"), KEPT / "real_lot.stdf")
