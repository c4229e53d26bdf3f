"""Peripherals belong to the test cell controller or to the master, as the scenario says; programs see no difference."""

import json

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.scenario import from_data
from tests.cell.conftest import BASE, merged
from tests.cell.test_bench import HOT, SET_UP

ORACLE = "peripherals answer once"
TEARDOWN = "Teardown"


def with_owner(owner, **more):
    return {"peripherals": {"Temperature": {"owner": owner, **more}}}


def io_topics(flight):
    """Topics between master and peripherals, and how many messages each had."""
    topics = [heard.topic for heard in flight.facts.messages]
    return topics.count("ate/demo/Temperature/io-control/request"), topics.count(
        "ate/demo/Master/Temperature/response"
    )


def by_hand(flight):
    """(what, ioctl) of all that the master did at its own peripherals."""
    events = [event for event in flight.events if event.kind in ("drive", "driven")]
    assert {event.actor for event in events} <= {"master"}
    return [(event.kind, json.loads(event.fields["payload"])["ioctl_name"]) for event in events]


@pytest.mark.row("SEQ-25", "SEQ-26")
@pytest.mark.parametrize(("owner", "relayed", "done"), [("tcc", 4, 0), ("master", 0, 4)])
def test_a_request_is_relayed_or_carried_out_once_per_touchdown(fly, owner, relayed, done):
    flight = fly(cell=with_owner(owner), devices={"size": 8})
    assert flight.result.verdict == "holds" and flight.verdict(ORACLE) == "holds"
    assert io_topics(flight) == (relayed, 4)
    assert by_hand(flight) == [("drive", "set_temperature"), ("driven", "set_temperature")] * done


@pytest.mark.row("SEQ-25", "SEQ-26")
def test_what_the_master_s_own_chamber_does_is_what_the_program_measures(fly):
    owned = {"peripherals": {"Temperature": {"owner": "master", "does": {"set_temperature": HOT}}}}
    flights = [fly(**{**SET_UP, "cell": {"sites": 2, **cell}}) for cell in (owned, SET_UP["cell"])]
    results = [[record["SOFT_BIN"] for _, record in flight.results()] for flight in flights]
    assert results[0] == results[1] == [1] * 4
    first = flights[0].kinds("ask")[0]
    assert (first.actor, first.fields["line"]) == ("chamber", "TEMP:SETPOINT 85.0")
    assert flights[0].verdict(ORACLE) == "holds"


def test_a_peripheral_of_the_master_that_takes_too_long_is_a_soft_error_and_its_answer_nobody_s(fly):
    flight = fly(cell=with_owner("master", latency_s=5.1), devices={"size": 2})
    assert "peripheral Temperature did not answer set_temperature within 5 s" in flight.result.problems[0]
    assert by_hand(flight) == [("drive", "set_temperature")]


@pytest.mark.row("SEQ-58")
def test_the_master_tears_its_own_actuators_down_too(fly):
    flight = fly(cell={"dialect": "specification", **with_owner("master")}, devices={"size": 4})
    assert flight.result.verdict == "holds"
    assert flight.verdict(ORACLE) == flight.verdict("actuators are torn down") == "holds"
    assert by_hand(flight)[-2:] == [("drive", TEARDOWN), ("driven", TEARDOWN)]
    assert io_topics(flight)[0] == 0


def test_a_master_that_dies_while_it_drives_tells_nobody(fly):
    restart = {"when": {"touchdown": 1}, "with_delay": "1s", "do": {"master_restart": "1s"}}
    flight = fly(
        cell={**with_owner("master", latency_s=2), "operator": {"resets": 1}},
        devices={"size": 4},
        timeline=[restart],
    )
    assert flight.verdict("lot completes") == "holds"
    asked, answered = (sum(what == kind for what, _ in by_hand(flight)) for kind in ("drive", "driven"))
    assert asked == answered + 1


def test_a_fault_of_messages_that_do_not_exist_is_a_mistake():
    step = {"at": 1, "do": {"peripheral_silent": "Temperature"}}
    with pytest.raises(DrycellError, match=r"timeline\W+0.*the master drives this peripheral itself"):
        from_data(merged(BASE, {"cell": with_owner("master"), "timeline": [step]}))
