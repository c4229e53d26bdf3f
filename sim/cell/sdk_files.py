"""Files of test programs written with drycell's SDK: recognised, and asked for their bins before anything starts."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drycell.runtime.program import ProgramError
from drycell.runtime.program.launch import describe
from drycell.runtime.program.loading import is_program, load
from drycell.sim.errors import DrycellError
from drycell.sim.scenario import Scenario

ASK_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class SdkFile:
    """A program file. ``python``: its interpreter, None where it runs in this very process."""

    path: Path
    python: Path | None
    bin_table: Mapping[int, tuple[int, ...]]
    bin_names: Mapping[int, str]
    tests: Sequence[str]


def sdk_file(scenario: Scenario) -> SdkFile | None:
    """The program of the scenario if it is written with the SDK, else None.

    On rung model the file is executed here, which the user has asked for by naming it; on rung process by its own
    interpreter. Raises DrycellError, naming file and line, for a file that cannot be used.
    """
    path = sdk_path(scenario)
    if path is None:
        return None
    if scenario.rung == "model":
        try:
            return _file(path, None, describe(load(path), path.stem))
        except ProgramError as error:
            raise DrycellError(str(error)) from None
    named = scenario.program.python
    python = Path(sys.executable) if named is None else Path(os.path.normpath(scenario.path_of(named)))
    return _file(path, python, _ask(python.absolute(), path))


def sdk_path(scenario: Scenario) -> Path | None:
    """The file that ``program.path`` names, if it imports the SDK."""
    if scenario.program.path is None:
        return None
    path = Path(os.path.normpath(scenario.path_of(scenario.program.path))).absolute()
    return path if is_program(path) else None


def _file(path: Path, python: Path | None, told: Mapping[str, Any]) -> SdkFile:
    bins = {int(hard): {int(soft): str(name) for soft, name in softs.items()} for hard, softs in told["bins"].items()}
    names = {soft: name for softs in bins.values() for soft, name in softs.items()}
    table = {hard: tuple(softs) for hard, softs in bins.items()}
    return SdkFile(path, python, table, names, [test["name"] for test in told["tests"]])


def _ask(python: Path, path: Path) -> Mapping[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            [str(python), str(path), "--describe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_LIMIT_S,
            env=environment,
            cwd=path.parent,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DrycellError(f"{python} {path} --describe does not answer ({error}).") from None
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        raise DrycellError(_reason(python, path, done.stderr.decode("utf-8", "replace"))) from None


def _reason(python: Path, path: Path, stderr: str) -> str:
    """What a program that could not be loaded has left on its standard error, in one sentence."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return f"{path} does not run when it is started; end it with: if __name__ == '__main__': program.main()"
    if "No module named 'drycell" in lines[-1]:
        return f"{python} has no package drycell, which {path.name} needs; install it there"
    places = re.findall(r'File "([^"]+)", line (\d+)', stderr)
    own = [place for place in places if path.parent in Path(place[0]).parents]
    return f"{own[-1][0]}, line {own[-1][1]}: {lines[-1]}" if own else f"{path}: {lines[-1]}"
