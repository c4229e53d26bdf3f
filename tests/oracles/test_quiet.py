"""Scenarios, as small as the reducer made them, in which an oracle once blamed peers for what a fault had done."""

from pathlib import Path

import pytest

from drycell.sim.explore.flight import fly
from drycell.sim.scenario import load

QUIET = sorted((Path(__file__).parent / "quiet").glob("*.yaml"))


@pytest.mark.parametrize("path", QUIET, ids=lambda path: path.stem)
def test_what_a_fault_did_is_nobodys_broken_promise(path):
    flight = fly(load(path))
    assert [finding.text for finding in flight.findings] == []
    assert any(event.kind in ("fault", "operator") for event in flight.events)
