"""The example in docs/findings.md is what the reducer makes of a lot with much that does not matter."""

import os
from pathlib import Path

import pytest

from drycell.sim.cell.program_model import load_program_model
from drycell.sim.explore.explanation import explain
from drycell.sim.explore.flight import fly
from drycell.sim.explore.reducer import reduce
from drycell.sim.scenario import from_data
from drycell.sim.scenario.files import pretty
from tests.oracles.support import scenario_data

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "findings.md"
BEGIN, END = "<!-- finding: begin -->\n", "<!-- finding: end -->"
TIMELINE = [
    {"when": {"touchdown": 2}, "do": {"options": {"stop_on_fail": True, "single_step": True}}},
    {"at": "3s", "do": {"slow_link": {"site": 1, "for": 2.5}}},
    {"when": {"part": 7}, "do": {"kill": {"site": 1}}},
    {"when": {"site": 0, "says": "testing", "nth": 3}, "do": {"delay": "testresult", "by": "317ms"}},
    {"at": "9s", "do": {"operator": {"loglevel": 10}}},
]


def example() -> str:
    """What the page says between its marks, made anew; relative paths start in the repository."""
    cell = {"quirks": ["sequencer-passes-part-on-stop", "master-hides-message"], "operator": {"resets": 2}}
    data = scenario_data({"cell": cell, "devices": {"size": 12, "defects": "60%"}, "timeline": TIMELINE})
    scenario = from_data({**data, "program": {"definitions": "scenarios/demo"}})
    tests = [test.instance for test in load_program_model(Path("scenarios/demo")).tests]
    violation = next(one for one in fly(scenario).findings if one.oracle == "stopped devices are failed devices")
    small = reduce(scenario, violation, fly, tests=tests)
    told = "\n".join(explain(small.violation, fly(small.scenario).events))
    return f"```yaml\n{pretty(small.scenario)}```\n```\n{told}\n```\n"


def test_the_example_is_what_the_reducer_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0] == example()


if __name__ == "__main__":
    os.chdir(ROOT)
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{example()}{END}{rest.split(END)[1]}", encoding="utf-8")
