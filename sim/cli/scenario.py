"""``drycell scenario``: write, check, describe and normalise scenario files."""

import argparse
from pathlib import Path

from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.cli.parsing import Verbs
from drycell.sim.errors import DrycellError
from drycell.sim.scenario import canonical, load
from drycell.sim.scenario.files import pretty, schema, starter

_TOOL_ERROR = 3


def add(verbs: Verbs) -> None:
    """Add ``scenario`` with its own verbs."""
    group = verbs.group("scenario", "write, check and normalise scenario files")
    check = group.add("check", "say whether scenario files can be used", _check)
    check.add_argument("files", metavar="FILE", nargs="+", type=Path)
    group.add("schema", "print the JSON schema of scenarios", _schema)
    fmt = group.add("fmt", "print a scenario in its plainest form", _fmt)
    fmt.add_argument("file", metavar="FILE", type=Path)
    fmt.add_argument("--json", action="store_true", help="the canonical JSON, with all defaults")
    new = group.add("new", "write a commented starter scenario", _new)
    new.add_argument("file", metavar="FILE", type=Path)


def _check(arguments: argparse.Namespace) -> int:
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


def _schema(_arguments: argparse.Namespace) -> int:
    print_json(schema())
    return 0


def _fmt(arguments: argparse.Namespace) -> int:
    scenario = load(arguments.file)
    print_text(canonical(scenario).decode() if arguments.json else pretty(scenario).rstrip("\n"))
    return 0


def _new(arguments: argparse.Namespace) -> int:
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
