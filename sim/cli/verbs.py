"""All verbs and their options on one page. The code behind a verb is loaded when the verb is used.

Each verb names the function that does its work as ``module:function`` within ``drycell.sim.cli``.
"""

import argparse
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from drycell.sim.cli.parsing import Parser, Verbs, make_parser

_FILE: Mapping[str, Any] = {"metavar": "FILE", "type": Path}


def command() -> Parser:
    """The parser of the whole command."""
    parser, verbs = make_parser()
    _run(verbs)
    _runs(verbs)
    _show(verbs)
    _scenario(verbs)
    _doctor(verbs)
    return parser


def carry_out(arguments: argparse.Namespace) -> int:
    """Do what the verb says and return the exit code."""
    module, _, function = arguments.do.partition(":")
    code: int = getattr(import_module(f"drycell.sim.cli.{module}"), function)(arguments)
    return code


def _run(verbs: Verbs) -> None:
    parser = verbs.add("run", "run a scenario and judge it", "run:run")
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
    parser.add_argument("--junit", **_FILE, help="write the verdict as JUnit XML too")


def _runs(verbs: Verbs) -> None:
    parser = verbs.add("runs", "list the runs in the store", "runs:runs")
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def _show(verbs: Verbs) -> None:
    parser = verbs.add("show", "show one run", "runs:show")
    parser.add_argument("run", metavar="RUN", help="name or its beginning, path, or latest")
    parser.add_argument("--event", metavar="N", help="show this event of its journal instead")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _scenario(verbs: Verbs) -> None:
    group = verbs.group("scenario", "write, check and normalise scenario files")
    check = group.add("check", "say whether scenario files can be used", "scenario:check")
    check.add_argument("files", **_FILE, nargs="+")
    group.add("schema", "print the JSON schema of scenarios", "scenario:print_schema")
    fmt = group.add("fmt", "print a scenario in its plainest form", "scenario:fmt")
    fmt.add_argument("file", **_FILE)
    fmt.add_argument("--json", action="store_true", help="the canonical JSON, with all defaults")
    new = group.add("new", "write a commented starter scenario", "scenario:new")
    new.add_argument("file", **_FILE)


def _doctor(verbs: Verbs) -> None:
    parser = verbs.add("doctor", "say what this machine can and cannot do", "doctor:doctor")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
