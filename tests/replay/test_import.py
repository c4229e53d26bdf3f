"""What was recorded becomes a scenario that plays it again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drycell.runtime.stdf.compare import compare
from drycell.sim.cell.run import run
from drycell.sim.cli.main import main
from drycell.sim.errors import DrycellError
from drycell.sim.replay import Entry, Gap, Recording, open_recording
from drycell.sim.replay.alignment import align, spoken
from drycell.sim.replay.answers import single, spelled
from drycell.sim.replay.bringing import bring
from drycell.sim.replay.lot_file import read_lot
from drycell.sim.replay.recognising import GAPS_TOLD, recognise
from drycell.sim.replay.staging import ProgramChoice, stage
from drycell.sim.replay.stored import store
from drycell.sim.scenario import load
from tests.replay.real_cell import DEVICE, LOT, SITES
from tests.replay.roundtrip import same_again

DEMO_CELL = "demo"
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scenarios" / "demo"
KEPT = Path(__file__).parent / "recordings"
REAL, STDF = KEPT / "real_lot.recording.jsonl", KEPT / "real_lot.stdf"


@pytest.mark.parametrize("name", ["clean_lot", "changing_options", "retest", "wafer", "hot_bench"])
def test_a_run_of_ours_is_recorded_imported_and_the_same_again(name, tmp_path):
    alignment = same_again(load(ROOT / "scenarios" / "nominal" / f"{name}.yaml", {"rung": "model"}), tmp_path)
    assert alignment.partings == []
    assert sum(alignment.counts.values()) > 100


def faulty(*steps, **changes):
    """The clean lot on two sites with a timeline."""
    return load(
        ROOT / "scenarios" / "nominal" / "clean_lot.yaml",
        {"rung": "model", "devices.size": 4, "timeline": list(steps), **changes},
    )


DRAWN = {"wrong_type": {"message": "master-response"}}
STORIES = {
    "what a fault drew is drawn again": faulty(
        {"when": {"touchdown": 1}, "do": {"options": {"stop_on_fail": True}}}, {"at": "0.1s", "do": DRAWN}, seed=11
    ),
    "what falls on the instant of something else keeps its place": faulty(
        {"at": "0.5s", "do": {"operator": {"loglevel": 40}}}, **{"cell.handler": {"index_time_s": 0.5}}
    ),
    "a handler waits for long and is then interrupted": faulty(
        {"at": "25s", "do": {"segfault": 1}},
        **{
            "cell.handler": {"kind": "prober", "wafer": {"columns": 2, "rows": 1, "change_time_s": 20}},
            "cell.operator": {"resets": 1},
        },
    ),
    "no device is ever tested": faulty({"at": "0.31s", "do": {"out_of_memory": 0}}),
    "the lot has a wrong number": faulty({"at": "0.1s", "do": {"wrong_lot": "000000.000"}}),
    "programs go on after the last error": faulty(
        {"when": {"touchdown": 1}, "do": {"tcc_gone": {}}}, {"at": "60s", "do": {"operator": {"loglevel": 40}}}
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_run_with_trouble_is_recorded_imported_and_the_same_again(story, tmp_path):
    alignment = same_again(STORIES[story], tmp_path)
    assert alignment.partings == []
    assert sum(alignment.counts.values()) > 10


ASKED_OUTSIDE = (
    ('"*IDN?"))\n', '"*IDN?"))\n    ctx.logger.info("%s", ctx.instrument("psu").query("*IDN?"))\n'),
    ("    if has_error:", '    ctx.logger.info("%s", ctx.instrument("psu").query("SYST:ERR?"))\n    if has_error:'),
    ('"the bench is switched off"', '"%s", ctx.instrument("psu").query("OUTP? (@1)")'),
)


def test_what_instruments_said_outside_of_a_contact_they_say_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["program", "new", "my_ldo"]) == 0
    text = Path("my_ldo.py").read_text()
    for old, new in ASKED_OUTSIDE:
        assert old in text
        text = text.replace(old, new)
    Path("my_ldo.py").write_text(text)
    psu = {"meter": {"variable": "DRYCELL_METER"}, "psu": {"variable": "DRYCELL_PSU"}}
    scenario = load(
        tmp_path / "my_ldo.yaml", {"rung": "model", "devices.size": 4, "timeline": [], "instruments": psu}
    )
    assert same_again(scenario, tmp_path).partings == []
    outside = [row for row in read_lot(tmp_path / "again.devices.csv") if not row.part]
    assert {question for row in outside for question in row.answers} >= {"meter> *IDN?", "psu> *IDN?", "SYST:ERR?"}


def test_a_real_lot_is_recognised(tmp_path):
    staged = bring([REAL], tmp_path / "night.yaml", definitions=DEMO)
    scenario = load(tmp_path / "night.yaml")
    assert scenario == staged.scenario.at_home(tmp_path)
    assert (scenario.cell.device_id, scenario.cell.handler.id, scenario.devices.lot) == (DEVICE, "handler", LOT)
    assert tuple(map(str, scenario.cell.sites)) == SITES
    assert scenario.cell.loglevel == 20
    assert {"control-echoes-master", "handler-commands-qos-0", "sequencer-compares-unscaled"} <= {
        *scenario.cell.quirks
    }
    assert scenario.cell.peripherals["Temperature"].answer == {"status": "ok"}
    assert (
        (tmp_path / "night.yaml").read_text().startswith("# Made by drycell import from real_lot.recording.jsonl.\n")
    )


def test_the_devices_of_a_real_lot_answer_what_the_meter_had_said(tmp_path):
    bring([REAL], tmp_path / "night.yaml", definitions=DEMO)
    rows = read_lot(tmp_path / "night.devices.csv")
    assert [(row.touchdown, row.site, row.part) for row in rows] == [
        (1, 0, "1"), (1, 1, "2"), (2, 0, "3"), (2, 1, "4"), (3, 0, "5"), (3, 1, "6"),
    ]  # fmt: skip
    assert rows[0].answers["MEAS:RES? (@{site}),VIN"] == ("9.9e+37",)
    assert rows[1].answers["MEAS:IQ? (@{site}),5.000"] == ("47.654",)
    assert rows[5].answers["MEAS:RAMP? (@{site}),3.6,4.0,4.5,5.0,5.5"] == ("2.6972,3.0972,3.2728,3.2733,3.2737",)


def test_an_stdf_file_alone_brings_the_devices_back_with_the_same_bins(tmp_path):
    staged = bring([STDF], tmp_path / "night.yaml", definitions=DEMO, rung="model")
    assert any("only STDF" in note for note in staged.notes)
    result = run(load(tmp_path / "night.yaml"), tmp_path / "run")
    assert result.hard_bins == {1: 3, 2: 1, 3: 1, 5: 1}


def test_messages_and_the_stdf_file_fill_each_other_s_gaps(tmp_path):
    kept = [entry for entry in open_recording(REAL) if "/testresult/site1" not in entry.topic]
    scene = recognise([Recording("capture", "half", lambda: iter(kept)), open_recording(STDF)])
    assert all(contact.records for touchdown in scene.touchdowns for contact in touchdown.contacts.values())


def test_a_contact_without_a_result_takes_none_from_a_later_one():
    (first, second) = scene_of(cut_short=True).touchdowns[:2]
    assert [contact.records is None for contact in first.contacts.values()] == [True, True]
    assert [contact.records is None for contact in second.contacts.values()] == [False, False]


def scene_of(*, cut_short):
    """The real lot, whose first devices came twice: the first time without a result."""
    entries = list(open_recording(REAL))
    begin = next(
        n for n, entry in enumerate(entries) if entry.topic.endswith("Master/cmd") and b"next" in entry.payload
    )
    entries = [*entries[: begin + 1], *entries[begin:]] if cut_short else entries
    return recognise([Recording("capture", "twice", lambda: iter(entries)), open_recording(STDF)])


def test_wafers_come_from_the_stdf_file(tmp_path):
    scenario = load(ROOT / "scenarios" / "nominal" / "wafer.yaml", {"rung": "model"})
    first = run(scenario, tmp_path / "first")
    store(open_recording(tmp_path / "first"), tmp_path / "run.recording.jsonl")
    staged = bring(
        [tmp_path / "run.recording.jsonl", first.stdf_path], tmp_path / "again.yaml", definitions=DEMO, rung="model"
    )
    again = run(load(tmp_path / "again.yaml"), tmp_path / "second")
    assert list(compare(first.stdf_path, again.stdf_path)) == []
    assert len({row.wafer for row in staged.rows}) > 1 and all(row.wafer for row in staged.rows)


def test_what_is_missing_is_said_and_not_made_up():
    def items():
        yield from list(open_recording(REAL))[:60]
        yield Gap("60", "the disk was full", 3, "messages")

    scene = recognise([Recording("capture", "cut", items)])
    assert "missing: 60: the disk was full (3 messages)" in scene.remarks


def test_a_large_lot_without_results_makes_a_scenario_that_can_be_read(tmp_path):
    def heard():
        for number in range(1, 8_001):
            sites = [{"siteid": "0", "partid": str(number)}]
            said = {"command": "next", "sites": ["0"], "job_data": {"sites_info": sites}}
            yield Entry(number, "publish", topic="ate/D/TestApp/cmd", payload=json.dumps(said).encode())

    store(Recording("capture", "large", heard), tmp_path / "large.recording.jsonl")
    staged = bring([tmp_path / "large.recording.jsonl"], tmp_path / "night.yaml", definitions=DEMO)
    assert load(tmp_path / "night.yaml").devices.size == 8_000
    assert staged.notes[-1].startswith("and ") and len(staged.notes) < 300


def test_a_recording_full_of_gaps_makes_a_short_scenario(tmp_path):
    def items():
        for number, entry in enumerate(open_recording(REAL)):
            yield Gap(str(number), f"reason {number % 2}", 10)
            yield entry

    scene = recognise([Recording("capture", "holes", items)])
    missing = [remark for remark in scene.remarks if remark.startswith("missing")]
    assert len(missing) == GAPS_TOLD + 2
    assert missing[-1].startswith("missing: further on: reason ") and missing[-1].endswith("bytes)")


def test_a_recording_without_a_cell_is_refused():
    other = [Entry(0, "publish", topic="home/kitchen/lamp", payload=b"on")]
    with pytest.raises(DrycellError, match="no touchdown was recorded"):
        recognise([Recording("capture", "home", lambda: iter(other))])


@pytest.mark.parametrize(
    ("recorded", "exp10", "answer"),
    [(4.7654e-05, -6, "47.654"), (9.9e37, 0, "9.9e+37"), (0.0, 0, "0"), (4.8954999999999995e-05, -6, "48.955")],
)
def test_the_shortest_answer_that_gives_the_recorded_number(recorded, exp10, answer):
    assert spelled(recorded, exp10) == answer


def test_of_an_stdf_file_single_precision_is_enough():
    assert spelled(single(3.2971), 0, narrow=single) == "3.2971"


def heard_on_a_floor(scenario, folder):
    """A run of ours as somebody beside the broker heard it, who knows of no faults and no instruments."""
    run(scenario, folder)
    heard = [replace(entry, detail={}) for entry in open_recording(folder) if entry.kind == "publish"]
    return Recording("capture", "floor", lambda: iter(heard))


def as_a_floor_tells(scenario, folder):
    """The scene of such a run."""
    return recognise([heard_on_a_floor(scenario, folder)])


def test_what_a_chamber_did_on_a_floor_it_does_again(tmp_path):
    chamber = {"peripheral": "Temperature"}
    scenario = faulty(
        {"at": 0, "do": {"peripheral_wrong": {**chamber, "nth": 2, "result": {"status": "door open"}}}},
        {"at": 0, "do": {"peripheral_late": {**chamber, "nth": 3, "by": 4.0}}},
        {"at": 0, "do": {"peripheral_silent": {**chamber, "nth": 4, "count": 2}}},
        **{"devices.size": 14, "cell.operator": {"resets": 5, "reset_after_s": 1}},
    )
    recording = heard_on_a_floor(scenario, tmp_path / "first")
    store(recording, tmp_path / "floor.recording.jsonl")
    staged = bring([tmp_path / "floor.recording.jsonl"], tmp_path / "again.yaml", definitions=DEMO, rung="model")
    assert staged.scenario.cell.peripherals["Temperature"].answers == {2: {"status": "door open"}}
    assert [step.do.fault[0] for step in staged.scenario.timeline] == ["peripheral_late", *["peripheral_silent"] * 2]
    run(staged.scenario, tmp_path / "second")
    topics = scenario.cell.protocol.topics(DEMO_CELL, "handler")
    left, right = (spoken(one, topics) for one in (recording, open_recording(tmp_path / "second")))
    alignment = align(left, right, ["program0", "program1", "tcc", "master"])
    assert alignment.partings == [] and alignment.counts["tcc"] >= 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kill_while_testing", {"kill": {"site": 0, "signal": "SIGKILL"}}),
        ("link_cut", {"cut": 0}),
        ("master_restart", {"master_restart": {"down": 0.5}}),
    ],
)
def test_what_must_have_happened_is_concluded_and_marked_as_such(name, expected, tmp_path):
    scenario = load(ROOT / "scenarios" / "faults" / f"{name}.yaml", {"rung": "model"})
    scene = as_a_floor_tells(scenario, tmp_path / "run")
    concluded = [deed for deed in scene.deeds if deed.why]
    assert [deed.do for deed in concluded] == [expected]
    staged = stage(scene, "lot.csv", ProgramChoice(), tmp_path)
    assert any("is guessed, because" in note for note in staged.notes)


def test_a_chamber_whose_answer_the_observer_missed_was_not_silent(tmp_path):
    recording = heard_on_a_floor(faulty(), tmp_path / "run")
    kept = [entry for entry in recording if not entry.topic.endswith("Temperature/io-control/response")]
    assert len(kept) == len(list(recording)) - 2
    chamber = recognise([Recording("capture", "half", lambda: iter(kept))]).services["Temperature"]
    assert chamber.requests == len(chamber.results) == 2


def test_a_chamber_that_the_master_asks_in_another_way_answered_what_the_programs_were_told(tmp_path):
    recording = heard_on_a_floor(faulty(), tmp_path / "run")
    kept = [entry for entry in recording if "Temperature/io-control/" not in entry.topic]
    assert len(kept) == len(list(recording)) - 4
    chamber = recognise([Recording("capture", "half", lambda: iter(kept))]).services["Temperature"]
    assert chamber.results == {1: {"status": "ok"}, 2: {"status": "ok"}}
    assert all(latency_ns > 0 for latency_ns in chamber.latencies_ns.values())


def test_resets_are_the_operator_s(tmp_path):
    scene = as_a_floor_tells(
        load(ROOT / "scenarios" / "faults" / "kill_while_testing.yaml", {"rung": "model"}), tmp_path / "run"
    )
    operator = stage(scene, "lot.csv", ProgramChoice(), tmp_path).scenario.cell.operator
    assert operator.resets == len(scene.resets_after_ns) >= 1


def test_a_lot_out_of_several_is_named(tmp_path):
    entries = list(open_recording(REAL))
    second = [
        replace(entry, t_ns=entry.t_ns + 10**11, payload=entry.payload.replace(b"306426.001", b"306426.002"))
        for entry in entries
    ]
    recording = Recording("capture", "two lots", lambda: iter([*entries, *second]))
    first = recognise([recording])
    assert first.lot == "306426.001"
    assert any("import it with --lot 306426.002" in remark for remark in first.remarks)
    assert recognise([recording], lot="306426.002").lot == "306426.002"


def test_damaged_messages_are_left_out_and_named():
    entries = [
        replace(entry, payload=b'{"command": "sethbin"}') if number == 30 else entry
        for number, entry in enumerate(open_recording(REAL))
    ]
    recognise([Recording("capture", "damaged", lambda: iter(entries))])
