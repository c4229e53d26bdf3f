"""``drycell scenario``: write, check, describe and normalise scenario files."""

import argparse
from pathlib import Path

from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.errors import DrycellError
from drycell.sim.scenario import canonical, load
from drycell.sim.scenario.files import pretty, schema, starter

_TOOL_ERROR = 3


def check(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell scenario check``."""
    bad = 0
    for path in arguments.files:
        try:
            load(path)
            print_text(f"{path}: good")
        except DrycellError as error:
            bad += 1
            print_text(str(error))
    if bad:
        talk(f"drycell: {bad} of {len(arguments.files)} scenarios cannot be used")
    return _TOOL_ERROR if bad else 0


def print_schema(_arguments: argparse.Namespace) -> int:
    """Carry out ``drycell scenario schema``."""
    print_json(schema())
    return 0


def fmt(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell scenario fmt``."""
    scenario = load(arguments.file)
    print_text(canonical(scenario).decode() if arguments.json else pretty(scenario).rstrip("\n"))
    return 0


def new(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell scenario new``."""
    path: Path = arguments.file
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise DrycellError(f"{path}: a starter is YAML; name it {path.with_suffix('.yaml')}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(path.stem))
    except FileExistsError:
        raise DrycellError(f"{path} exists already; name a new file") from None
    except OSError as error:
        raise DrycellError(f"{path} cannot be written ({error.strerror}); name another place") from None
    talk(f"wrote {path}; check it with: drycell scenario check {path}")
    return 0
