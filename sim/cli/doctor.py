"""``drycell doctor``: what this machine can and cannot do."""

import argparse

from rich.markup import escape
from rich.table import Table

from drycell.sim.cli.examination import examine
from drycell.sim.cli.output import console, print_json

_COLOURS = {"ok": "green", "limited": "yellow", "missing": "red"}


def doctor(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell doctor``."""
    findings = examine()
    if arguments.json:
        print_json([finding.to_json() for finding in findings])
        return 0
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        advice = f"; {finding.advice}" if finding.advice else ""
        colour = _COLOURS[finding.state]
        table.add_row(f"[{colour}]{finding.state}[/{colour}]", finding.name, escape(f"{finding.text}{advice}"))
    console().print(table)
    return 0
