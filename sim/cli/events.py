"""``drycell show RUN --events``: the journal of a run as lines of text, filtered."""

import argparse

from drycell.sim.cli.output import print_text
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.times import seconds_of
from drycell.sim.errors import DrycellError
from drycell.sim.report import collect, text
from drycell.sim.report.story import tell
from drycell.sim.runs import Run


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


def print_story(run: Run) -> None:
    """Print what failed, when, and whose fault it was."""
    for line in text.story_lines(tell(collect(run))):
        print_text(line)


def _time(word: str | None, option: str) -> int | None:
    return None if word is None else round(seconds_of(word, option) * 1e9)
