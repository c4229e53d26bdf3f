"""How good the search is: every mutant is hunted, and peers without a defect are flown many times.

``python -m tests.quality.search [MUTANT ...] [--runs N] [--clean N] [--from N] [--seed N] [--jobs N] [--out FILE]``

Prints a table, keeps all figures in FILE as JSON, and ends with 1 when they are not good enough. The same code at a
smaller size is part of ``make test`` (test_search.py).
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from tests.quality.hunting import FEW_EVENTS, ROOT, Alarm, Hunt, alarms, hunt
from tests.quality.mutants import MUTANTS

T = TypeVar("T")
SEED = 1
RUNS = 1000
CLEAN = 100_000
LEAST_FOUND = 0.95
LEAST_SMALL = 0.95
"""Shares: of the mutants that are found, and of the findings that become small and are proved minimal."""
_BATCH = 100
OUT = ROOT / ".cache" / "quality" / "search.json"


@dataclass(frozen=True)
class Figures:
    """What came out. ``clean``: how many runs without a mutant, the first of them number ``first``; every other one
    of them with faults, half of them in each dialect."""

    seed: int
    most_runs: int
    first: int
    clean: int
    hunts: Sequence[Hunt]
    alarms: Sequence[Alarm]

    @property
    def found(self) -> Sequence[Hunt]:
        """The mutants that were found."""
        return [one for one in self.hunts if one.oracle]

    @property
    def small(self) -> Sequence[Hunt]:
        """The findings that a person can read at a glance."""
        return [one for one in self.found if one.minimal and one.events <= FEW_EVENTS]

    @property
    def good(self) -> bool:
        """Whether they are good enough."""
        found, small = len(self.found), len(self.small)
        return found >= LEAST_FOUND * len(self.hunts) and small >= LEAST_SMALL * found and not self.alarms


def measure(
    mutants: Sequence[str], *, seed: int, most_runs: int, first: int, clean: int, jobs: int, talk: Console
) -> Figures:
    """Hunt ``mutants`` and fly ``clean`` runs from number ``first`` on, in ``jobs`` processes."""
    hunts: list[Hunt] = []
    found: list[Alarm] = []
    flown = 0
    for done in all_done(_tasks(mutants, seed, most_runs, first, clean), jobs):
        if isinstance(done, Hunt):
            hunts.append(done)
            talk.print(f"{len(hunts)} of {len(mutants)} mutants: {_line(done)}", highlight=False)
            continue
        number, batch = done
        flown += number
        found += batch
        for alarm in batch:
            talk.print(f"false alarm in run {alarm.number} ({alarm.dialect}): {alarm.text}", highlight=False)
        talk.print(f"{flown} of {clean} clean runs, {len(found)} false alarms", highlight=False)
    order = {name: place for place, name in enumerate(mutants)}
    hunts.sort(key=lambda one: order[one.mutant])
    return Figures(seed, most_runs, first, clean, hunts, sorted(found, key=lambda alarm: alarm.number))


Done = Hunt | tuple[int, list[Alarm]]


def _tasks(mutants: Sequence[str], seed: int, most_runs: int, first: int, clean: int) -> Iterator[Callable[[], Done]]:
    for name in mutants:
        yield partial(hunt, name, seed=seed, most_runs=most_runs)
    for begin in range(first, first + clean, _BATCH):
        yield partial(_batch, begin, min(begin + _BATCH, first + clean) - 1, seed)


def _batch(first: int, last: int, seed: int) -> Done:
    return last - first + 1, alarms(first, last, seed=seed)


def all_done(tasks: Iterable[Callable[[], T]], jobs: int) -> Iterator[T]:
    """What ``tasks`` give, in the order they end, in so many processes."""
    if jobs == 1:
        for task in tasks:
            yield task()
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from (future.result() for future in as_completed([pool.submit(task) for task in tasks]))


def _line(one: Hunt) -> str:
    if not one.oracle:
        return f"{one.mutant}: not found in {one.runs} runs"
    size = f"{one.events} events, {'minimal' if one.minimal else 'not minimal'}, after {one.reduction_runs} more"
    return f"{one.mutant}: found in run {one.runs} by {one.oracle!r}; {size}"


def table(figures: Figures) -> Table:
    """One row for each mutant."""
    shown = Table("Mutant", "Peer", "Run", "Oracle", "Events", "Minimal", "Runs to reduce", box=None)
    for one in figures.hunts:
        cells = (str(one.runs), one.oracle, str(one.events), "yes" if one.minimal else "no", str(one.reduction_runs))
        shown.add_row(one.mutant, MUTANTS[one.mutant].peer, *(cells if one.oracle else ("not found", *("",) * 4)))
    return shown


def summary(figures: Figures) -> Iterator[str]:
    """The figures in three sentences."""
    found, small = len(figures.found), len(figures.small)
    yield f"{found} of {len(figures.hunts)} mutants found within {figures.most_runs} runs each"
    yield f"{small} of {found} findings have {FEW_EVENTS} events at most and are proved minimal"
    yield f"{len(figures.alarms)} false alarms in {figures.clean} clean runs"


def _write(path: Path, figures: Figures) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {"good": figures.good, "summary": list(summary(figures)), **asdict(figures)}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.quality.search", description="How good the search is.")
    parser.add_argument("mutants", nargs="*", metavar="MUTANT", default=list(MUTANTS), help="which; all")
    parser.add_argument("--runs", type=int, default=RUNS, help="the most for one mutant, 0: hunt none (%(default)s)")
    parser.add_argument("--clean", type=int, default=CLEAN, help="runs without a mutant (%(default)s)")
    parser.add_argument("--from", dest="first", type=int, default=1, help="number of the first clean run (1)")
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file for the figures (%(default)s)")
    given = parser.parse_args(words)
    unknown = [name for name in given.mutants if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {unknown[0]!r}")
    return given


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(words)
    figures = measure(
        given.mutants if given.runs else (),
        seed=given.seed,
        most_runs=given.runs,
        first=given.first,
        clean=given.clean,
        jobs=given.jobs,
        talk=Console(stderr=True, soft_wrap=True),
    )
    _write(given.out, figures)
    out = Console()
    out.print(table(figures))
    for line in summary(figures):
        out.print(line, highlight=False)
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
