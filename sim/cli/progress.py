"""Progress of a run, from its journal events: live on a terminal, one line per tenth of the lot in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from drycell.sim.cell.tally import Tally
from drycell.sim.cli.output import talk
from drycell.sim.kernel.journal import Event
from drycell.sim.scenario import Scenario

_REFRESH_S = 0.1
_TENTHS = 10
_SITES_SHOWN = 8


class Progress(Protocol):
    """Something that is told every event of a run; ``tally`` is what it has counted."""

    tally: Tally

    def take(self, event: Event) -> None: ...


@contextmanager
def watching(scenario: Scenario) -> Iterator[Progress]:
    """A progress that shows progress on stderr for as long as the block lasts."""
    total = scenario.devices.size
    if sys.stderr.isatty():
        live = LiveProgress(scenario.name, scenario.cell.sites, total)
        with live:
            yield live
    else:
        yield PlainProgress(total, talk)


def clock(now_ns: int) -> str:
    """Simulated time as ``h:mm:ss``."""
    seconds = now_ns // 1_000_000_000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


class PlainProgress:
    """Says a line whenever another tenth of the lot is sorted, and every problem once."""

    def __init__(self, total: int, say: Callable[[str], None]) -> None:
        self._total, self._say = total, say
        self.tally, self._said = Tally(), 0

    def take(self, event: Event) -> None:
        """Count ``event`` and speak when it is time."""
        tally = self.tally
        tally.take(event)
        if event.kind == "problem":
            self._say(f"problem at {clock(event.t_ns)}: {event.fields.get('text', '')}")
        elif event.kind == "sorted":
            tenth = tally.parts * _TENTHS // self._total
            if tenth > self._said:
                self._said = tenth
                self._say(
                    f"{tally.parts} of {self._total} devices, yield {tally.yield_:.1%},"
                    f" simulated {clock(tally.now_ns)}, master {tally.master or '-'}"
                )


class LiveProgress:
    """A small panel that is redrawn at most ten times a second, on the thread that takes the events."""

    def __init__(self, name: str, sites: tuple[int, ...], total: int, console: Console | None = None) -> None:
        self._name, self._sites, self._total = name, sites, total
        self.tally, self._drawn_s = Tally(), 0.0
        self._live = Live(console=console or Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> "LiveProgress":
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def take(self, event: Event) -> None:
        """Count ``event`` and redraw when the last drawing is old enough."""
        self.tally.take(event)
        if event.kind == "problem":
            self._live.console.print(f"problem: {event.fields.get('text', '')}", style="yellow", markup=False)
        now_s = time.monotonic()
        if now_s - self._drawn_s >= _REFRESH_S:
            self._drawn_s = now_s
            self._live.update(self.panel(), refresh=True)

    def panel(self) -> RenderableType:
        """What is shown now. Columns keep their width while the words in them change."""
        tally = self.tally
        grid = Table.grid(padding=(0, 2))
        for width in (20, len(f"{self._total}/{self._total}"), 12, 8, 18):
            grid.add_column(min_width=width, no_wrap=True)
        grid.add_row(
            ProgressBar(total=self._total, completed=tally.parts, width=20),
            f"{tally.parts}/{self._total}",
            f"yield {tally.yield_:.1%}",
            clock(tally.now_ns),
            tally.master or "starting",
        )
        lines: list[RenderableType] = [Text(self._name, style="bold", no_wrap=True, overflow="ellipsis"), grid]
        if len(self._sites) > 1:
            lines.append(Text(f"yield by site  {self._site_yields()}", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _site_yields(self) -> str:
        shown = []
        for site in self._sites[:_SITES_SHOWN]:
            share = self.tally.yield_of(site)
            shown.append(f"{site}: {'-' if share is None else f'{share:.0%}'}")
        return "  ".join(shown) + (" ..." if len(self._sites) > _SITES_SHOWN else "")
