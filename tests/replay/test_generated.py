"""Generated runs are recorded, imported and played again: a sample of what ``make quality`` does a hundred times."""

import pytest

from drycell.sim.explore import clean, scenarios
from drycell.sim.scenario import load
from tests.quality.replay import BASE, unlike


@pytest.mark.parametrize("strategy", [clean, scenarios])
def test_generated_runs_need_no_hand(strategy):
    assert list(unlike(strategy(load(BASE)), 6)) == []
