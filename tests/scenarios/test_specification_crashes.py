"""Dialect ``specification``: a program that dies at every step of the protocol has every actuator torn down once, and
not a line of its own teardown code runs; the cell comes back.
"""

from pathlib import Path
from typing import Any

import pytest

from drycell.runtime.protocol import messages
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data
from tests.scenarios.test_crashes import CRASHES, ROOT

ACTUATORS = ("Magnet", "Temperature")
DEATHS = {"SIGKILL": -9, "SIGSEGV": -11, "exit 1": 1}
STEPS: dict[str, dict[str, Any]] = {
    "while it starts": {"when": {"control": "busy", "site": 0}, "with_delay": "1ms"},
    "when it is loaded": {"when": {"says": "idle", "site": 0}},
    "when the lot is ready": {"when": {"handler": "ready"}},
    "at contact": {"when": {"touchdown": 2}},
    "at next": {"when": {"command": "next", "nth": 2}},
    "when it begins to test": {"when": {"says": "testing", "site": 0, "nth": 2}},
    "when it asks a peripheral": {"when": {"says": "io-control", "site": 0, "nth": 2}},
    "while its peripheral works": {"when": {"says": "io-control", "site": 0, "nth": 2}, "with_delay": "20ms"},
    "when it is answered": {"when": {"topic": "ate/demo/Master/Temperature/response", "nth": 2}},
    "when it sends its first fragment": {"when": {"says": "stdf", "site": 0}},
    "when it sends its last fragment": {"when": {"says": "stdf", "site": 0, "nth": "LAST"}},
    "before its cycle teardown": {"when": {"topic": "ate/demo/TestApp/log/site0"}},
    "when it is done": {"when": {"says": "idle", "site": 0, "nth": 2}},
    "when it is told to terminate": {"when": {"command": "terminate"}},
    "when it has shut down": {"when": {"says": "Shutdown", "site": 0}},
}
SDK_PROGRAM = """
from pathlib import Path
from drycell.runtime.program import Context, Limit, Program

program = Program(bins={1: {1: "Good"}, 3: {12: "Vout"}})


def ran(ctx: Context, what: str) -> None:
    with Path("FOLDER/ran.txt").open("a") as file:
        file.write(f"{what} {ctx.site_id}\\n")


@program.test(Limit(3.25, 3.35, "V"), bin=12)
def supply(ctx: Context) -> float:
    ctx.get_actuator_proxy("Temperature").set_temperature(celsius=25)
    return float(ctx.instrument("meter").query(f"MEAS:VOUT? (@{ctx.site_id}),5.0"))


@program.on
def cycle_teardown(ctx: Context, has_error: bool) -> None:
    ran(ctx, "cycle_teardown")


@program.on
def program_teardown(ctx: Context) -> None:
    ran(ctx, "program_teardown")


if __name__ == "__main__":
    program.main()
"""


