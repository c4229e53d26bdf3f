"""Testers and their masters as ATE.org plugins offer them: blocking calls on :mod:`lines`, safe between threads.

A tester and its master meet on the same lines when they are made by the same plugin. Times are wall time: in a cell,
programs reach the cell's own tester instead.
"""

import threading
from collections.abc import Generator, Sequence
from typing import Any, ClassVar

from drycell.plugins_sim.testers.lines import MAX_SITES, Lines, parallel_lines, single_lines
from drycell.runtime.plugins.interfaces import TesterInterface, TesterMasterInterface


class Shared:
    """Lines with the lock that everybody at them holds; nothing of it exists before somebody uses the tester."""

    def __init__(self, sites: int | None) -> None:
        self.changed = threading.Condition()
        self.lines: Lines = single_lines() if sites is None else parallel_lines(sites)
        self.pulses_ms: list[int] = []
        self.calls: list[tuple[str, int]] = []
        self.lines.on_call = lambda call, site: self.calls.append((call, site))


class _Tester(TesterInterface):
    def __init__(self, shared: Shared, logger: Any = None) -> None:
        super().__init__(logger)
        self._shared = shared
        self._site = 0

    def do_init_state(self, site_id: int) -> None:
        self._site = site_id
        with self._shared.changed:
            self._shared.lines.reset(site_id)

    def do_request(self, site_id: int, timeout: int) -> bool:
        released = threading.Event()
        with self._shared.changed:
            self._shared.lines.request(site_id, released.set)
            self._shared.changed.notify_all()
            in_time = self._shared.changed.wait_for(released.is_set, timeout)
            if not in_time:
                self._shared.lines.withdraw(site_id)
            return in_time

    def test_in_progress(self, site_id: int) -> None:
        with self._shared.changed:
            self._shared.lines.in_progress(site_id)

    def test_done(self, site_id: int, timeout: int) -> None:
        with self._shared.changed:
            self._shared.lines.done(site_id)

    def setup(self) -> None:
        with self._shared.changed:
            self._shared.lines.setup(self._site)

    def teardown(self) -> None:
        with self._shared.changed:
            self._shared.lines.teardown(self._site)

    def pulse_trigger_out(self, pulse_width_ms: int) -> None:
        with self._shared.changed:
            self._shared.lines.pulse(self._site)
            self._shared.pulses_ms.append(pulse_width_ms)


class SingleTester(_Tester):
    """For one site: every request is granted at once."""

    SITE_COUNT: ClassVar[int] = 1


class ParallelTester(_Tester):
    """For several sites, which the master releases; the number is the class's ``SITE_COUNT``."""

    SITE_COUNT: ClassVar[int] = MAX_SITES


PARALLEL_TESTERS: dict[int, type[ParallelTester]] = {
    count: type(f"ParallelTester{count}", (ParallelTester,), {"SITE_COUNT": count})
    for count in range(1, MAX_SITES + 1)
}


class States(list[int]):
    """States that may be used as they are, or awaited, as masters of the published packages do."""

    def __await__(self) -> Generator[None, None, "States"]:
        yield
        return self


class _Master(TesterMasterInterface):
    def __init__(self, shared: Shared, sites: int) -> None:
        self._shared = shared
        self._sites = sites

    def get_sites_count(self) -> int:
        return self._sites

    def get_site_states(self, timeout: float = 0) -> States:
        with self._shared.changed:
            asking = self._shared.lines.asking
        return States(int(site in asking) for site in range(MAX_SITES))

    def release_test_execution(self, sites: Sequence[int]) -> None:
        with self._shared.changed:
            self._shared.lines.release([int(site) for site in sites])
            self._shared.changed.notify_all()

    def get_strategy_type(self) -> str:
        return self._shared.lines.strategy


class SingleTesterMaster(_Master):
    """There is nothing to release; every site is said to ask, as masters of the published packages wait for that."""

    def get_site_states(self, timeout: float = 0) -> States:
        return States([1] * MAX_SITES)

    def release_test_execution(self, sites: Sequence[int]) -> None:
        """Whoever asked goes on already."""


class ParallelTesterMaster(_Master):
    """Releases the sites of a :class:`ParallelTester`."""
