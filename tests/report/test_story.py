"""The report's own sentences: what failed, when, and whose fault it was."""

from pathlib import Path

import pytest

from drycell.sim.cell.result import OracleResult
from drycell.sim.report import collect
from drycell.sim.report.phrases import clock, counted, listed, sentence
from drycell.sim.report.story import Story, tell
from tests.report.made import KILL, MadeUp, flown


def told(made: MadeUp, *oracles: OracleResult) -> Story:
    return tell(collect(made.end(*oracles)))


def broken(name: str, text: str, *evidence: int) -> OracleResult:
    return OracleResult(name, "violated", evidence, text, True)


def test_a_killed_program_and_nobody_to_press_reset(tmp_path: Path) -> None:
    collected = collect(flown(tmp_path / "run", timeline=[KILL]))
    (fault,) = collected.notable.of_kind("fault")
    when = clock(fault.t_ns)
    (finding,) = tell(collected).findings
    assert finding.oracle.verdict == "unknown"
    assert finding.what.text == (
        "“lot completes” could not be judged: 18 of 50 devices were sorted;"
        " nobody pressed reset after the scenario's kill."
    )
    assert finding.when.text == (
        f"At {when} of simulated time, in touchdown 10 (part 19 on site 0 and part 20 on site 1),"
        " after 18 devices had been sorted."
    )
    assert finding.whose.text == (
        f"Nobody in the cell: the scenario itself killed the test program of site 1 (SIGKILL) at {when}."
        " The master went into softerror, as it must, and nobody pressed reset (cell.operator.resets is 0),"
        " so the lot stayed where it was."
    )
    assert finding.whose.seqs == (fault.seq,)
    steps = [line.text.split("  ", 1)[1] for line in finding.chain]
    assert steps[0] == "scenario: FAULT kill site 1, signal SIGKILL"
    assert steps[-1] == "scenario: the run ends: soft error, and nobody resets"
    assert "site 1: last will: says crash" in steps


def test_a_killed_program_that_the_operator_got_over(tmp_path: Path) -> None:
    story = tell(collect(flown(tmp_path / "run", timeline=[KILL], cell__operator__resets=1)))
    assert story.findings == ()
    assert story.headline == "All 3 required promises were kept. 50 devices were sorted and the lot was unloaded."
    (remark,) = story.remarks
    assert "the scenario killed the test program of site 1 (SIGKILL)." in remark.text
    assert "The master went into softerror and was ready again 5.350 s after the fault." in remark.text


def test_a_fault_of_the_palette_is_explained_in_the_palettes_words(tmp_path: Path) -> None:
    late = {"when": {"site": 1, "says": "testing", "nth": 5}, "do": {"late_result": 1, "by": "31s"}}
    (finding,) = tell(collect(flown(tmp_path / "run", timeline=[late]))).findings
    assert (
        "the scenario itself injected the fault “late_result” into the test program of site 1" in finding.whose.text
    )
    assert "(It means: a result comes late:" in finding.whose.text
    assert finding.when.text.endswith("; it began 30.000 s earlier.")
    assert any("master: TIMEOUT in awaiting_results after 30 s" in line.text for line in finding.chain)


def test_a_fault_that_did_no_harm_is_a_remark(tmp_path: Path) -> None:
    noise = {"at": 0, "do": {"noise": {"sigma": 1e-6, "count": None}}}
    story = tell(collect(flown(tmp_path / "run", timeline=[noise], devices__size=4)))
    assert story.findings == ()
    assert story.remarks[0].text == (
        "At 0.000 s the scenario injected the fault “noise”. The lot went on without a soft error."
    )


def test_a_program_that_cannot_work_with_the_layout_is_blamed_with_its_own_words(tmp_path: Path) -> None:
    story = tell(collect(flown(tmp_path / "run", cell__sites=4)))
    whose = story.findings[0].whose.text
    assert whose.startswith("The test program of site 0: it announced an error at 0.350 s.")
    assert "no execution strategy for layout [[0, 0], [0, 1], [0, 2], [0, 3]]" in whose
    assert story.findings[0].when.text.startswith("At 0.350 s of simulated time, before the first touchdown")


def test_a_program_that_ends_by_itself_is_blamed(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=10)
    made.begin()
    made.touchdown(1)
    log = {"type": "log", "payload": "TestApp0 |1.0|ERROR   |meter: no answer"}
    made.message("testapp.demo.0", "TestApp/log/site0", log)
    proof = made.event("exit", "program0", exit_code=3)
    made.state("master", "ready", "softerror", message="the test program of site 0 ended")
    story = told(made, broken("programs end well", "program0 ended with exit code 3 at 0.380 s (event 9)", proof))
    assert story.findings[0].whose.text == (
        "The test program of site 0: it ended by itself with exit code 3 at 0.380 s, and nobody had asked it to."
        " Its log says: “meter: no answer”"
    )
    assert "(event" not in story.findings[0].what.text


