"""The examples of README.md and docs/testing.md are run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def named(page: str, kind: str, name: str) -> str:
    """The example whose first line is the name of its file."""
    return next(block for block in blocks(page, kind) if block.startswith(f"# {name}\n"))


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Do one step of the job, in a folder where drycell is installed already."""
    variables = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CI": "true"}
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def test_the_job_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "test_cell.py").write_text(named("README.md", "python", "test_cell.py"), encoding="utf-8")
    job = YAML(typ="safe").load(named("README.md", "yaml", ".github/workflows/cell.yml"))["jobs"]["cell"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert [step.split()[0] for step in steps] == ["pip", "pytest", "drycell"]

    assert shell("drycell program new my_ldo", tmp_path).returncode == 0
    tests, search = (shell(step, tmp_path) for step in steps[1:])
    assert "2 passed" in tests.stdout, tests.stdout
    assert "nothing was found" in search.stdout, search.stdout + search.stderr
    assert search.returncode == 0


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    (pytester.path / "scenarios").symlink_to(ROOT / "scenarios")
    (pytester.path / "test_page.py").write_text("\n\n".join(blocks("docs/testing.md", "python")), encoding="utf-8")
    pytester.runpytest_subprocess("--drycell-runs", "10").assert_outcomes(passed=4)
