"""``drycell show RUN --events``: the journal of a run as lines of text, filtered."""

import argparse
import math

from drycell.sim.cli.output import print_text
from drycell.sim.cli.parsing import UsageError
from drycell.sim.errors import DrycellError
from drycell.sim.report import text
from drycell.sim.runs import Run
from drycell.sim.scenario.words import seconds


def show_events(run: Run, arguments: argparse.Namespace) -> int:
    """Print the events of ``run``. Raises UsageError for a filter without a list that it could filter."""
    if not (arguments.events or arguments.columns):
        raise UsageError("a filter goes with --events or --columns; add one of them")
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
