"""``drycell run``: one scenario, once."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from drycell.sim.cell.possible import refuse_impossible
from drycell.sim.cli.crash import write_traceback
from drycell.sim.cli.junit import write_junit
from drycell.sim.cli.output import print_json, talk
from drycell.sim.cli.parsing import UsageError, Verbs
from drycell.sim.cli.progress import watching
from drycell.sim.cli.runner import simulated_cell
from drycell.sim.cli.tables import print_run
from drycell.sim.errors import DrycellError
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import load
from drycell.sim.scenario.tree import parse as parse_tree

INTERRUPTED, TOOL_ERROR = 130, 3
_OVERRIDES = {  # option -> key of the scenario
    "program": "program.path",
    "python": "program.python",
    "sites": "cell.sites",
    "duts": "devices.size",
    "seed": "seed",
    "rung": "rung",
    "pace": "pace",
    "dialect": "cell.dialect",
}
_PATHS = ("program", "python")


def add(verbs: Verbs) -> None:
    """Add ``run``."""
    parser = verbs.add("run", "run a scenario and judge it", _run)
    parser.add_argument("scenario", metavar="SCENARIO", type=Path, help="scenario file, .yaml or .json")
    parser.add_argument("--program", metavar="PATH", help="script of a real test program")
    parser.add_argument("--python", metavar="PATH", help="its interpreter")
    parser.add_argument("--sites", metavar="N|LIST", help="how many sites, or their numbers such as 0,2")
    parser.add_argument("--duts", metavar="N", help="number of devices")
    parser.add_argument("--seed", metavar="N", help="seed of everything random")
    parser.add_argument("--rung", metavar="RUNG", help="model or process")
    parser.add_argument("--pace", metavar="PACE", help="virtual, real or a factor such as x10")
    parser.add_argument("--dialect", metavar="NAME", help="dialect of the protocol")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any key of the scenario")
    parser.add_argument("--out", metavar="DIR", type=Path, help="run directory, instead of one in the store")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write the verdict as JUnit XML too")


def _run(arguments: argparse.Namespace) -> int:
    scenario = load(arguments.scenario, overrides(arguments))
    if arguments.program is not None and scenario.rung == "model":
        raise UsageError("--program needs rung process, since rung model interprets definitions; add --rung process")
    refuse_impossible(scenario)
    runner = arguments.runner or simulated_cell()
    run = RunStore().new(scenario, arguments.scenario, out=arguments.out)
    try:
        with _terminable(), watching(scenario) as progress:
            result = runner(scenario, run.path, observer=progress.take)
        run.finish(result)
    except BaseException as error:
        return _give_up(run, error)
    if arguments.json:
        print_json(result.to_json())
    else:
        print_run(scenario.name, run, result, progress.tally)
    if arguments.junit is not None:
        write_junit(arguments.junit, scenario.name, result)
    return result.exit_code


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the options say about the scenario, as dotted keys. ``--set`` comes last and in order."""
    changes: dict[str, Any] = {}
    for option, key in _OVERRIDES.items():
        text = getattr(arguments, option)
        if text is None:
            continue
        if option in _PATHS:
            changes[key] = _path_from_scenario(text, arguments.scenario.parent)
        elif option == "sites":
            changes[key] = _value("--sites", f"[{text}]" if "," in text else text)
        else:
            changes[key] = _value(f"--{option}", text)
    for text in arguments.set:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {text!r} is no KEY=VALUE; write for instance --set devices.defects=8%")
        changes[key] = _value(f"--set {key}", value)
    return changes


def _value(option: str, text: str) -> Any:
    """A value as the scenario file would hold it: ``[0, 2]``, ``8%``, ``true``, ``"306426.001"``."""
    return parse_tree(text.encode("utf-8", "surrogateescape"), name=option, as_json=False).data


def _path_from_scenario(text: str, folder: Path) -> str:
    """A path given on the command line, seen from the scenario's folder, where relative paths start."""
    return text if Path(text).is_absolute() else os.path.relpath(text, folder)


def _give_up(run: Run, error: BaseException) -> int:
    """Keep what was learnt, say in one line what happened, and name the exit code."""
    kept = f"what was learnt so far is in {run.path}"
    if isinstance(error, DrycellError):
        run.fail(str(error))
        talk(f"drycell: {error}")
        talk(kept)
        return TOOL_ERROR
    if isinstance(error, KeyboardInterrupt):
        run.fail("interrupted", interrupted=True)
        talk(f"drycell: interrupted; {kept}")
        return INTERRUPTED
    where = write_traceback(run.path)
    run.fail(f"internal error ({type(error).__name__}: {error})")
    talk(f"drycell: internal error ({type(error).__name__}); the full traceback is in {where}")
    return TOOL_ERROR


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, so that its processes are ended and its files closed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread of this process: whoever embeds us handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        sys.stdout.flush()
