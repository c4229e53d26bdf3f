"""What the scenario does to a cell is no broken promise of a program, and excuses nobody else."""

from collections.abc import Callable

import pytest

from drycell.sim import oracles
from drycell.sim.cell.run import JOURNAL
from drycell.sim.faults import PALETTE
from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals
from drycell.sim.oracles import ORACLES
from drycell.sim.oracles.interference import INSTRUMENT_FAULTS
from tests.oracles.mutants import MUTANTS
from tests.oracles.support import Judged, fly, fly_mutant, judged

KILL = {"kill": {"site": 0}}
DATA = [  # a mutant whose program breaks a promise once, and the promise
    ("program sends its result twice", "one result per device"),
    ("program reports another device", "one result per device"),
    ("program says another site", "records are in order"),
    ("program miscounts its tests", "devices follow their tests"),
    ("program repeats a value", "values are of this device"),
    ("program takes the other site's value", "values are of this device"),
    ("program hangs", "results in time"),
    ("program announces a wrong state", "sequencer states follow the table"),
]
AGREEMENTS = ("records are in order", "devices follow their tests", "values are of this device")


def journal_of(name: str, folder) -> list[Event]:
    fly_mutant(name, folder)
    return list(journals.read(folder / JOURNAL))


def judge(events: list[Event]) -> Judged:
    facts = oracles.Facts(events, "demo", "handler", 8)
    return judged(oracles.judge(facts, list(ORACLES)))


def with_effect(events: list[Event], before: Callable[[Event], bool], **fields: object) -> list[Event]:
    """The journal with one more event, the effect of a fault, in front of the first event that fits."""
    place = next(index for index, event in enumerate(events) if before(event))
    effect = Event(0, events[place].t_ns, "timeline", "effect", dict(fields))
    found = [*events[:place], effect, *events[place:]]
    return [event._replace(seq=seq) for seq, event in enumerate(found, start=1)]


def guilty(events: list[Event], oracle: str) -> tuple[int, str]:
    """Sequence number and site of the event at which ``oracle`` is violated first."""
    seq = max(judge(events).results[oracle].evidence)
    topic = next(event for event in events if event.seq == seq).fields.get("topic", "")
    return seq, topic.rpartition("site")[2] if "site" in topic else "0"


@pytest.mark.parametrize(("mutant", "oracle"), DATA)
def test_where_the_scenario_interfered_the_program_is_not_blamed(mutant, oracle, tmp_path):
    events = journal_of(mutant, tmp_path / "run")
    seq, site = guilty(events, oracle)
    excused = judge(with_effect(events, lambda event: event.seq == seq, fault="stale", site=int(site)))
    text = excused.results[oracle].text
    assert excused.verdicts[oracle] != "violated" or f"(event {seq + 1})" not in text, text


@pytest.mark.parametrize(("mutant", "oracle"), [pair for pair in DATA if pair[1] in AGREEMENTS])
def test_a_silent_meter_excuses_no_result_that_disagrees_with_itself_or_with_the_meter(mutant, oracle, tmp_path):
    events = journal_of(mutant, tmp_path / "run")
    seq, site = guilty(events, oracle)
    silent = with_effect(events, lambda event: event.seq == seq, fault="no_answer", site=int(site))
    assert judge(silent).verdicts[oracle] == "violated"


def test_a_program_that_was_cut_off_is_not_late_before_it_has_subscribed_again(tmp_path):
    events = journal_of("program hangs", tmp_path / "run")
    before = with_effect(events, lambda event: event.kind == "subscribe", fault="cut")
    assert judge(before).verdicts["results in time"] == "violated"
    after = with_effect(events, lambda event: event.kind == "contact", fault="cut")
    assert judge(after).verdicts["results in time"] != "violated"


def test_the_faults_of_instruments_are_those_of_the_palette():
    assert {name for name, fault in PALETTE.items() if fault.layer == "instrument"} == INSTRUMENT_FAULTS


@pytest.mark.parametrize(("mutant", "oracle"), DATA)
def test_a_fault_on_another_site_excuses_nothing(mutant, oracle, tmp_path):
    events = journal_of(mutant, tmp_path / "run")
    seq, site = guilty(events, oracle)
    other = 1 - int(site)
    assert judge(with_effect(events, lambda event: event.seq == seq, fault="stale", site=other)).verdicts[oracle] == (
        "violated"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("master ignores crashes", "master ignores everything", "master does not say why", "broker keeps wills"),
        *("control leaves an orphan", "control stays away after a reset", "STDF file is written at the end"),
        "program talks after its death",
    ],
)
def test_the_fault_that_kills_a_program_does_not_excuse_how_the_cell_takes_it(name, tmp_path):
    assert any("kill" in step["do"] for step in MUTANTS[name].changes["timeline"])
    found = fly_mutant(name, tmp_path / "run")
    assert found.verdicts[MUTANTS[name].trips] == "violated"


def test_a_killed_program_need_not_end_well_but_one_that_ends_by_itself_must(tmp_path):
    killed = fly(tmp_path / "killed", timeline=[{"when": {"part": 3}, "do": KILL}])
    assert killed.verdicts["programs end well"] == "holds"
    assert fly_mutant("program ends badly", tmp_path / "mutant").verdicts["programs end well"] == "violated"


def test_a_dropped_will_is_the_scenario_s_doing(tmp_path):
    events = journal_of("broker keeps wills", tmp_path / "run")
    topic = "ate/demo/TestApp/status/site0"
    dropped = with_effect(events, lambda event: event.kind == "disconnect", fault="lose", topic=topic)
    assert judge(events).verdicts["lost programs are announced"] == "violated"
    assert judge(dropped).verdicts["lost programs are announced"] == "holds"


def test_timeouts_are_those_of_the_scenario(tmp_path):
    changes = {"devices": {"size": 2, "defects": "0%"}, "cell": {"timeouts": {"results_s": 600, "testing_s": 600}}}
    mutant = MUTANTS["program hangs"]
    with pytest.MonkeyPatch.context() as patch:
        mutant.install(patch)
        strict = fly(tmp_path / "strict", limits={"virtual_s": 100})
        patient = fly(tmp_path / "patient", **changes, limits={"virtual_s": 100})
    assert strict.verdicts["results in time"] == "violated"
    assert patient.verdicts["results in time"] != "violated"
    assert patient.verdicts["deadlines are kept"] == "holds"
