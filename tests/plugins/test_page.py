"""docs/plugins.md: commands, code and scenarios run as they stand; every row of the inventory has a test or a line."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from drycell.runtime.plugins.kinds import KINDS
from drycell.sim.cell.run import run
from drycell.sim.cell.semi_ate import make_environment
from drycell.sim.cli import main
from drycell.sim.scenario import load
from tests.rows import rows_with_tests

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
ROWS = {f"HS-{number:02}" for number in range(1, 61)}
REST = f"""
drycell: 1
name: an example of the page
rung: model
program: {{definitions: {ROOT / "scenarios" / "demo"}}}
devices: {{size: 8}}
instruments: {{meter: {{variable: DRYCELL_METER}}}}
expect: [lot completes, one result per device]
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_row_of_the_plugin_document_has_a_test_or_a_stated_replacement() -> None:
    replaced = set(re.findall(r"HS-\d+", PAGE))
    assert rows_with_tests("HS") | replaced >= ROWS
    assert rows_with_tests("HS") - ROWS == set()


def test_every_hook_stands_on_the_page() -> None:
    assert [kind.make for kind in KINDS.values() if f"`{kind.make}(" not in PAGE] == []
    assert [kind.names for kind in KINDS.values() if f"`{kind.names}`" not in PAGE] == []


def test_the_example_of_the_page_does_what_it_says() -> None:
    (code,) = blocks("python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/plugins.md", "exec"), {})
    assert "no plugin has the tester 'drycell.NoTester'" in said.getvalue()


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_the_scenarios_of_the_page_fly(tmp_path: Path, number: int) -> None:
    (tmp_path / "page.yaml").write_text(REST + blocks("yaml")[number])
    result = run(load(tmp_path / "page.yaml", {"cell.peripherals.Temperature.latency_s": 0.05}), tmp_path / "run")
    assert result.verdict == "holds", result.problems


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_the_commands_of_the_page_look_and_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder with the environment and the package that they name; semi-ate-testers fails, as the page explains."""
    (tmp_path / "my_venv").symlink_to(make_environment())
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "plugin.py").write_text(
        "from drycell.plugins_sim.ate import Plugin as Theirs\n\n\nclass Plugin(Theirs):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    codes, said = [], []
    for line in blocks("")[0].splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "drycell"
        codes.append(main(words))
        said.append(capsys.readouterr().out)
    assert codes == [0, 0, 1, 0]
    assert "drycell.plugins_sim.ate:plugin" in said[0]
    assert "semi-ate-testers" in said[1]
    assert "5 fail" in said[2]
    assert "my_package.plugin: 15 pass" in said[3]
