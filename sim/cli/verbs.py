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
    _explore(verbs)
    _runs(verbs)
    _show(verbs)
    _report(verbs)
    _export(verbs)
    _capture(verbs)
    _import(verbs)
    _replay(verbs)
    _debug(verbs)
    _pack(verbs)
    _findings(verbs)
    _scenario(verbs)
    _program(verbs)
    _stdf(verbs)
    _serve(verbs)
    _plugins(verbs)
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
    parser.add_argument("--broker", metavar="URL", help="a broker that runs elsewhere, mqtt[s]://HOST:PORT")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any key of the scenario")
    parser.add_argument("--out", metavar="DIR", type=Path, help="run directory, instead of one in the store")
    parser.add_argument("--debug", metavar="SITE[:PORT]", help="let a debugger into the program of this site")
    parser.add_argument("--twice", action="store_true", help="run it twice and fail where the journals part")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--junit", **_FILE, help="write the verdict as JUnit XML too")


def _explore(verbs: Verbs) -> None:
    parser = verbs.add("explore", "search for scenarios in which a promise is broken", "explore:explore")
    parser.add_argument(
        "scenario", metavar="SCENARIO", nargs="?", type=Path, help="what is tested: scenarios around this one"
    )
    parser.add_argument("--program", metavar="PATH", help="script of a real test program")
    parser.add_argument("--python", metavar="PATH", help="its interpreter")
    parser.add_argument("--runs", metavar="N", help="how many runs")
    parser.add_argument("--minutes", metavar="M", help="how long, instead")
    parser.add_argument("--seed", metavar="N", help="another seed is another search (0)")
    parser.add_argument("--jobs", metavar="N", help="worker processes (one per cpu); 0: none, all in this process")
    parser.add_argument("--sites", dest="only_sites", metavar="N|LIST", help="only cells with these sites")
    parser.add_argument("--duts", dest="most_duts", metavar="N", help="the most devices in a lot")
    parser.add_argument("--faults", metavar="LIST", help="only these faults, with commas between")
    parser.add_argument("--without", metavar="LIST", help="all faults but these")
    parser.add_argument("--rung", metavar="RUNG", help="model or process")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any key of the scenario")
    parser.add_argument("--store", metavar="DIR", type=Path, help="where findings go (.drycell/findings)")
    parser.add_argument("--coverage", metavar="FILE", type=Path, help="write what was reached, and what never")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _runs(verbs: Verbs) -> None:
    parser = verbs.add("runs", "list the runs in the store", "runs:runs")
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def _show(verbs: Verbs) -> None:
    parser = verbs.add("show", "show one run", "runs:show")
    parser.add_argument("run", metavar="RUN", help="name or its beginning, path, or latest")
    parser.add_argument("--event", metavar="N", help="show this event of its journal instead")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--events", action="store_true", help="list its events instead")
    parser.add_argument("--columns", action="store_true", help="list them as one letter each, a column per lane")
    parser.add_argument("--kind", action="append", default=[], metavar="KIND", help="only events of this kind")
    parser.add_argument(
        "--actor", action="append", default=[], metavar="WHO", help="only events of this actor or lane"
    )
    parser.add_argument("--site", action="append", default=[], metavar="N", help="only events of this site")
    parser.add_argument("--from", dest="from_", metavar="TIME", help="from this simulated time on, such as 90s")
    parser.add_argument("--to", metavar="TIME", help="until this simulated time")
    parser.add_argument("--grep", metavar="REGEX", help="only events whose text fits")


def _report(verbs: Verbs) -> None:
    parser = verbs.add("report", "write the report of one run as one HTML file", "report:report")
    parser.add_argument("run", metavar="RUN", help="name or its beginning, path, or latest")
    parser.add_argument("--open", choices=("yes", "no"), help="open it in a browser (default: on a terminal)")
    parser.add_argument("--out", **_FILE, help="this file, instead of report.html in the run directory")


def _export(verbs: Verbs) -> None:
    parser = verbs.add("export", "write one run, or a recording, for other tools", "export:export")
    parser.add_argument(
        "run", metavar="RUN", help="name or its beginning, path, or latest; or a recording of a floor"
    )
    parser.add_argument(
        "--to",
        metavar="FORMATS",
        required=True,
        help="perfetto, csv, parquet, stdf, atdf; of a recording too: recording, pcapng; with commas between",
    )
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, default=Path(), help="folder to write to (here)")


