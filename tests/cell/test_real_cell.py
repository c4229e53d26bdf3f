"""The real, unmodified Semi-ATE program in the simulated cell, in virtual time, which is its default pace."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from drycell.sim.scenario import canonical

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]

TESTS = ("contact_1", "vout_1", "iq_1", "ramp_1")
LAYOUT = {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]}
AT_ONCE = [  # the program's pauses are inputs that an operator can set: here none, so that a lot takes seconds
    {"when": {"touchdown": 1}, "do": {"operator": {"parameter": {"name": f"{test}.settle_s", "value": 0}}}}
    for test in TESTS
]
PROMISES = (
    *("lot completes", "one result per device", "bins agree", "programs end well"),
    *(f"{role} states follow the table" for role in ("master", "control", "sequencer", "handler")),
)


def quick(**changes):
    """Changes for a lot in seconds: no pauses in the program, quick mechanics, a quick peripheral."""
    timeline = [*AT_ONCE, *changes.pop("timeline", [])]
    sites = changes.pop("sites", 2)
    cell = {
        "sites": sites,
        "layout": {site: LAYOUT[site] for site in range(sites)},
        "handler": {"index_time_s": 0.01},
        "peripherals": {"Temperature": {"latency_s": 0.005}},
        **changes.pop("cell", {}),
    }
    return {"rung": "process", "timeline": timeline, "cell": cell, **changes}


def held(flight):
    return {oracle.name for oracle in flight.result.oracles if oracle.verdict == "holds"}


def broken(flight):
    return [(oracle.name, oracle.text) for oracle in flight.result.oracles if oracle.verdict == "violated"]


@pytest.mark.parametrize("sites", [1, 2, 4])
def test_fifty_touchdowns_with_options_that_change_in_between(fly, sites):
    on = {"options": {"stop_on_fail": True}}
    off = {"options": {"stop_on_fail": False}}
    moved = {"operator": {"bin": {"soft": 1, "hard": 9}}}
    flight = fly(
        **quick(
            sites=sites,
            devices={"size": 50 * sites, "defects": "40%"},
            timeline=[
                {"when": {"touchdown": 10}, "do": on},
                {"when": {"touchdown": 30}, "do": off},
                {"when": {"touchdown": 40}, "do": moved},
            ],
        )
    )
    assert broken(flight) == []
    assert held(flight) >= set(PROMISES)
    assert len(flight.kinds("contact")) == 50
    results = flight.results()
    full = max(prr["NUM_TEST"] for _, prr in results)
    touchdown = {entry["part"]: e.fields["touchdown"] for e in flight.kinds("contact") for entry in e.fields["sites"]}
    stopped = [touchdown[prr["PART_ID"]] for _, prr in results if prr["NUM_TEST"] < full]
    assert stopped and all(10 <= number < 30 for number in stopped)
    assert {prr["HARD_BIN"] for _, prr in results if prr["SOFT_BIN"] == 1} == {1, 9}
    assert flight.said("sequencer0")[-1] == "terminated"
    assert (flight.run_dir / "sites" / "0" / "stderr.txt").exists()


def test_the_same_lot_gives_the_same_values_and_bins_on_both_rungs(fly):
    lot = {"devices": {"size": 40, "defects": "40%"}}
    model, real = fly(**lot), fly(**quick(**lot))
    assert broken(real) == []
    assert values(model) == values(real)
    assert model.result.soft_bins == real.result.soft_bins
    assert model.result.hard_bins == real.result.hard_bins


def values(flight):
    """Part -> everything measured and its bins."""
    found = {}
    for heard in flight.facts.program("testresult"):
        records = heard.content["payload"]
        prr = records[-1]
        measured = [
            (r["TEST_NUM"], r["RESULT"] if r["type"] == "PTR" else tuple(r["RTN_RSLT"]), r["LO_LIMIT"], r["HI_LIMIT"])
            for r in records
            if r["type"] in ("PTR", "MPR")
        ]
        found[prr["PART_ID"]] = (prr["SOFT_BIN"], prr["HARD_BIN"], prr["NUM_TEST"], measured)
    return found


@pytest.mark.parametrize(
    "mishap",
    [{"kill": {"site": 0}}, {"operator": {"parameter": {"name": "no.such", "value": 1}}}],
    ids=["a crash", "an error of the program"],
)
def test_after_a_mishap_reset_and_reload_bring_the_lot_to_its_end(fly, mishap):
    flight = fly(
        **quick(
            cell={"operator": {"resets": 1, "reset_after_s": 0.1}},
            devices={"size": 20},
            timeline=[{"when": {"touchdown": 5}, "do": mishap}],
        )
    )
    assert broken(flight) == [], flight.result.problems
    assert held(flight) >= set(PROMISES)
    assert flight.said("master").count("softerror") == 1
    assert flight.said("master").count("loading") == 2
    assert sum(event.kind == "launch" for event in flight.events) == 4
    assert sorted({event.fields["device"] for event in flight.kinds("sorted")}) == list(range(1, 21))


# programs that cannot fly ---------------------------------------------------------------------------------------------


DIES = "import sys\nprint('no licence for the tester', file=sys.stderr)\nsys.exit({code})\n"


def own_program(tmp_path, text):
    program = tmp_path / "own" / "my_prog.py"
    program.parent.mkdir()
    program.write_text(text)
    program.with_name("my_prog_binning.json").write_text(
        '{"bin-table": [{"SBIN": "1", "HBIN": "1", "SBINNAME": "Good", "GROUP": "", "DESCRIPTION": ""}]}'
    )
    return {"path": str(program), "python": sys.executable}


@pytest.mark.parametrize("code", [0, 1, 7])
def test_a_program_that_dies_before_it_connects_is_named_with_its_last_words(fly, tmp_path, code):
    flight = fly(**quick(program=own_program(tmp_path, DIES.format(code=code)), timeline=[]))
    assert flight.result.verdict == "violated"
    assert flight.result.wall_s < 20  # nobody waited for the 180 s of the loading timeout
    (problem, *_) = flight.result.problems
    assert f"ended with exit code {code} before it announced any state" in problem
    assert "its last words were 'no licence for the tester'" in problem
    assert "no licence for the tester" in (flight.run_dir / "sites" / "0" / "stderr.txt").read_text()


def test_a_program_that_never_becomes_idle_runs_into_the_loading_timeout(fly, tmp_path):
    program = own_program(tmp_path, "import time\ntime.sleep(3600)\n")
    flight = fly(**quick(program=program, cell={"timeouts": {"loading_s": 1}}))
    assert flight.result.problems[0].endswith("not all test programs became idle within 1 s")
    assert flight.result.verdict == "violated"


def test_killing_the_simulator_keeps_the_journal_and_leaves_no_process(fly, tmp_path):
    """The simulator is killed with SIGKILL in the middle of a lot."""

    flight = fly(devices={"size": 1})
    scenario = flight.scenario.model_copy(update={"rung": "process"})
    path = tmp_path / "scenario.json"
    path.write_bytes(canonical(scenario).replace(b'"size":1,', b'"size":500,'))
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from drycell.sim.cell.run import run
        from drycell.sim.scenario import load
        tell = lambda event: event.kind in ("sorted", "launch") and print(event.seq, event.kind, flush=True)
        run(load(Path(sys.argv[1])), Path(sys.argv[2]), observer=tell)
        """
    )
    run_dir = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", code, str(path), str(run_dir)], stdout=subprocess.PIPE, text=True)
    told = [child.stdout.readline().split() for _ in range(8)]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    from drycell.sim.kernel import journal as journals

    kept = {event.seq: event.kind for event in journals.read(run_dir / "journal.jsonl")}
    assert all(kept[int(seq)] == kind for seq, kind in told)
    deadline = time.monotonic() + 20
    while left := processes_in(run_dir):
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)


def processes_in(folder: Path) -> list[int]:
    """Processes whose working directory lies in ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
