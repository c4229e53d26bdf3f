"""``drycell report``: a finished run as one HTML file."""

import argparse
import sys
import webbrowser

from drycell.sim.cli.output import print_text, talk
from drycell.sim.report import write_report
from drycell.sim.runs import RunStore


def report(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell report``."""
    path = write_report(RunStore().find(arguments.run), arguments.out)
    print_text(str(path))
    wanted = arguments.open or ("yes" if sys.stdout.isatty() and sys.stderr.isatty() else "no")
    if wanted == "yes" and not webbrowser.open(path.resolve().as_uri()):
        talk("no browser could be started; open the file yourself")
    return 0
