"""Scenarios, as small as the reducer made them, in which an oracle once blamed peers for what a fault or chance did."""

from pathlib import Path

import pytest

from drycell.sim.explore.flight import fly
from drycell.sim.scenario import load

QUIET = sorted((Path(__file__).parent / "quiet").glob("*.yaml"))
WITH_REAL_PROGRAMS = sorted((Path(__file__).parent / "quiet" / "process").glob("*.yaml"))


@pytest.mark.parametrize("path", QUIET, ids=lambda path: path.stem)
def test_what_a_fault_did_is_nobodys_broken_promise(path):
    check(path)


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.parametrize("path", WITH_REAL_PROGRAMS, ids=lambda path: path.stem)
def test_nor_is_it_where_real_programs_start_in_no_time(path):
    check(path)


def check(path: Path) -> None:
    scenario = load(path)
    flight = fly(scenario)
    assert [finding.text for finding in flight.findings] == []
    happened = ("fault", "operator") if scenario.timeline else ("sorted",)
    assert any(event.kind in happened for event in flight.events)
