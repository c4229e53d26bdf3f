"""``drycell program``: test programs written with the SDK."""

import argparse
import re
import sys
from importlib.resources import files
from pathlib import Path

from drycell.sim.cli.output import talk
from drycell.sim.errors import DrycellError

_OWN_NAME = "regulator"
"""What the starters are called; it becomes the new program's name."""


def new(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell program new``."""
    path: Path = arguments.name
    if path.suffix == ".py":
        path = path.with_suffix("")
    _refuse_strange(path.name)
    texts = {path.with_suffix(suffix): _starter(suffix, path.name) for suffix in (".py", ".yaml")}
    for there in texts:
        if there.exists():
            raise DrycellError(f"{there} exists already; name a new program")
    for file, text in texts.items():
        try:
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
        except OSError as error:
            raise DrycellError(f"{file} cannot be written ({error.strerror}); name another place") from None
    program, scenario = texts
    talk(f"wrote {program} and {scenario}; fly it with: drycell run {scenario} --rung model")
    return 0


def _refuse_strange(name: str) -> None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        raise DrycellError(f"{name!r} is no name for a program; use letters, digits and underscores")
    if name in (*sys.stdlib_module_names, "drycell"):
        raise DrycellError(f"a program called {name} would hide Python's package of that name; take another name")


def _starter(suffix: str, name: str) -> str:
    text = files("drycell.sim.scenario").joinpath(f"starter_program{suffix}").read_text(encoding="utf-8")
    return text.replace(_OWN_NAME, name)
