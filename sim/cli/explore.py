"""``drycell explore``: search for scenarios in which somebody breaks a promise; live progress, findings, coverage."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from drycell.sim.cli.output import console, print_json, talk, talk_from_handler
from drycell.sim.cli.parsing import UsageError
from drycell.sim.cli.run import overrides
from drycell.sim.errors import DrycellError
from drycell.sim.explore import fly
from drycell.sim.runs import write_json
from drycell.sim.scenario import Scenario, from_data, load, with_overrides

if TYPE_CHECKING:
    from drycell.sim.explore.findings import FindingStore
    from drycell.sim.explore.search import End, Search

OK, VIOLATED, INTERRUPTED = 0, 1, 130
_MINUTE_S = 60.0
_QUIET_S = 10.0
"""From one line of progress to the next, where there is no terminal."""
_TROUBLES_SHOWN = 5
_MOST_JOBS = 64


def explore(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell explore``; returns the exit code."""
    runs, wall_s = _how_long(arguments)
    seed, jobs = _whole(arguments.seed, "--seed", 0), _whole(arguments.jobs, "--jobs", 0, _MOST_JOBS)
    base = _base(arguments)
    try:
        from drycell.sim.explore.findings import DEFAULT_ROOT, FindingStore
        from drycell.sim.explore.pilot import Plan
        from drycell.sim.explore.search import Search
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise DrycellError("exploring needs Hypothesis; pip install 'drycell[explore]'") from None
    store = FindingStore(arguments.store or DEFAULT_ROOT)
    plan = Plan(
        base,
        sites=_sites(arguments.only_sites),
        devices=None if arguments.most_duts is None else _whole(arguments.most_duts, "--duts", 1),
        faults=_names(arguments.faults),
        without=_names(arguments.without) or (),
    )
    plan.strategy()
    _try_out(base)
    watcher = _live if sys.stderr.isatty() else _plain
    with watcher(runs, wall_s) as watch:
        search = Search(plan, store, seed=seed, jobs=jobs, watch=watch)
        with _stopping(search):
            end = search.run(runs=runs, wall_s=wall_s)
    if arguments.coverage is not None:
        write_json(arguments.coverage, search.coverage.to_json())
    _report(search, store, end, as_json=arguments.json)
    if end == "stopped":
        return INTERRUPTED
    return VIOLATED if search.progress.first else OK


# what is searched --------------------------------------------------------------------------------------------------


def _base(arguments: argparse.Namespace) -> Scenario:
    if arguments.scenario is not None:
        return load(arguments.scenario, overrides(arguments))
    if arguments.program is None:
        raise UsageError("nothing to explore; name a scenario, or a program with --program PATH --python PATH")
    sites = _sites(arguments.only_sites) or 1
    cell = {"sites": sites if isinstance(sites, int) else list(sites)}
    data = from_data({"drycell": 1, "name": f"exploring {Path(arguments.program).name}", "cell": cell})
    return with_overrides(data, **overrides(arguments))


def _try_out(base: Scenario) -> None:
    """Two devices and no trouble: whoever cannot be flown at all is told so now, and what is slow once is done."""
    talk("a first flight ...")
    plain = {"devices.size": 2, "timeline": [], "expect": [], "shows": None}
    flight = fly(with_overrides(base, **plain))
    for violation in flight.findings:
        talk(f"even without any fault: {violation.oracle}: {violation.text}")


def _how_long(arguments: argparse.Namespace) -> tuple[int | None, float | None]:
    if (arguments.runs is None) == (arguments.minutes is None):
        raise UsageError("say how long: either --runs N or --minutes M")
    if arguments.runs is not None:
        return _whole(arguments.runs, "--runs", 1), None
    try:
        minutes = float(arguments.minutes)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise UsageError(f"--minutes {arguments.minutes!r} is no duration; write a number such as 10")
    return None, minutes * _MINUTE_S


def _whole(text: str | None, option: str, least: int, most: int | None = None) -> int:
    if text is None:
        return min(os.cpu_count() or 1, _MOST_JOBS) if option == "--jobs" else 0
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        limits = f"from {least} on" if most is None else f"from {least} to {most}"
        raise UsageError(f"{option} {text!r} is no whole number {limits}")
    return int(text)


