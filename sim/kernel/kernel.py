"""The kernel of a run: clock, loop, journal and pace in one hand."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import simpy

from drycell.sim.kernel.clock import Clock, Timer
from drycell.sim.kernel.journal import Journal
from drycell.sim.kernel.loop import Attached, KernelLoop
from drycell.sim.kernel.pace import VIRTUAL, Pace

T = TypeVar("T")


class Kernel:
    """Owns simulated time. One per run; closed by :meth:`close`.

    ``journal_path``: file of the journal, None for a journal that is only hashed and watched.
    ``header``: facts for the journal's first line (scenario hash, seed, versions).
    """

    def __init__(self, *, pace: Pace = VIRTUAL, journal_path: Path | None = None, **header: Any) -> None:
        self.pace = pace
        self.clock = Clock()
        self.journal = Journal(self.clock.read_ns, journal_path, **header)
        self.loop = KernelLoop(self.clock, pace, self.journal.flush)

    @property
    def now_ns(self) -> int:
        """Simulated nanoseconds since the run began."""
        return self.clock.now_ns

    def later(self, delay_ns: int, action: Callable[[], Any]) -> Timer:
        """Call ``action`` after ``delay_ns`` simulated nanoseconds."""
        return self.clock.later(delay_ns, action)

    def process(self, generator: Generator[simpy.Event, Any, Any]) -> simpy.Process:
        """Start a SimPy process."""
        return self.clock.process(generator)

    def attach(self, attached: Attached | None) -> None:
        """Put real processes into lockstep with the clock."""
        self.loop.selector.attached = attached

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main`` on the loop until it returns. Raises what it raises, and ``StuckError`` for a standstill."""
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(main)
        finally:
            asyncio.set_event_loop(None)

    def close(self) -> None:
        """Cancel what is left on the loop, close loop and journal; idempotent."""
        if not self.loop.is_closed():
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
        self.journal.close()
