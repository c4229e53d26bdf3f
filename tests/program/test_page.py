"""docs/program.md: its program flies, and it names every option, hook and method there is."""

import re
from pathlib import Path

import pytest

from drycell.runtime.program import Context
from drycell.runtime.program.definition import HOOKS
from drycell.runtime.program.launch import _parser
from drycell.sim.cell.run import run
from drycell.sim.scenario import from_text

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "program.md").read_text("utf-8")


def block(kind: str) -> str:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]


def test_the_program_of_the_page_flies(tmp_path: Path) -> None:
    (tmp_path / "my_ldo.py").write_text(block("python"), "utf-8")
    text = f"drycell: 1\nname: the page\nrung: model\ndevices: {{size: 4}}\nexpect: [lot completes]\n{block('yaml')}"
    result = run(from_text(text).at_home(tmp_path), tmp_path / "run")
    assert (result.verdict, result.parts) == ("holds", 4), result.problems


@pytest.mark.parametrize(
    "word",
    [
        *HOOKS,
        *(
            f"ctx.{name}"
            for name in vars(Context)
            if not name.startswith("_") and name.startswith(("get_actuator", "s", "n", "i", "b"))
        ),
        *(option for action in _parser("x")._actions for option in action.option_strings[:1] if option != "-h"),
    ],
)
def test_the_page_names(word: str) -> None:
    assert word in PAGE or word.replace("_", "-").replace("--", "--", 1) in PAGE
