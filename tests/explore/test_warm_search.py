"""A search with real programs forks them, and finds what cold starts would find."""

from pathlib import Path

import pytest

from drycell.sim.explore.drawing import genome
from drycell.sim.explore.flight import fly
from drycell.sim.explore.pilot import Pilot, Plan
from drycell.sim.scenario import load

DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_drawn_scenarios_fly_warm_as_they_fly_cold() -> None:
    pilot = Pilot(Plan(load(DEMO, {"rung": "process"}), sites=2, devices=3))
    try:
        made = [pilot._drawer.scenario(genome(5, number)) for number in range(1, 5)]
        flown = [scenario for scenario, _ in (one for one in made if one is not None)]
        assert flown
        for scenario in flown:
            assert pilot.fly(scenario).events == fly(scenario).events
        landed = pilot.land(1, genome(5, 1))
        assert (landed.trouble, landed.remark) == ("", "")
        (server,) = pilot._warm._servers.values()
        assert server.later is not None
    finally:
        pilot.close()
