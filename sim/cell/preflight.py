"""Look at a program before it is started, and copy it into the run directory.

Rules that hold here:
- One clear sentence for each thing that would otherwise end as a process that silently never speaks.
- The user's files are only read. The copy keeps the shape of a Semi-ATE project, because the program finds its
  modules, patterns and output folder by its own place in the tree.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drycell.sim.errors import DrycellError

SEMI_ATE_FOLDERS = ("pattern", "pattern_output", "protocols")  # of the project, beside its code
NOT_COPIED = (
    *(".git", ".venv", "venv", ".drycell"),
    *(".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache"),  # others write there while this one copies
)
ASK_LIMIT_S = 60.0

# Run in the user's interpreter: its version, whether ate_test_app is there, and what is wrong with the program text.
_QUESTION = """
import ast, importlib.util, json, sys
answer = {"version": sys.version_info[:2], "semi_ate": importlib.util.find_spec("ate_test_app") is not None}
try:
    text = open(sys.argv[1], "rb").read()
    ast.parse(text, sys.argv[1])
except SyntaxError as error:
    answer["wrong"] = "line %s: %s" % (error.lineno, error.msg)
except ValueError as error:
    answer["wrong"] = str(error)
else:
    answer["uses_semi_ate"] = b"ate_test_app" in text
print("drycell" + json.dumps(answer))
"""


@dataclass(frozen=True, slots=True)
class Examined:
    """What preflight found out."""

    python: Path
    program: Path
    python_version: tuple[int, int]
    semi_ate: bool


def examine(python: Path, program: Path) -> Examined:
    """Check that ``python program`` can be started as a test program.

    Raises DrycellError for: no such program, an interpreter that is none or lacks ate_test_app, a file that is not
    Python, a Semi-ATE program without its binning or execution strategy file.
    """
    program, python = program.absolute(), python.absolute()
    if not program.exists():
        raise DrycellError(f"there is no program {program}; --program takes the generated <program>.py of a project.")
    if not program.is_file():
        raise DrycellError(f"{program} is a folder; --program takes the generated <program>.py in it.")
    if not python.is_file() or not os.access(python, os.X_OK):
        raise DrycellError(f"{python} is no program that can be executed; --python takes a Python interpreter.")
    answer = _ask(python, program)
    if "wrong" in answer:
        raise DrycellError(f"{program} is not Python ({answer['wrong']}).")
    if answer["uses_semi_ate"]:
        _refuse_incomplete(program)
        if not answer["semi_ate"]:
            raise DrycellError(
                f"{python} has no package ate_test_app, which {program.name} needs; name the interpreter of the"
                f" environment it was made for, or install it with: {python} -m pip install semi-ate-test-app"
                " semi-ate-plugins semi-ate-testers."
            )
    major, minor = answer["version"]
    return Examined(python, program, (major, minor), answer["uses_semi_ate"])


def private_copy(program: Path, into: Path) -> Path:
    """Copy the program and what belongs to it under ``into``; returns the copied program file.

    A Semi-ATE program (PROJECT/CODE/HARDWARE/BASE/program.py) brings PROJECT/CODE and the pattern folders of PROJECT;
    any other program brings the folder it lies in. Left out: the ``log`` folder beside the program, in which a
    foreign file name is enough to kill it at start-up, version control, virtual environments, what test tools keep,
    and runs of drycell: the store, and the run directory itself where it lies in that folder.
    """
    program = program.absolute()
    own = {into.absolute(), *into.absolute().parents}

    def unwanted(folder: str, names: list[str]) -> set[str]:
        log = {"log"} if Path(folder) == program.parent else set()
        return {n for n in names if n in NOT_COPIED or n in log or Path(folder, n) in own}

    try:
        if _is_semi_ate(program):
            code, project = program.parents[2], program.parents[3]
            home = into / project.name
            shutil.copytree(code, home / code.name, ignore=unwanted)
            for name in SEMI_ATE_FOLDERS:
                if (project / name).is_dir():
                    shutil.copytree(project / name, home / name)
            return home / program.relative_to(project)
        shutil.copytree(program.parent, into / program.parent.name, ignore=unwanted)
        return into / program.parent.name / program.name
    except (OSError, shutil.Error) as error:
        raise DrycellError(f"the program folder {program.parent} could not be copied to {into}: {error}.") from None


def _is_semi_ate(program: Path) -> bool:
    return len(program.parents) > 4 and program.with_name(f"{program.stem}_execution_strategy.json").is_file()


def _refuse_incomplete(program: Path) -> None:
    for ending, cure in (
        ("_execution_strategy.json", "generate the program again with sammy"),
        ("_binning.json", "write its bin table from the plugin, or by hand"),
    ):
        companion = program.with_name(f"{program.stem}{ending}")
        if not companion.is_file():
            raise DrycellError(f"{program} has no {companion.name} beside it, without which it dies; {cure}.")
        try:
            json.loads(companion.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DrycellError(f"{companion} is not JSON: {error}.") from None


def _ask(python: Path, program: Path) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    command = [str(python), "-c", _QUESTION, str(program)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_LIMIT_S,
            env=environment,
            cwd=program.parent.anchor,
        )
        line = next(text for text in done.stdout.splitlines() if text.startswith(b"drycell"))
        return dict(json.loads(line.removeprefix(b"drycell")))
    except (OSError, subprocess.SubprocessError, StopIteration, ValueError):
        raise DrycellError(f"{python} does not answer as a Python interpreter; --python takes one.") from None