def _capture(verbs: Verbs) -> None:
    parser = verbs.add("capture", "record a live broker; subscribes only, never publishes", "capture:capture")
    parser.add_argument("--broker", metavar="URL", help="mqtt[s]://HOST:PORT")
    parser.add_argument(
        "--proxy",
        metavar="[HOST:]PORT=URL",
        action="append",
        default=[],
        help="listen here, pass all on to mqtt://HOST:PORT or scpi://HOST:PORT, and record it packet by packet",
    )
    parser.add_argument("--allow-remote", action="store_true", help="permit a proxy that other machines can reach")
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, default=Path("capture"), help="folder (./capture)")
    parser.add_argument("--topic", metavar="FILTER", action="append", default=[], help="topic filter (default: #)")
    parser.add_argument("--qos", type=int, choices=(0, 1, 2), default=2, help="highest QoS to ask for (default 2)")
    parser.add_argument("--client-id", metavar="ID", help="default: one that is drawn")
    parser.add_argument("--credentials", **_FILE, help="file with two lines, user name and password")
    parser.add_argument("--ca", **_FILE, help="certificates to trust, PEM (default: the system's)")
    parser.add_argument("--cert", **_FILE, help="own certificate, PEM")
    parser.add_argument("--key", **_FILE, help="its key, if it is in another file")
    parser.add_argument("--segment", metavar="SIZE", default="64M", help="begin a new file beyond this (64M)")
    parser.add_argument("--limit", metavar="SIZE", help="remove the oldest files beyond this in all")
    parser.add_argument("--for", dest="for_", metavar="TIME", help="end after this time, such as 8h")
    parser.add_argument("--keep-session", action="store_true", help="let the broker collect until the next capture")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _of_recordings(parser: Parser) -> None:
    parser.add_argument("--definitions", metavar="DIR", type=Path, help="the program's definitions")
    parser.add_argument("--program", metavar="PATH", help="script of the real test program")
    parser.add_argument("--python", metavar="PATH", help="its interpreter")
    parser.add_argument("--rung", metavar="RUNG", help="model or process")
    parser.add_argument("--device", metavar="ID", help="the cell, when several were recorded (default: the busiest)")
    parser.add_argument("--lot", metavar="LOT", help="the lot, when several were recorded (default: the first)")
    parser.add_argument("--as", dest="as_", metavar="FORMAT", help="format of the files (default: by their content)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _import(verbs: Verbs) -> None:
    parser = verbs.add("import", "make a scenario of what was recorded on a floor", "importing:import_")
    parser.add_argument("files", **_FILE, nargs="+", help="recording, run directory, STDF file; those of one lot")
    parser.add_argument("-o", "--out", metavar="SCENARIO", type=Path, required=True, help="scenario file to write")
    _of_recordings(parser)


def _replay(verbs: Verbs) -> None:
    parser = verbs.add("replay", "run again what was recorded, and compare message by message", "replay:replay")
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="recording, run directory, name of a run, replay file"
    )
    parser.add_argument("more", **_FILE, nargs="*", help="further files of the same lot, such as its STDF file")
    parser.add_argument("--scenario", **_FILE, help="run this, such as an import that was edited")
    parser.add_argument("--clients", metavar="LIST", help="whom to compare: programs, all, or names such as master")
    parser.add_argument("--until", metavar="N", type=int, help="compare up to this entry of the recording")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any key of the scenario")
    parser.add_argument("--out", metavar="DIR", type=Path, help="run directory, instead of one in the store")
    _of_recordings(parser)


def _debug(verbs: Verbs) -> None:
    parser = verbs.add("debug", "step through a run, forward and backward", "debug:debug")
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="run directory, name of a run, replay file or journal"
    )
    parser.add_argument("--at", metavar="N", help="begin at this event")
    parser.add_argument(
        "--do", dest="commands", metavar="COMMAND", action="append", default=[], help="a command; else from stdin"
    )
    parser.add_argument("--live", action="store_true", help="run again up to the event it begins at")
    parser.add_argument("--json", action="store_true", help="print events and pictures as JSON")


