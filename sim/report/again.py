"""The command that runs a finished run once more.

Rule: the run directory's ``scenario.json`` holds the scenario with every override that was given; only its relative
paths need to be told where they started.
"""

import json
import re
import shlex
from importlib.util import find_spec

from drycell.sim.report.collected import Collected

_PLAIN = re.compile(r"[\w./@+-]+")
_PATHS = ("definitions", "path", "python")


def command(collected: Collected) -> str:
    """One line for a shell."""
    where = str(collected.run.path)
    if find_spec("drycell.sim.replay") is not None:
        return shlex.join(["drycell", "replay", where])
    words = ["drycell", "run", f"{where}/scenario.json"]
    if collected.scenario is not None:
        for name in _PATHS:
            text = getattr(collected.scenario.program, name)
            if text is not None and not text.startswith("/"):
                path = str(collected.scenario.path_of(text))
                words += ["--set", f"program.{name}={path if _PLAIN.fullmatch(path) else json.dumps(path)}"]
    return shlex.join(words)
