"""Drawn scenarios: valid by construction, restrictable, extendable; clean ones break no promise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.sim.errors import DrycellError
from drycell.sim.explore import clean, fly, kinds, scenarios
from drycell.sim.explore.known import known
from drycell.sim.explore.steps import HARMLESS, deed
from drycell.sim.faults import Fault, Stage
from drycell.sim.hooks import hookimpl, registry
from drycell.sim.hooks.registry import Registry
from drycell.sim.scenario import Scenario, canonical, from_data, from_text, load
from drycell.sim.scenario.files import pretty
from drycell.sim.scenario.words import Seconds, Site

BASE = load(Path(__file__).parents[2] / "scenarios" / "demo.yaml", {"rung": "model"})


def deeds(scenario: Scenario) -> set[str]:
    return {step.do.fault[0] if step.do.fault else step.do.used()[0] for step in scenario.timeline}


@settings(max_examples=60, deadline=None)
@given(scenarios(BASE))
def test_every_drawn_scenario_is_what_its_file_says(scenario: Scenario) -> None:
    text = canonical(scenario)
    assert canonical(from_text(text, as_json=True)) == text
    assert canonical(from_text(pretty(scenario))) == text


@settings(max_examples=40, deadline=None)
@given(scenarios(BASE, devices=3))
def test_every_drawn_scenario_can_be_flown(scenario: Scenario) -> None:
    flight = fly(scenario)
    assert flight.result is not None
    assert flight.events[-1].kind == "end"


@settings(max_examples=40, deadline=None)
@given(clean(BASE, devices=5))
def test_nothing_is_violated_in_a_clean_scenario(scenario: Scenario) -> None:
    assert [violation.text for violation in fly(scenario).violations] == []


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_kinds_of_deeds_can_be_chosen_and_left_out(data: st.DataObject) -> None:
    harmless = {"options", "operator"}
    assert deeds(data.draw(scenarios(BASE, faults=["cut", "kill"]))) <= {"cut", "kill", *harmless}
    assert deeds(data.draw(scenarios(BASE, faults=[]))) <= harmless
    assert "lose" not in deeds(data.draw(scenarios(BASE, without=["lose"])))


@settings(max_examples=30, deadline=None)
@given(scenarios(BASE, sites=[4, 9], devices=8))
def test_sites_and_lot_size_can_be_given(scenario: Scenario) -> None:
    assert scenario.cell.sites == (4, 9)
    assert scenario.devices.size <= 8


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"faults": ["cutt"]}, "did you mean 'cut'"),
        ({"without": ["looose"]}, "there is no fault 'looose'"),
        ({"sites": 3}, "the program is made for 1, 2, 4 sites"),
        ({"devices": 0}, "at least one device"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(wrong: Mapping[str, Any], why: str) -> None:
    with pytest.raises(DrycellError, match=why):
        scenarios(BASE, **wrong)


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_every_kind_of_the_palette_can_be_drawn(data: st.DataObject) -> None:
    here = known(BASE)
    steps = [{"at": 0, "do": data.draw(deed(kind, here))} for kind in (*kinds(), *HARMLESS)]
    drawn = from_data({"drycell": 1, "name": "all", "cell": {"sites": [0, 1]}, "timeline": steps})
    assert deeds(drawn) == {*kinds(), "options"}


class PowerDip(Fault):
    """The lab's supply dips."""

    layer: ClassVar = "floor"
    sites: tuple[Site, ...]
    depth: float = 0.5
    lasts_s: Seconds

    def inject(self, stage: Stage) -> None:
        stage.floor.jam(self.lasts_s)


class Lab:
    @hookimpl
    def drycell_faults(self) -> Mapping[str, type[Fault]]:
        return {"power_dip": PowerDip}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {**registry().faults, **Lab().drycell_faults()}
    monkeypatch.setattr(Registry, "faults", property(lambda self: faults))


@pytest.mark.usefixtures("lab")
def test_faults_of_plugins_are_drawn_from_their_fields() -> None:
    drawn: list[PowerDip] = []

    @settings(max_examples=25, deadline=None, database=None)
    @given(scenarios(BASE, sites=[4, 9], faults=["power_dip"]))
    def look(scenario: Scenario) -> None:
        drawn.extend(step.do.fault[1] for step in scenario.timeline if step.do.fault)  # type: ignore[misc]

    look()
    assert drawn
    assert {site for dip in drawn for site in dip.sites} <= {4, 9}


@pytest.mark.usefixtures("lab")
def test_a_strategy_of_ones_own_takes_the_place_of_the_derived_one() -> None:
    mine = st.just({"power_dip": {"sites": [9], "lasts_s": 7.0}})

    @settings(max_examples=25, deadline=None, database=None)
    @given(scenarios(BASE, sites=[4, 9], faults=["power_dip"], more={"power_dip": mine}))
    def look(scenario: Scenario) -> None:
        assert {step.do.fault[1].lasts_s for step in scenario.timeline if step.do.fault} <= {7.0}  # type: ignore[attr-defined]

    look()
