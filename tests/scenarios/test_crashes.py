"""A program that dies, or whose link does, at every step of the protocol: soft error in time, no orphan, nothing lost
of the other site, and the cell comes back.

On rung model and, in virtual time, with the real program.
"""

from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

ROOT = Path(__file__).parents[2] / "scenarios"
CRASHES: dict[str, dict[str, Any]] = {
    "SIGKILL": {"kill": {"site": 0}},
    "SIGSEGV": {"segfault": 0},
    "exit 1": {"exit": 0},
    "link cut with FIN": {"cut": 0},
    "link cut without FIN": {"half_open": 0},
}
STEPS: dict[str, dict[str, Any]] = {
    "when it is launched": {"when": {"control": "busy", "site": 0}},
    "while it starts": {"when": {"control": "busy", "site": 0}, "with_delay": "100ms"},
    "when it is loaded": {"when": {"says": "idle", "site": 0}},
    "when the lot is ready": {"when": {"handler": "ready"}},
    "at contact": {"when": {"touchdown": 2}},
    "at next": {"when": {"command": "next", "nth": 2}},
    "when it begins to test": {"when": {"says": "testing", "site": 0, "nth": 2}},
    "when it asks a peripheral": {"when": {"says": "io-control", "site": 0, "nth": 2}},
    "while it measures": {"when": {"topic": "ate/demo/Master/Temperature/response", "nth": 2}, "with_delay": "20ms"},
    "when it is done": {"when": {"says": "idle", "site": 0, "nth": 3}},
    "when its result is there": {"when": {"says": "testresult", "site": 0, "nth": 2}},
    "when it is told to terminate": {"when": {"command": "terminate"}},
    "when it sends its summary": {"when": {"says": "testsummary", "site": 0}},
}


def story(crash: str, step: str, rung: str) -> Any:
    return from_data(
        {
            "drycell": 1,
            "name": f"{crash} {step}",
            "rung": rung,
            "pace": "virtual",
            "cell": {
                "sites": 2,
                "handler": {"index_time_s": 0.1},
                "operator": {"resets": 4, "reset_after_s": 0.5},
                "peripherals": {"Temperature": {"latency_s": 0.05}},
                "timeouts": {"loading_s": 4, "testing_s": 1, "results_s": 7, "unloading_s": 2},
            },
            "program": {"definitions": str(ROOT / "demo")},
            "devices": {"size": 4},
            "instruments": {"meter": {"variable": "DRYCELL_METER"}},
            "timeline": [{**STEPS[step], "do": CRASHES[crash]}],
            "expect": ["lot completes", "nothing is left behind"],
            "limits": {"virtual_s": 120, "wall_s": 100},
        }
    )


def survives(crash: str, step: str, rung: str, run_dir: Path) -> None:
    result = run(story(crash, step, rung), run_dir)
    events = list(journals.read(run_dir / JOURNAL))
    assert [e.fields["fault"] for e in events if e.kind == "fault"]
    violated = {oracle.name: oracle.text for oracle in result.oracles if oracle.verdict == "violated"}
    assert (result.verdict, violated) == ("holds", {}), result.problems
    assert result.parts == 4


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("crash", CRASHES)
def test_the_cell_survives_a_crash_of_the_modelled_program(crash, step, tmp_path):
    survives(crash, step, "model", tmp_path / "run")


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("crash", CRASHES)
def test_the_cell_survives_a_crash_of_the_real_program(crash, step, tmp_path):
    survives(crash, step, "process", tmp_path / "run")
