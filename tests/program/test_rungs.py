"""One program file, unchanged, on rung model and in processes of its own: the same bins, the same STDF."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.stdf import EXACT, Encoder, Record, read
from drycell.runtime.stdf.compare import TIMES
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

PROGRAM = """
from pathlib import Path

from drycell.runtime.program import Context, Limit, Program

TOP
program = Program(bins={1: {1: "Good", 2: "Second"}, 2: {11: "Contact"}, 3: {12: "Vout", 13: "Ramp"}})
FACTS = Path("FOLDER")


def note(text: str) -> None:
    with (FACTS / "facts.txt").open("a") as file:
        file.write(text + "\\n")


@program.test(Limit(0.05, 5, "Ohm"), bin=11)
def contact(ctx: Context, celsius: float = 25.0) -> float:
    ctx.get_actuator_proxy("Chamber").set_temperature(celsius=celsius, timeout=TIMEOUT)
    return float(ctx.instrument("meter").query(f"MEAS:RES? (@{ctx.site_id}),VIN"))


@program.test(Limit(3.25, 3.35, "V", name="vout"), Limit(None, 70, "uA", name="iq"), bin=12)
def supply(ctx: Context, vin: float = 5.0, settle_s: float = 0.01) -> tuple[float, float]:
    ctx.sleep(settle_s)
    meter = ctx.instrument("meter")
    vout = float(meter.query(f"MEAS:VOUT? (@{ctx.site_id}),{vin:.3f}"))
    if vout > 3.3:
        ctx.bin(2)
    return vout, float(meter.query(f"MEAS:IQ? (@{ctx.site_id}),{vin:.3f}"))


@program.test(Limit(0, 5, "V", many=True), bin=13)
def ramp(ctx: Context) -> list[float]:
    EXTRA
    return [float(x) for x in ctx.instrument("meter").query(f"MEAS:RAMP? (@{ctx.site_id}),3.6,4.5,5.5").split(",")]


@program.on
def cycle_teardown(ctx: Context, has_error: bool) -> None:
    note(f"cycle_teardown {ctx.part_id} {has_error}")


@program.on
def program_teardown(ctx: Context) -> None:
    note(f"program_teardown {ctx.site_id}")


if __name__ == "__main__":
    program.main()
"""
BASE: dict[str, Any] = {
    "drycell": 1,
    "name": "the same program",
    "seed": 3,
    "program": {"path": "tested.py"},
    "devices": {"size": 8, "defects": "30%"},
    "instruments": {"meter": {"variable": "DRYCELL_METER"}},
}
RUNGS = pytest.mark.parametrize("rung", ["model", "process"])
BOTH = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture
def fly(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Fly the program, changed by ``extra`` in a test and its proxy's ``timeout``, on a rung."""
    count = 0

    def fly_(
        rung: str,
        *,
        top: str = "",
        extra: str = "",
        timeout: float = 5.0,
        sites: int = 1,
        dialect: str = "semi-ate",
        **changes: Any,
    ) -> SimpleNamespace:
        nonlocal count
        count += 1
        home = tmp_path / str(count)
        home.mkdir()
        text = PROGRAM.replace("EXTRA", extra or "pass").replace("TIMEOUT", str(timeout))
        text = text.replace("TOP", top).replace("FOLDER", str(home))
        (home / "tested.py").write_text(text, "utf-8")
        cell = {"sites": sites, "dialect": dialect, "peripherals": {"Chamber": {"latency_s": 0.2}}}
        scenario = from_data({**BASE, "rung": rung, "cell": cell, **changes}).at_home(home)
        result = run(scenario, home / "run")
        facts = (home / "facts.txt").read_text().splitlines() if (home / "facts.txt").exists() else []
        events = list(journals.read(home / "run" / JOURNAL))
        records = list(read(result.stdf_path)) if result.stdf_path is not None else []
        return SimpleNamespace(result=result, events=events, facts=facts, records=records)

    yield fly_
    shutil.rmtree(tmp_path, ignore_errors=True)


def flags(flight: SimpleNamespace, number: int) -> list[int]:
    """TEST_FLG of every FTR with this number, in order."""
    return [one["TEST_FLG"] for one in flight.records if one.name == "FTR" and one["TEST_NUM"] == number]


def masked(records: list[Record], site: int | None = None) -> bytes:
    """The bytes of the file, times set to 0; those of one site, because sites that end a device within microseconds
    of each other do not come in the same order on both rungs."""
    times = {tuple(name.split(".")) for name in TIMES}
    kept = [one for one in records if site is None or one.get("SITE_NUM") == site]
    zeroed = [
        Record(one.type, {k: 0 if (one.name, k) in times else v for k, v in one.fields.items()}) for one in kept
    ]
    return Encoder(rules=EXACT).encode_all(zeroed)


