"""The example of docs/faults.md is a plugin that works: found, checked, flown."""

import re
from pathlib import Path
from types import ModuleType

import pluggy
import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.hooks import registry
from drycell.sim.hooks.registry import GROUP, Registry
from drycell.sim.hooks.spec import DrycellHooks

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]


@pytest.fixture
def lab(monkeypatch):
    plugin = ModuleType("lab_faults")
    exec(compile(EXAMPLE, "lab_faults.py", "exec"), plugin.__dict__)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(DrycellHooks)
    manager.register(plugin, "lab")
    mine = Registry(manager).faults
    monkeypatch.setattr(Registry, "faults", {**registry().faults, **mine})


def test_the_example_is_short():
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 30


def test_a_fault_of_your_own_flies_like_ours(fly, lab):
    dip = {"when": {"touchdown": 2}, "do": {"power_dip": "1s", "sites": [0, 1]}}
    flight = fly(dip, seed=3)
    assert flight.kinds("fault") == [{"fault": "power_dip", "step": 1, "for": 1.0, "sites": [0, 1]}]
    assert {exit_["exit_code"] for exit_ in flight.kinds("exit")} == {-9, 0}
    assert flight.result.parts == 6
    assert flight.result.journal_sha256 == fly(dip, seed=3).result.journal_sha256


def test_its_mistakes_are_told_like_ours(fly, lab):
    with pytest.raises(
        DrycellError, match=r"unknown key 'site' in timeline\[0\]\.do\.power_dip; did you mean 'sites'"
    ):
        fly({"at": 0, "do": {"power_dip": {"site": 0}}})
    with pytest.raises(DrycellError, match="did you mean 'power_dip'"):
        fly({"at": 0, "do": {"power_dib": {}}})


def test_a_fault_that_breaks_is_named(fly, lab, monkeypatch):
    monkeypatch.setattr(registry().faults["power_dip"], "inject", lambda self, stage: 1 / 0)
    with pytest.raises(DrycellError, match=r"timeline step 1: the fault power_dip failed: division by zero"):
        fly({"at": 0, "do": {"power_dip": {}}})
