"""``drycell run``: one scenario, once, or twice to see whether both runs are the same."""

import argparse
import errno
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
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.progress import watching
from drycell.sim.cli.runner import Runner, simulated_cell
from drycell.sim.cli.tables import print_run
from drycell.sim.errors import DrycellError
from drycell.sim.lockstep import DebugWish
from drycell.sim.replay import Divergence, first_divergence
from drycell.sim.runs import Run, RunStore
from drycell.sim.scenario import Scenario, load
from drycell.sim.scenario.tree import parse as parse_tree

VIOLATED, TOOL_ERROR, INTERRUPTED = 1, 3, 130
JOURNAL = "journal.jsonl"
_OVERRIDES = {  # option -> key of the scenario
    "program": "program.path",
    "python": "program.python",
    "sites": "cell.sites",
    "duts": "devices.size",
    "seed": "seed",
    "rung": "rung",
    "pace": "pace",
    "dialect": "cell.dialect",
    "broker": "cell.broker",
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_PATHS = ("program", "python")


def run(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell run``; returns the exit code."""
    scenario = load(arguments.scenario, overrides(arguments))
    if arguments.program is not None and scenario.rung == "model":
        raise UsageError("--program needs rung process, since rung model interprets definitions; add --rung process")
    refuse_impossible(scenario)
    runner = arguments.runner or simulated_cell()
    made = RunStore().new(scenario, arguments.scenario, out=arguments.out)
    try:
        with _terminable(), watching(scenario) as progress:
            result = runner(scenario, made.path, observer=progress.take, say=talk, debug=_debug(arguments.debug))
        made.finish(result)
        parted = _fly_again(arguments, scenario, runner, made) if arguments.twice else None
    except BaseException as error:
        return _give_up(made, error)
    if arguments.json:
        print_json(result.to_json())
    else:
        print_run(scenario.name, made, result, progress.tally)
    if arguments.junit is not None:
        write_junit(arguments.junit, scenario.name, result)
    if parted is not None:
        talk("\n".join(parted.sentences()))
        return max(result.exit_code, VIOLATED)
    return result.exit_code


def _debug(text: str | None) -> DebugWish | None:
    """``SITE`` or ``SITE:PORT``."""
    if text is None:
        return None
    site, colon, port = text.partition(":")
    if not site.isdecimal() or (colon and not (port.isdecimal() and 0 < int(port) < 65_536)):
        raise UsageError(f"--debug {text!r} is no SITE or SITE:PORT; write for instance --debug 0 or --debug 0:5678")
    return DebugWish(int(site), int(port)) if colon else DebugWish(int(site))


def _fly_again(arguments: argparse.Namespace, scenario: Scenario, runner: Runner, made: Run) -> Divergence | None:
    """Run the same once more beside the first, and compare the journals."""
    again = made.path / "again"
    with _terminable():
        runner(scenario, again, say=talk)
    parted = first_divergence(made.path / JOURNAL, again / JOURNAL)
    if parted is None:
        talk("both runs wrote the same journal, byte for byte")
    return parted


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the options say about the scenario, as dotted keys. ``--set`` comes last and in order."""
    changes: dict[str, Any] = {}
    for option, key in _OVERRIDES.items():
        text = getattr(arguments, option, None)
        if text is None:
            continue
        if option in _PATHS:
            folder = Path() if arguments.scenario is None else arguments.scenario.parent
            changes[key] = _path_from_scenario(text, folder)
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
    interrupted = isinstance(error, KeyboardInterrupt)
    kept = f"what was learnt so far is in {run.path}"
    if interrupted:
        why, said = "interrupted", f"interrupted; {kept}"
    elif isinstance(error, DrycellError):
        why, said = str(error), f"{error}\n{kept}"
    elif isinstance(error, OSError) and error.errno in _NO_ROOM:
        why = f"the run directory cannot be written ({error.strerror}); free space or use --out for another place"
        said = f"{why}\n{kept}"
    else:
        why = f"internal error ({type(error).__name__}: {error})"
        where = write_traceback(run.path)
        said = f"internal error ({type(error).__name__}); the full traceback is in {where}"
    talk(f"drycell: {said}")
    try:
        run.fail(why, interrupted=interrupted)
    except OSError:
        talk(f"{run.path} could not be written to the end")
    return INTERRUPTED if interrupted else TOOL_ERROR


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