@BOTH
@pytest.mark.parametrize("sites", [1, 2])
@pytest.mark.row("SEQ-01", "SEQ-03", "SEQ-23", "SEQ-40")
def test_both_rungs_give_the_same_stdf(fly: Callable[..., SimpleNamespace], sites: int, dialect: str) -> None:
    steps = [{"when": {"part": 4}, "do": {"options": {"stop_on_fail": True}}}]
    model = fly("model", sites=sites, timeline=steps, dialect=dialect)
    process = fly("process", sites=sites, timeline=steps, dialect=dialect)
    assert model.result.verdict == process.result.verdict == "holds", model.result.oracles
    assert not model.result.problems and not process.result.problems
    assert [masked(model.records, site) for site in range(sites)] == [
        masked(process.records, site) for site in range(sites)
    ]
    if sites == 1:
        assert masked(model.records) == masked(process.records)
    assert model.result.soft_bins == process.result.soft_bins
    assert len(model.result.soft_bins) > 2, "the lot shows no variety"
    assert sorted(model.facts) == sorted(process.facts)


@RUNGS
@BOTH
@pytest.mark.row("SEQ-26", "SEQ-27")
def test_a_proxy_without_answer_fails_its_test_and_the_program_recovers(
    fly: Callable[..., SimpleNamespace], rung: str, dialect: str
) -> None:
    late = [
        {
            "when": {"part": 3, "site": 0, "says": "testing"},
            "do": {"peripheral_late": {"peripheral": "Chamber", "by": 2}},
        }
    ]
    flight = fly(rung, timeout=1.0, timeline=late, devices={"size": 6}, dialect=dialect)
    assert flags(flight, 100) == [0, 0, 1, 0, 0, 0]
    assert flight.result.soft_bins[0] == 1
    assert [fact for fact in flight.facts if fact.endswith("True")] == ["cycle_teardown 3 True"]


def test_time_sleep_on_rung_model_is_an_error_that_names_the_line(fly: Callable[..., SimpleNamespace]) -> None:
    flight = fly("model", extra="import time; time.sleep(0.1)")
    line = PROGRAM.splitlines().index("    EXTRA") + 1
    said = f"tested.py, line {line}: time.sleep would stop the whole simulation; use ctx.sleep"
    assert said in flight.result.problems and flight.result.verdict != "holds"
    assert flight.facts == [], "no teardown runs in a program that had to be stopped"


def test_time_sleep_is_fine_in_a_process_where_it_costs_no_wall_time(fly: Callable[..., SimpleNamespace]) -> None:
    flight = fly("process", extra="import time; time.sleep(20)")
    assert flight.result.verdict == "holds", flight.result.problems
    assert flight.result.virtual_s > 8 * 20


@RUNGS
@pytest.mark.row("SEQ-54")
@pytest.mark.parametrize("when", [{"site": 0, "says": "testing", "nth": 2}, {"site": 0, "says": "idle", "nth": 3}])
def test_a_crash_runs_no_line_of_the_program_any_more(
    fly: Callable[..., SimpleNamespace], rung: str, when: dict[str, Any]
) -> None:
    flight = fly(rung, timeline=[{"when": when, "do": {"kill": {"site": 0}}}])
    assert [event.fields["exit_code"] for event in flight.events if event.kind == "exit"][:1] == [-9]
    done = when["nth"] - 1
    assert flight.facts == [f"cycle_teardown {part} False" for part in range(1, done + 1)]


@RUNGS
def test_a_program_that_was_frozen_goes_on(fly: Callable[..., SimpleNamespace], rung: str) -> None:
    steps = [{"when": {"site": 0, "says": "testing", "nth": 2}, "do": {"freeze": {"site": 0, "for": 3}}}]
    flight = fly(rung, timeline=steps, devices={"size": 4})
    assert flight.result.parts == 4 and "program_teardown 0" in flight.facts


@RUNGS
def test_a_program_comes_back_after_the_broker_was_gone(fly: Callable[..., SimpleNamespace], rung: str) -> None:
    steps = [{"when": {"site": 0, "says": "testing", "nth": 2}, "do": {"broker_outage": {"for": 2}}}]
    cell = {"sites": 1, "operator": {"resets": 2}, "peripherals": {"Chamber": {"latency_s": 0.2}}}
    flight = fly(rung, timeline=steps, devices={"size": 4}, cell=cell)
    assert flight.result.parts == 4, flight.result.problems


def test_the_same_run_twice_is_the_same_journal(fly: Callable[..., SimpleNamespace]) -> None:
    assert fly("model", sites=3).result.journal_sha256 == fly("model", sites=3).result.journal_sha256


@RUNGS
def test_a_file_that_cannot_be_loaded_is_one_sentence_before_anything_starts(
    fly: Callable[..., SimpleNamespace], rung: str
) -> None:
    with pytest.raises(DrycellError) as refused:
        fly(rung, top="raise OSError('no card in slot 3')")
    assert "tested.py, line 6: OSError: no card in slot 3" in str(refused.value)


@RUNGS
@BOTH
@pytest.mark.row("SEQ-50")
def test_a_start_up_error_reaches_the_master(fly: Callable[..., SimpleNamespace], rung: str, dialect: str) -> None:
    hook = "pass\n    return []\n\n\n@program.on\ndef setup(ctx: Context) -> None:\n    raise OSError('no card in slot 3')\n\n\ndef rest(ctx: Context) -> None:\n    pass"
    flight = fly(rung, extra=hook, dialect=dialect)
    assert flight.result.verdict != "holds"
    assert flight.facts == ["program_teardown 0"]
    said = {
        "semi-ate": "reported an error while the master was loading",
        "specification": "reported an error: setup: OSError: no card in slot 3",
    }
    assert any(said[dialect] in problem for problem in flight.result.problems), flight.result.problems
