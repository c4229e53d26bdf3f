"""Simulated testers and masters, as ATE.org objects and as bare lines."""

import asyncio
import threading
from typing import Any, ClassVar

import pytest

from drycell.plugins_sim.ate import Plugin
from drycell.plugins_sim.testers import parallel_lines, single_lines
from drycell.plugins_sim.testers.testers import PARALLEL_TESTERS, Shared, SingleTester
from drycell.runtime.plugins import PluginManager, TesterInterface
from drycell.runtime.plugins.strategies import make_strategy


@pytest.fixture
def manager() -> PluginManager:
    made = PluginManager()
    made.register("own", Plugin())
    return made


@pytest.mark.row("HS-36", "HS-43", "HS-44", "HS-45")
def test_a_tester_must_declare_its_number_of_sites() -> None:
    class Forgotten(SingleTester):
        SITE_COUNT: ClassVar[int] = -1

    assert TesterInterface.SITE_COUNT == -1
    assert "get_sites_count" in vars(TesterInterface)
    with pytest.raises(NotImplementedError, match=r"Forgotten must declare .* SITE_COUNT"):
        Forgotten(Shared(1)).get_sites_count()
    for count, tester in PARALLEL_TESTERS.items():
        made = tester(Shared(count))
        assert made.get_sites_count() == made.get_site_count() == count


@pytest.mark.row("HS-42", "HS-40", "HS-41", "HS-47")
def test_making_a_tester_touches_nothing_and_setup_and_teardown_do() -> None:
    shared = Shared(4)
    tester = PARALLEL_TESTERS[4](shared)
    assert tester.get_sites_count() == 4
    assert shared.calls == []
    tester.do_init_state(2)
    tester.setup()
    tester.pulse_trigger_out(250)
    tester.teardown()
    assert shared.calls == [("init", 2), ("setup", 2), ("pulse", 2), ("teardown", 2)]
    assert shared.pulses_ms == [250]
    assert tester.run_pattern("scan") == -1


@pytest.mark.row("HS-35", "HS-37", "HS-38", "HS-39", "HS-48", "HS-49", "HS-50", "HS-51")
@pytest.mark.parametrize("sites", [1, 2, 4, 16])
def test_threads_of_sites_are_released_by_their_master(manager: PluginManager, sites: int) -> None:
    name, tests = f"drycell.ParallelTester{sites}", 5
    master = manager.make("tester master", name)
    assert master.get_sites_count() == sites
    strategy = make_strategy(master.get_strategy_type())
    strategy.begin([[list(range(0, sites, 2)), list(range(1, sites, 2))]] * tests)
    testing = set(range(sites))
    ran: list[tuple[int, int]] = []

    def program(site: int) -> None:
        tester = manager.make("tester", name)
        tester.do_init_state(site)
        for test in range(tests):
            assert tester.do_request(site, 20)
            tester.test_in_progress(site)
            ran.append((test, site))
            tester.test_done(site, 1)
        testing.discard(site)

    threads = [threading.Thread(target=program, args=(site,), daemon=True) for site in range(sites)]
    for thread in threads:
        thread.start()
    while testing:
        asking = [site for site, asks in enumerate(master.get_site_states(1)) if asks]
        master.release_test_execution(strategy.release(asking, set(testing)))
    for thread in threads:
        thread.join(20)
    order = [site % 2 for site in range(0, sites, 2)] + [1] * (sites // 2)
    assert [(test, site % 2) for test, site in ran] == [(test, half) for test in range(tests) for half in order]


def test_a_request_that_nobody_releases_times_out_and_is_withdrawn(manager: PluginManager) -> None:
    tester = manager.make("tester", "drycell.ParallelTester2")
    master = manager.make("tester master", "drycell.ParallelTester2")
    assert tester.do_request(1, 0) is False
    assert sum(master.get_site_states()) == 0
    with pytest.raises(ValueError, match="site 1 is to be released, but it does not ask"):
        master.release_test_execution([1])


def test_a_single_tester_needs_no_master(manager: PluginManager) -> None:
    tester = manager.make("tester", "drycell.SingleTester")
    assert tester.do_request(3, 0) is True
    assert manager.make("tester master", "drycell.SingleTester").get_strategy_type() == "simple"


@pytest.mark.row("HS-50")
def test_site_states_may_be_awaited_as_the_published_master_does(manager: PluginManager) -> None:
    async def ask() -> Any:
        return await manager.make("tester master", "drycell.ParallelTester4").get_site_states(1)

    assert asyncio.run(ask()) == [0] * 16


def test_lines_refuse_what_cannot_be() -> None:
    lines = parallel_lines(2)
    lines.request(0, lambda: None)
    with pytest.raises(ValueError, match="asking already"):
        lines.request(0, lambda: None)
    with pytest.raises(ValueError, match="no site 2; the tester has 2"):
        lines.request(2, lambda: None)
    with pytest.raises(ValueError, match="1 to 16 sites, not 17"):
        parallel_lines(17)
    lines.teardown(0)
    assert list(lines.asking) == []
    single = single_lines()
    granted: list[int] = []
    single.request(200, lambda: granted.append(200))
    assert granted == [200]
