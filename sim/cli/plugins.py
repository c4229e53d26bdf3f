"""``drycell plugins``: which ATE.org plugins an environment has, and whether one keeps the contract."""

import argparse
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from drycell.runtime.plugins.contract import Outcome, examine
from drycell.runtime.plugins.errors import PluginError
from drycell.sim.cli.output import console, print_json
from drycell.sim.errors import DrycellError
from drycell.sim.foreign import PluginHost

_COLOURS = {"passes": "green", "fails": "red", "advice": "yellow", "nothing": "dim"}


def listed(arguments: argparse.Namespace) -> int:
    """List the installed plugins; none of them is imported."""
    with PluginHost(_python(arguments)) as host:
        rows = host.installed()
    if arguments.json:
        print_json(rows)
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("plugin", "version", "entry", "target"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[key]) for key in ("distribution", "version", "entry", "target")))
    console().print(table)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Put one plugin to the contract tests; 1 when it fails one."""
    try:
        with PluginHost(_python(arguments)) as host:
            name, target = _named(host, arguments.name)
            plugin = host.load(target, Path.cwd() if target == arguments.name else None)
            outcomes = examine(name, plugin, lambda: host.touched)
    except PluginError as error:
        raise DrycellError(f"{error}.") from None
    if arguments.json:
        print_json({"plugin": name, "target": target, "outcomes": [_json(outcome) for outcome in outcomes]})
    else:
        _print(name, outcomes)
    return int(any(outcome.verdict == "fails" for outcome in outcomes))


def _python(arguments: argparse.Namespace) -> Path | None:
    python: str | None = arguments.python
    return None if python is None else Path(python)


def _named(host: PluginHost, name: str) -> tuple[str, str]:
    """What the plugin is called, and where it is; a ``module:attribute`` need not be installed as an entry point."""
    try:
        row = host.find(name)
    except PluginError:
        if ":" not in name:
            raise
        return name.partition(":")[0], name
    return row["distribution"], row["target"]


def _print(name: str, outcomes: tuple[Outcome, ...]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        colour = _COLOURS[outcome.verdict]
        table.add_row(f"[{colour}]{outcome.verdict}[/{colour}]", escape(outcome.check))
        for finding in outcome.findings:
            table.add_row("", escape(f"- {finding}"))
    console().print(table)
    counts = [f"{sum(o.verdict == verdict for o in outcomes)} {word}" for verdict, word in _WORDS.items()]
    console().print(escape(f"{name}: {', '.join(counts)}"))


_WORDS = {"passes": "pass", "fails": "fail", "advice": "with advice", "nothing": "with nothing to check"}


def _json(outcome: Outcome) -> dict[str, object]:
    return {
        "check": outcome.check,
        "rows": list(outcome.rows),
        "verdict": outcome.verdict,
        "findings": list(outcome.findings),
    }