class Story:
    """A lot in which the program of site 0 dies, and what the journal tells of it."""

    def __init__(self, home: Path, crash: str, step: str, program: dict[str, str], fragments: int, rung: str) -> None:
        when = STEPS[step]["when"]
        if when.get("nth") == "LAST":
            when = {**when, "nth": fragments}
        scenario = from_data(
            {
                "drycell": 1,
                "name": f"{crash} {step}",
                "rung": rung,
                "cell": {
                    "dialect": "specification",
                    "sites": 2,
                    "handler": {"index_time_s": 0.1},
                    "operator": {"resets": 4, "reset_after_s": 0.5},
                    "peripherals": {name: {"latency_s": 0.05} for name in ACTUATORS},
                },
                "program": program,
                "devices": {"size": 4},
                "instruments": {"meter": {"variable": "DRYCELL_METER"}},
                "timeline": [{**STEPS[step], "when": when, "do": CRASHES[crash]}],
                "expect": ["lot completes", "nothing is left behind", "actuators are torn down"],
                "limits": {"virtual_s": 200, "wall_s": 100},
            }
        )
        self.result = run(scenario.at_home(home), home / "run")
        self.events = list(journals.read(home / "run" / JOURNAL))

    @property
    def violated(self) -> dict[str, str]:
        return {oracle.name: oracle.text for oracle in self.result.oracles if oracle.verdict == "violated"}

    def of(self, kind: str, **fields: Any) -> list[Event]:
        return [e for e in self.events if e.kind == kind and all(e.fields.get(k) == v for k, v in fields.items())]

    @property
    def causes(self) -> int:
        """How often the master fell into error, or came to the end of a lot."""
        fell = [e for e in self.of("state", to="softerror") if e.actor == "master"]
        fresh = [e for e in fell if e.fields["from"] not in ("softerror", "parking")]
        return len(fresh) + len(self.of("state", to="parking"))

    def torn_down(self, actuator: str) -> int:
        """How often the master asked for its Teardown."""
        asked = self.of("message", topic=f"ate/demo/{actuator}/io-control/request")
        return sum(messages.decode(e.fields["payload"].encode())["ioctl_name"] == "Teardown" for e in asked)

    @property
    def death(self) -> Event:
        return next(e for e in self.of("exit") if e.actor == "program0")

    def announced(self, *, until: Event | None = None) -> list[str]:
        """The teardown callbacks that the program of site 0 announced, in order."""
        said = [
            e for e in self.of("message", topic="ate/demo/TestApp/log/site0") if until is None or e.seq < until.seq
        ]
        contents = [messages.decode(e.fields["payload"].encode()) for e in said]
        return [one["payload"]["callback"] for one in contents if one["type"] == "teardown"]


def holds(story: Story, *, exit_code: int | None) -> None:
    assert len(story.of("fault")) == 1
    assert (story.result.verdict, story.violated) == ("holds", {}), story.result.problems
    assert story.result.parts == 4
    if exit_code is not None:
        assert story.death.fields["exit_code"] == exit_code
    assert [story.torn_down(actuator) for actuator in ACTUATORS] == [story.causes] * 2


@pytest.mark.row("SEQ-53", "SEQ-58")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("crash", CRASHES)
def test_each_error_and_each_end_of_a_lot_tears_every_actuator_down_once(
    crash: str, step: str, tmp_path: Path
) -> None:
    story = Story(tmp_path, crash, step, {"definitions": str(ROOT / "demo")}, 5, "model")
    holds(story, exit_code=DEATHS.get(crash))


def sdk_story(crash: str, step: str, rung: str, home: Path) -> tuple[Story, list[str]]:
    (home / "tested.py").write_text(SDK_PROGRAM.replace("FOLDER", str(home)), "utf-8")
    story = Story(home, crash, step, {"path": "tested.py"}, 2, rung)
    ran = [line.split()[0] for line in (home / "ran.txt").read_text().splitlines() if line.endswith(" 0")]
    return story, ran


@pytest.mark.row("SEQ-54")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("crash", ["SIGKILL", "exit 1"])
def test_no_teardown_code_of_a_dead_program_runs(crash: str, step: str, tmp_path: Path) -> None:
    story, ran = sdk_story(crash, step, "model", tmp_path)
    holds(story, exit_code=DEATHS[crash])
    assert ran == story.announced()
    before = story.announced(until=story.death)
    assert before == ["cycle_teardown"] * len(before) or step == "when it has shut down"


@pytest.mark.row("SEQ-53", "SEQ-54")
@pytest.mark.parametrize("step", ["when it asks a peripheral", "when it is told to terminate"])
def test_no_teardown_code_of_a_dead_process_runs(step: str, tmp_path: Path) -> None:
    story, ran = sdk_story("SIGSEGV", step, "process", tmp_path)
    holds(story, exit_code=DEATHS["SIGSEGV"])
    assert ran == story.announced() and set(story.announced(until=story.death)) == {"cycle_teardown"}