def _sites(text: str | None) -> int | tuple[int, ...] | None:
    if text is None:
        return None
    numbers = text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise UsageError(f"--sites {text!r} is neither a number of sites nor a list such as 0,2")
    return int(text) if len(numbers) == 1 else tuple(int(number) for number in numbers)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


@contextmanager
def _stopping(search: "Search") -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks the search to stop, the second one does not wait for the runs in the air."""
    asked = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        talk_from_handler("stopping when the runs in the air are back; again to stop at once")
        search.stop()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# what is said ------------------------------------------------------------------------------------------------------


def _line(search: "Search", runs: int | None, wall_s: float | None) -> str:
    progress, coverage = search.progress, search.coverage
    goal = f" of {runs:,}" if runs is not None else ""
    left = "" if wall_s is None else f", {max(0.0, wall_s - progress.wall_s) / _MINUTE_S:.1f} min left"
    reducing = f", reducing {progress.reducing}" if progress.reducing else ""
    return (
        f"{progress.runs:,}{goal} runs, {progress.runs / max(progress.wall_s, 0.001):.1f}/s{left}, "
        f"{len(coverage.counts)} features, {len(progress.first)} findings ({len(progress.new)} new){reducing}"
    )


@contextmanager
def _live(runs: int | None, wall_s: float | None) -> Iterator[Any]:
    with Live(console=Console(stderr=True), refresh_per_second=5, transient=True) as live:
        yield lambda search: live.update(Text(_line(search, runs, wall_s), no_wrap=True, overflow="ellipsis"))


@contextmanager
def _plain(runs: int | None, wall_s: float | None) -> Iterator[Any]:
    said_s, said = time.monotonic(), 0

    def watch(search: "Search") -> None:
        nonlocal said_s, said
        new = search.progress.new
        for kind in new[said:]:
            talk(f"found in run {search.progress.first[kind]}: {kind}")
        said = len(new)
        if time.monotonic() - said_s >= _QUIET_S:
            said_s = time.monotonic()
            talk(_line(search, runs, wall_s))

    yield watch


def _report(search: "Search", store: "FindingStore", end: "End", *, as_json: bool) -> None:
    progress = search.progress
    found = {kind: store.known(kind) for kind in progress.first}
    if as_json:
        print_json(
            {
                "end": end,
                "seed": search.seed,
                "runs": progress.runs,
                "wall_s": round(progress.wall_s, 3),
                "virtual_s": progress.virtual_s,
                "excused": progress.excused,
                "findings": [
                    {
                        "name": finding.name if finding is not None else None,
                        "signature": kind,
                        "first_run": progress.first[kind],
                        "new": kind in progress.new,
                    }
                    for kind, finding in found.items()
                ],
                "troubles": progress.troubles,
                "remarks": list(progress.remarks),
                "coverage": search.coverage.to_json(),
            }
        )
        return
    out = console()
    rate = progress.runs / max(progress.wall_s, 0.001)
    out.print(
        f"{progress.runs:,} runs under seed {search.seed} in {progress.wall_s:.0f} s ({rate:.1f}/s),"
        f" {progress.virtual_s / 3600:,.1f} simulated hours",
        soft_wrap=True,
    )
    for remark in progress.remarks:
        out.print(escape(remark), style="dim", soft_wrap=True)
    for trouble in progress.troubles[:_TROUBLES_SHOWN]:
        out.print(f"problem: {escape(trouble)}", style="yellow", soft_wrap=True)
    if len(progress.troubles) > _TROUBLES_SHOWN:
        out.print(f"... and {len(progress.troubles) - _TROUBLES_SHOWN} more problems", style="yellow")
    out.print()
    for line in search.coverage.sentences():
        out.print(escape(line), style="dim", soft_wrap=True)
    out.print()
    if not found:
        out.print("nothing was found", style="green")
        return
    for kind, number in progress.first.items():
        finding = found[kind]
        name, facts = ("not kept", None) if finding is None else (finding.name, finding.facts)
        steps = "" if facts is None else f", steps: {facts.events}{'' if facts.reduced else ' (as found)'}"
        out.print(f"[bold]{name}[/] in run {number:,}{steps}", soft_wrap=True)
        out.print(f"  {escape(kind if facts is None else facts.text)}", soft_wrap=True)
    out.print()
    out.print("drycell findings NAME shows one of them")