def test_a_timeout_names_the_site_that_did_not_answer(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=10)
    made.begin()
    made.event("contact", "handler", lot="L", touchdown=1, sites=[
        {"site": "0", "device": 1, "part": "1"}, {"site": "1", "device": 2, "part": "2"}])  # fmt: skip
    for site in "01":
        made.state(f"sequencer{site}", "idle", "testing")
    made.message("testapp.demo.0", "TestApp/testresult/site0", {"type": "testresult", "payload": []})
    made.now_ns = 30_000_000_000
    made.event("timeout", "master", state="awaiting_results", name="results_s", after_s=30.0,
               message="not all sites sent their result within 30 s")  # fmt: skip
    proof = made.state("master", "awaiting_results", "softerror", message="not all sites sent their result")
    story = told(made, broken("lot completes", "0 of 10 devices were sorted", proof))
    assert story.findings[0].whose.text == (
        "The test program of site 1: the master waited 30 s for an answer that did not come (site 1 was last testing)."
    )


def test_without_a_cause_the_subject_of_the_promise_is_named(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=10)
    made.begin()
    proof = made.message("control0", "Control/status/site0", {"type": "status", "payload": {"state": "loading"}})
    bins = made.event("sorted", "handler", lot="L", site="0", device=1, part="1", hard_bin=7, attempt=1)
    story = told(
        made,
        broken("control states follow the table", "the control of site 0 announced loading first", proof),
        broken("bins agree", "part 1 went into bin 7, its program said nothing", bins),
        broken("something new", "it happened", 1),
    )
    assert [finding.whose.text.split(":")[0] for finding in story.findings] == [
        "The control of site 0, as far as the journal tells",
        "The handler, as far as the journal tells",
        "The test program of site 0, as far as the journal tells",
    ]


def test_an_answer_that_could_not_be_given_is_a_remark(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=10)
    made.begin()
    story = told(made, OracleResult("bins agree", "unknown", (), "no device was sorted", True))
    assert story.headline == "Nothing went wrong, but 1 promise could not be judged."
    assert story.remarks[0].text == "“bins agree” could not be judged: no device was sorted."


def test_runs_without_a_verdict_say_why_and_where_they_stopped(tmp_path: Path) -> None:
    made = MadeUp(tmp_path / "run", devices=10)
    made.begin()
    made.event("problem", "master", text="the result of site 0 cannot be written")
    made.journal.close()
    story = tell(collect(made.run))
    assert story.headline.startswith("The run has no end: it is still going on, or its process was killed.")
    assert story.remarks[0].text == "The journal stops at 0.000 s with event 9."
    made.run.fail("the disk is full")
    assert tell(collect(made.run)).headline == "The run could not finish: the disk is full."
    made.run.fail("interrupted", interrupted=True)
    assert tell(collect(made.run)).headline == "The run was interrupted before its end, so there is no verdict."


@pytest.mark.parametrize(
    ("t_ns", "text"),
    [
        (0, "0.000 s"),
        (2_700_000_000, "2.700 s"),
        (61_500_000_000, "1:01.500 min"),
        (3_723_400_000_000, "1:02:03.400 h"),
    ],
)
def test_times_are_read_as_people_say_them(t_ns: int, text: str) -> None:
    assert clock(t_ns) == text


def test_small_change_of_sentences() -> None:
    assert (counted(0, "device"), counted(1, "device"), counted(2, "device")) == (
        "no device",
        "1 device",
        "2 devices",
    )
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(n) for n in range(10)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert (sentence("it failed"), sentence(""), sentence("why?")) == ("It failed.", "", "Why?")


def test_a_lot_that_came_back_from_one_soft_error_failed_of_the_next(tmp_path: Path) -> None:
    kills = [{"when": {"part": 10}, "do": {"kill": {"site": 0}}}, {"when": {"part": 30}, "do": {"kill": {"site": 1}}}]
    story = tell(collect(flown(tmp_path / "run", timeline=kills, cell__operator__resets=1)))
    (finding,) = story.findings
    assert finding.when.text.startswith("At 9.400 s of simulated time, in touchdown 16")
    assert finding.whose.text.endswith("and nobody pressed reset any more (cell.operator.resets is 1).")
    assert "killed the test program of site 0" in story.remarks[0].text


@pytest.mark.parametrize(
    ("changes", "whose"),
    [
        (
            {"cell__peripherals": {}},
            "The peripheral Temperature behind the test cell controller: the master waited 5 s for its answer."
            " The cell has no peripheral of this name (cell.peripherals).",
        ),
        (
            {"cell__peripherals": {"Temperature": {"latency_s": 40}}},
            "The peripheral Temperature behind the test cell controller: the master waited 5 s for its answer."
            " It takes 40 s to answer (cell.peripherals.Temperature.latency_s).",
        ),
        (
            {"cell__timeouts": {"results_s": 0.05}},
            "The test program of site 0 and the test program of site 1: the master waited 0.05 s for an answer that did"
            " not come (site 0 was last testing and site 1 was last testing). The scenario itself sets this limit"
            " (cell.timeouts.results_s); usually it is 30 s.",
        ),
        (
            {"limits__virtual_s": 3},
            "Nobody in the cell: the scenario's own limit (limits) ended the run at 3.000 s, while nothing was wrong;"
            " 20 devices had been sorted by then.",
        ),
        (
            {"timeline": [{"when": {"part": 10}, "do": {"operator": "unload"}}]},
            "The operator: “unload” was pressed at 1.450 s, while the lot was running.",
        ),
    ],
)
def test_it_is_said_whose_fault_it_was(tmp_path: Path, changes: dict[str, object], whose: str) -> None:
    finding = tell(collect(flown(tmp_path / "run", **changes))).findings[0]
    assert finding.oracle.name == "lot completes"
    assert finding.whose.text == whose
