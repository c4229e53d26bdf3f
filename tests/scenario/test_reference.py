"""The page about scenarios says what the model says, and its example is one."""

import re
from pathlib import Path

from drycell.sim.scenario import from_text
from drycell.sim.scenario.reference import updated

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenario.md"


def test_the_tables_of_keys_are_those_of_the_model() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert updated(text) == text, "run: python -m drycell.sim.scenario.reference docs/scenario.md"


def test_the_example_is_a_scenario_and_the_steps_are_steps() -> None:
    text = PAGE.read_text(encoding="utf-8")
    example = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    scenario = from_text(example)
    assert scenario.devices.size == 50
    triggers = re.findall(r"^\| `((?:at|when): .*?)` \|", text, re.MULTILINE)
    actions = re.findall(r"^\| `(do: .*?)` \|", text, re.MULTILINE)
    assert len(triggers) == 5 and len(actions) == 6
    for trigger in triggers:
        for action in actions:
            from_text(f"drycell: 1\nname: x\ncell: {{sites: 2}}\ntimeline:\n- {{{trigger}, {action}}}\n")
