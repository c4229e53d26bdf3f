"""What was recorded is run again and compared, with models and with the real program, by the command as well."""

import json
from pathlib import Path

import pytest

from drycell.runtime.stdf import read
from drycell.runtime.stdf.compare import compare
from drycell.sim.cell.run import run
from drycell.sim.cli.main import main
from drycell.sim.replay import open_recording
from drycell.sim.replay.alignment import align, spoken
from drycell.sim.replay.bringing import bring
from drycell.sim.replay.replay_file import pack
from drycell.sim.replay.stored import store
from drycell.sim.runs import RunStore
from drycell.sim.scenario import load
from tests.replay.real_cell import record

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scenarios" / "demo"
KEPT = Path(__file__).parent / "recordings"
REAL = KEPT / "real_lot.recording.jsonl"
NOMINAL = ROOT / "scenarios" / "nominal"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replayed(*words):
    """What ``drycell replay --json`` says, and its exit code."""
    return main(["replay", *map(str, words), "--json"])


def finished(folder, name="clean_lot", **changes):
    """A run of a shipped scenario, in a directory of its own."""
    return flown(folder / "first", load(NOMINAL / f"{name}.yaml", changes))


def flown(out, scenario):
    """A run in the directory ``out``."""
    made = RunStore(out.parent / "store").new(scenario, None, out=out)
    made.finish(run(scenario, made.path))
    return made


def imported_again(desk, made):
    """The run of what was exported of ``made`` and imported."""
    assert main(["export", str(made.path), "--to", "recording", "-o", "exported"]) == 0
    bring([desk / "exported" / "messages.recording.jsonl"], desk / "again.yaml", definitions=DEMO, rung="model")
    return flown(desk / "second", load(desk / "again.yaml"))


def test_a_run_is_replayed_and_equal(desk, capsys):
    made = finished(desk, **{"devices.size": 2})
    assert replayed(made.path) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["equal"] is True
    assert told["messages"]["master"] > 10


def test_a_run_of_other_devices_parts_and_both_sides_are_shown(desk, capsys):
    made = finished(desk, **{"devices.size": 4})
    assert main(["replay", str(made.path), "--set", "seed=8"]) == 1
    out = capsys.readouterr().out
    assert "parts from the recording" in out
    assert "RESULT: recorded" in out


def test_up_to_an_event_the_same_run_is_equal_whatever_comes_later(desk, capsys):
    made = finished(desk, **{"devices.size": 4})
    assert replayed(made.path, "--set", "seed=8", "--until", "60") == 0


def test_a_replay_file_is_replayed(desk, capsys):
    made = finished(desk, **{"devices.size": 2})
    pack(made, desk / "lot.zip")
    assert replayed(desk / "lot.zip") == 0


def test_the_real_lot_is_replayed_with_models(desk, capsys):
    assert replayed(REAL, "--definitions", DEMO, "--rung", "model") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["messages"] == {"program0": 16, "program1": 16}


def test_an_edited_import_parts_where_it_was_edited(desk, capsys):
    bring([REAL], desk / "night.yaml", definitions=DEMO, rung="model")
    lot = desk / "night.devices.csv"
    lot.write_text(lot.read_text().replace("47.654", "48.654"))
    assert main(["replay", str(REAL), "--scenario", "night.yaml"]) == 1
    assert "RESULT: recorded 4.7654e-05, replayed 4.8654e-05" in capsys.readouterr().out


def test_a_client_that_never_spoke_is_refused(desk, capsys):
    made = finished(desk, **{"devices.size": 1})
    assert main(["replay", str(made.path), "--clients", "programm0"]) == 3
    assert "program0" in capsys.readouterr().err


def test_an_imported_run_has_the_same_atdf_text_and_it_says_what_the_stdf_file_says(desk):
    made = finished(desk, **{"devices.size": 8, "devices.defects": 0.4})
    again = imported_again(desk, made)
    texts = [atdf(one, desk / f"text-{one.path.name}") for one in (made, again)]
    assert texts[0] == texts[1]
    parts = [row for name, row in texts[1] if name == "PRR"]
    assert sorted((row[2], int(row[1]), int(row[6]), int(row[5])) for row in parts) == bins(made.result().stdf_path)
    told = [(int(row[2]), int(row[0]), float(row[3])) for name, row in texts[1] if name == "PTR"]
    measured, sorted_ = values(made.result().stdf_path)
    assert sorted(told) == [(*which, pytest.approx(value, rel=1e-6)) for *which, value in measured]
    assert len(parts) == 8 and len({row[5] for row in parts}) > 1 and sorted_


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_the_real_program_does_under_the_simulated_master_what_it_did_under_the_real_one(desk, capsys):
    assert replayed(REAL, "--definitions", DEMO) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["messages"] == {"program0": 40, "program1": 40}
    run_dir = Path(told["run_dir"])
    assert bins(run_dir / "306426.001.stdf") == bins(KEPT / "real_lot.stdf")


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_a_lot_captured_just_now_is_replayed(desk, capsys):
    capture, stdf = record(desk / "floor", 6)
    assert replayed(capture, stdf, "--definitions", DEMO) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["messages"] == {"program0": 40, "program1": 40}
    assert values(Path(told["run_dir"]) / "306426.001.stdf") == values(stdf)


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_a_run_of_the_real_program_is_recorded_imported_and_the_same_for_every_client(desk):
    """Messages in their order, the STDF file but for its times, the ATDF text."""
    made = finished(desk, rung="process", **{"devices.size": 8, "devices.defects": 0.4})
    store(open_recording(made.path), desk / "kept.recording.jsonl")
    first = made.result().stdf_path
    bring([desk / "kept.recording.jsonl", first], desk / "again.yaml", definitions=DEMO)
    scenario = load(desk / "again.yaml")
    again = flown(desk / "second", scenario)
    topics = scenario.cell.protocol.topics(scenario.cell.device_id, scenario.cell.handler.id)
    left, right = (spoken(open_recording(path), topics) for path in (desk / "kept.recording.jsonl", desk / "second"))
    alignment = align(left, right, sorted({*left, *right}))
    assert alignment.partings == []
    assert set(alignment.counts) == {"control0", "control1", "handler", "master", "program0", "program1", "tcc"}
    assert list(compare(first, again.result().stdf_path)) == []
    assert atdf(made, desk / "one") == atdf(again, desk / "two")


def atdf(made, out):
    """The rows of the exported ATDF text that are about parts, without the time that each took."""
    assert main(["export", str(made.path), "--to", "atdf", "-o", str(out)]) == 0
    (path,) = out.glob("*.atdf")
    rows = [line.split(":", 1) for line in path.read_text().splitlines()]
    return [
        (name, fields.split("|")[: 11 if name == "PRR" else None])
        for name, fields in rows
        if name in ("PIR", "PTR", "MPR", "FTR", "PRR")
    ]


def bins(path):
    """Part, site and bins of each part."""
    return sorted((r["PART_ID"], r["SITE_NUM"], r["SOFT_BIN"], r["HARD_BIN"]) for r in read(path) if r.name == "PRR")


def values(path):
    """Every measured value of every site, and the bins."""
    told = [(r["SITE_NUM"], r["TEST_NUM"], r["RESULT"]) for r in read(path) if r.name == "PTR"]
    return sorted(told), bins(path)
