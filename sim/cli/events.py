"""``drycell show RUN --events``: the journal of a run as lines of text, filtered."""

import argparse
import math

from drycell.sim.cli.output import print_text
from drycell.sim.cli.parsing import Parser, UsageError
from drycell.sim.errors import DrycellError
from drycell.sim.report import text
from drycell.sim.runs import Run
from drycell.sim.scenario.words import seconds


def add_options(show: Parser) -> None:
    """Give ``show`` its options about events."""
    show.add_argument("--events", action="store_true", help="list its events instead")
    show.add_argument("--columns", action="store_true", help="list them as one letter per event, a column per lane")
    show.add_argument("--kind", action="append", default=[], metavar="KIND", help="only events of this kind")
    show.add_argument("--actor", action="append", default=[], metavar="WHO", help="only events of this actor or lane")
    show.add_argument("--site", action="append", default=[], metavar="N", help="only events of this site")
    show.add_argument("--from", dest="from_", metavar="TIME", help="from this simulated time on, such as 90s")
    show.add_argument("--to", metavar="TIME", help="until this simulated time")
    show.add_argument("--grep", metavar="REGEX", help="only events whose text fits")


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether events are to be listed. Raises UsageError for a filter without a list."""
    if arguments.events or arguments.columns:
        return True
    for option in ("kind", "actor", "site", "from_", "to", "grep"):
        if getattr(arguments, option):
            raise UsageError(f"--{option.rstrip('_')} goes with --events or --columns; add one of them")
    return False


def show_events(run: Run, arguments: argparse.Namespace) -> int:
    """Print the events of ``run``."""
    if not run.journal.is_file():
        raise DrycellError(f"run {run.name} has no journal; nothing had begun")
    chosen = text.Filter(
        frozenset(arguments.kind),
        frozenset(arguments.actor),
        frozenset(arguments.site),
        _time(arguments.from_, "--from"),
        _time(arguments.to, "--to"),
        None if arguments.grep is None else text.pattern(arguments.grep),
    )
    if arguments.columns:
        sites = tuple(str(site) for site in run.scenario().cell.sites)
        listing = text.column_log(run.journal, chosen, sites)
    else:
        listing = text.lines(text.shown(run.journal, chosen))
    for line in listing:
        print_text(line)
    return 0


def _time(word: str | None, option: str) -> int | None:
    if word is None:
        return None
    try:
        value = float(word)
    except ValueError:
        try:
            value = float(str(seconds(word)))
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{option} {word!r} is no time of a run; write 90s, 1.5s or a number of seconds")
    return round(value * 1e9)
