"""Whole lots at once: reproducible draws, limits and bins."""

from collections.abc import Iterator

import numpy as np
import pytest

from drycell.plugins_sim.devices.production import CHUNK, Binned, Floats, Limit, bin_population, draw_population
from drycell.sim.errors import DrycellError


def values(count: int, normals: list[tuple[float, float]], seed: int = 3) -> list[list[float]]:
    drawn: Iterator[Iterator[Floats]] = draw_population(seed, "lot", 1, count, normals)
    return [[float(v) for chunk in one for v in chunk] for one in drawn]


def test_a_further_parameter_and_further_devices_move_nothing() -> None:
    small, large = values(10, [(3.3, 0.01)]), values(CHUNK + 10, [(3.3, 0.01), (5.0, 1.0)])
    assert small[0] == large[0][:10]
    assert len(large[1]) == CHUNK + 10
    assert values(10, [(3.3, 0.01)], seed=4) != small


def test_a_device_gets_the_bins_of_the_first_limit_it_breaks() -> None:
    first = np.array([1.0, 5.0, 1.0, 2.0, np.nan])
    second = np.array([1.0, 9.0, 9.0, 0.0, 0.0])
    limits = [Limit(0.0, 2.0, 11, 3), Limit(0.0, 2.0, 12, 4)]
    binned = bin_population([[first], [second]], limits)
    assert binned.soft.tolist() == [1, 11, 12, 1, 11]
    assert binned.hard.tolist() == [1, 3, 4, 1, 3]
    assert binned.first_fail.tolist() == [0, 1, 2, 0, 1] and binned.passed == 2


def test_the_yield_is_what_the_normal_distribution_says() -> None:
    binned: Binned = bin_population(
        draw_population(1, "lot", 1, 200_000, [(0.0, 1.0)] * 3), [Limit(-2.0, 2.0, 2, 2)] * 3
    )
    assert binned.passed / 200_000 == pytest.approx(0.9545**3, abs=0.002)


def test_parameters_without_limits_are_refused() -> None:
    with pytest.raises(DrycellError, match="more parameters than the 1 limits"):
        bin_population(draw_population(1, "lot", 1, 5, [(0.0, 1.0)] * 2), [Limit(0, 1, 2, 2)])
    with pytest.raises(DrycellError, match="1 parameters for 2 limits"):
        bin_population(draw_population(1, "lot", 1, 5, [(0.0, 1.0)]), [Limit(0, 1, 2, 2)] * 2)