def _pack(verbs: Verbs) -> None:
    parser = verbs.add("pack", "write a run as one file that runs again elsewhere", "pack:pack_run")
    parser.add_argument("run", metavar="RUN", help="name or its beginning, path, or latest")
    parser.add_argument("-o", "--out", metavar="ZIP", type=Path, help="the file (default: the run's name and .zip)")


def _findings(verbs: Verbs) -> None:
    parser = verbs.add(
        "findings", "list what the search has found; show, fly again or promote one", "findings:findings"
    )
    parser.add_argument("finding", metavar="FINDING", nargs="?", help="name or its beginning")
    parser.add_argument("--again", action="store_true", help="fly it once more, or all of them without a name")
    parser.add_argument("--promote", metavar="DIR", type=Path, help="write it as a scenario into this folder")
    parser.add_argument("--store", metavar="DIR", type=Path, help="where they are (.drycell/findings)")
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


def _program(verbs: Verbs) -> None:
    group = verbs.group("program", "write test programs with drycell's SDK")
    new = group.add("new", "write a program with two tests, and a scenario that runs it", "program:new")
    new.add_argument("name", metavar="NAME", type=Path, help="NAME.py and NAME.yaml are written; may have a folder")


def _stdf(verbs: Verbs) -> None:
    group = verbs.group("stdf", "dump, judge and compare STDF V4 files")
    cat = group.add("cat", "print records as ATDF text", "stdf:cat")
    cat.add_argument("files", **_FILE, nargs="+")
    cat.add_argument("--only", metavar="TYPES", help="record types to print, for example PRR,MRR")
    check = group.add("check", "judge files: damage, order, pairing, counts", "stdf:judge")
    check.add_argument("files", **_FILE, nargs="+")
    check.add_argument("--json", action="store_true", help="print the verdicts as JSON, one line per file")
    diff = group.add("diff", "compare two files, times masked", "stdf:diff")
    diff.add_argument("files", **_FILE, nargs=2)
    diff.add_argument("--times", action="store_true", help="compare times too")
    diff.add_argument("--mask", action="append", default=[], metavar="TYPE.FIELD", help="a further field to ignore")
    diff.add_argument("--json", action="store_true", help="print the differences as JSON")


def _serve(verbs: Verbs) -> None:
    serve = verbs.add("serve", "simulated instruments alone, on TCP", "serve:serve")
    serve.add_argument("bench", nargs="?", **_FILE, help="YAML file of a bench (default: the usual one)")
    serve.add_argument("--port", type=int, metavar="N", help="port of the first, the others follow; 0: free ports")
    serve.add_argument(
        "--pace", metavar="PACE", help="real (default) or a factor such as x10; --run: virtual (default)"
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--allow-remote", action="store_true", help="permit an address that others can reach")
    serve.add_argument("--profile", choices=("scpi", "seed"), help="seed: errors are answered as lines")
    serve.add_argument("--json", action="store_true", help="print the addresses as JSON")
    serve.add_argument("--journal", **_FILE, help="with --run: keep every message and answer in this new file")
    serve.add_argument("--python", metavar="PATH", type=Path, help="with --run: the script's interpreter")
    serve.add_argument(
        "--run",
        nargs=argparse.REMAINDER,
        metavar="SCRIPT",
        help="run this Python script with its arguments against the bench, then end; must come last",
    )
    query = verbs.add("query", "ask an instrument on TCP one question", "serve:query")
    query.add_argument("address", metavar="HOST:PORT", help="where it listens")
    query.add_argument("message", help='what to send, such as "*IDN?"; without question mark nothing is read')
    query.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds to wait (default 5)")


def _plugins(verbs: Verbs) -> None:
    group = verbs.group("plugins", "list ATE.org plugins, or check one", "plugins:listed")
    check = group.add("check", "put a plugin to the contract tests", "plugins:check")
    check.add_argument("name", metavar="NAME", help="distribution, entry point, or module:attribute")
    for parser in (verbs.parsers["plugins"], check):
        parser.add_argument("--python", metavar="PATH", help="interpreter of the environment (default: ours)")
        parser.add_argument("--json", action="store_true", help="print it as JSON")


def _doctor(verbs: Verbs) -> None:
    parser = verbs.add("doctor", "say what this machine can and cannot do", "doctor:doctor")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
