"""Who is released when: no deadlock, no site twice, stages in order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drycell.plugins_sim.testers import parallel_lines
from drycell.runtime.plugins import PluginError
from drycell.runtime.plugins.strategies import DefaultStrategy, SimpleStrategy, make_strategy

PING_PONG = [[(0, 2), (1, 3)]] * 3


def test_simple_releases_whoever_asks() -> None:
    assert SimpleStrategy().release([3, 1], [0, 1, 2, 3]) == (1, 3)


def test_default_waits_for_all_and_goes_stage_by_stage_then_test_by_test() -> None:
    strategy = DefaultStrategy()
    strategy.begin(PING_PONG)
    assert strategy.release([0, 1, 2], [0, 1, 2, 3]) == ()
    asked = [strategy.release([0, 1, 2, 3], [0, 1, 2, 3]) for _ in range(4)]
    assert asked == [(0, 2), (1, 3), (0, 2), (1, 3)]


def test_sites_that_stopped_are_not_waited_for_and_empty_stages_are_skipped() -> None:
    strategy = DefaultStrategy()
    strategy.begin(PING_PONG)
    assert strategy.release([1, 3], [1, 3]) == (1, 3)
    assert strategy.release([3], [3]) == (3,)
    assert strategy.release([], []) == ()


def test_a_site_that_no_stage_names_comes_last_and_tests_beyond_the_list_have_one_stage() -> None:
    strategy = DefaultStrategy()
    strategy.begin([[(0,)]])
    assert [strategy.release([0, 5], [0, 5]) for _ in range(3)] == [(0,), (5,), (0, 5)]


@pytest.mark.row("HS-52")
def test_the_strategy_is_the_one_that_the_master_names() -> None:
    assert isinstance(make_strategy("simple"), SimpleStrategy)
    assert isinstance(make_strategy("default"), DefaultStrategy)
    with pytest.raises(PluginError, match="'random'; known are simple, default"):
        make_strategy("random")


@st.composite
def touchdowns(draw: st.DrawFn) -> tuple[int, int, list[list[list[int]]], dict[int, int]]:
    sites = draw(st.integers(1, 16))
    tests = draw(st.integers(1, 5))
    stages = []
    for _ in range(draw(st.integers(0, tests + 1))):
        order = draw(st.permutations(range(sites)))
        cuts = sorted(draw(st.sets(st.integers(0, sites), max_size=3)))
        bounds = [0, *cuts, draw(st.integers(0, sites))]
        stages.append([list(order[a:b]) for a, b in pairwise(bounds)])
    ends = {site: draw(st.integers(1, tests)) for site in range(sites)}
    return sites, tests, stages, ends


@pytest.mark.row("HS-37", "HS-38", "HS-50", "HS-51")
@given(touchdown=touchdowns(), name=st.sampled_from(["simple", "default"]), data=st.data())
def test_one_to_sixteen_sites_never_wait_for_ever_and_nobody_is_released_twice(
    touchdown: tuple[int, int, list[list[list[int]]], dict[int, int]], name: str, data: st.DataObject
) -> None:
    """Sites ask in any order and stop after any test; the master looks whenever something has changed."""
    sites, _, stages, ends = touchdown
    lines = parallel_lines(sites, name)
    strategy = make_strategy(name)
    strategy.begin(stages)
    testing, done = set(range(sites)), dict.fromkeys(range(sites), 0)
    released: list[int] = []
    running = set(testing)
    while testing:
        if running:
            site = data.draw(st.sampled_from(sorted(running)))
            running.remove(site)
            if done[site] == ends[site]:
                testing.remove(site)
            else:
                lines.request(site, lambda site=site: released.append(site))  # type: ignore[misc]
        before = len(released)
        lines.release(strategy.release(lines.asking, testing))
        for site in released[before:]:
            done[site] += 1
            lines.in_progress(site)
            running.add(site)
        assert running or before < len(released) or not testing, "everybody waits for ever"
    assert done == ends
    assert len(released) == sum(ends.values())
