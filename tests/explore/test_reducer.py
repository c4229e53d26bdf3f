"""A scenario is cut down to what its violation needs. Runs are stood in for by a predicate, so these take no time."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.sim.explore.flight import Flight, Violation
from drycell.sim.explore.reducer import reduce, survivors
from drycell.sim.explore.removals import REMOVALS
from drycell.sim.explore.simplifications import simpler_numbers, simplicity
from drycell.sim.kernel import Event
from drycell.sim.scenario import Scenario, ScenarioError, from_data
from drycell.sim.scenario.files import plain, pretty

TESTS = ("contact_1", "vout_1", "iq_1")
BROKEN = Violation("bins agree", "bins agree: the master erred", "the master erred at 1.000 s (event 7)", (7,))
KILL_1 = {"when": {"site": 1, "says": "testing", "nth": 3}, "do": {"kill": {"site": 1}}}
STOP = {"when": {"part": 9}, "do": {"options": {"stop_on_fail": True, "single_step": True}}}
LATE = {"at": 12.3456, "do": {"delay": {"message": "testresult", "by": 0.3719}}}
JAM = {"name": "jam", "every": 20.0, "count": 4, "do": {"handler_jam": {"for": 3.5}}}
RESET = {"after": "jam", "with_delay": 2.5, "do": {"operator": "reset"}}


def scenario(*steps: dict[str, Any], sites: Any = 2, **more: Any) -> Scenario:
    data = {
        "drycell": 1,
        "name": "found by the search",
        "seed": 8123,
        "rung": "model",
        "cell": {
            "sites": sites,
            "handler": {"index_time_s": 0.217},
            "operator": {"resets": 3, "reset_after_s": 1.73},
            "peripherals": {"Temperature": {"latency_s": 0.031}, "MagField": {}},
        },
        "program": {"definitions": "demo"},
        "devices": {"size": 17, "defects": 0.31},
        "instruments": {"meter": {"variable": "DRYCELL_METER"}},
        "timeline": list(steps),
        "expect": ["lot completes"],
    }
    return from_data({**data, **more})


def flying(needs: Callable[[Scenario], bool], happens: Callable[[Scenario], object] = lambda _: "") -> Any:
    """A stand-in for runs: ``needs`` says whether the violation shows, ``happens`` what else the journal holds."""

    def fly(flown: Scenario) -> Flight:
        events = (Event(1, 0, "cell", "happened", {"what": happens(flown)}),)
        return Flight(flown, None, events, (BROKEN,) if needs(flown) else ())  # type: ignore[arg-type]

    return fly


def verbs(found: Scenario) -> list[str]:
    return [next(iter(step["do"])) for step in plain(found).get("timeline", ())]


def has(found: Scenario, *wanted: str) -> bool:
    return set(wanted) <= set(verbs(found))


def test_only_the_events_that_matter_are_left():
    found = reduce(scenario(KILL_1, STOP, LATE, JAM, RESET), BROKEN, flying(lambda s: has(s, "kill", "handler_jam")))
    assert verbs(found.scenario) == ["kill", "handler_jam"]
    assert found.minimal


def test_an_event_that_waits_for_another_goes_or_stays_with_it():
    found = reduce(scenario(KILL_1, JAM, RESET), BROKEN, flying(lambda s: has(s, "operator")))
    assert verbs(found.scenario) == ["handler_jam", "operator"]
    assert found.scenario.timeline[1].after == found.scenario.timeline[0].name


def test_what_is_left_reads_as_a_person_would_write_it():
    found = reduce(scenario(KILL_1, STOP, LATE, JAM), BROKEN, flying(lambda s: has(s, "options")), tests=TESTS)
    assert pretty(found.scenario) == (
        "drycell: 1\n"
        'name: "broken after stop on fail: bins agree"\n'
        "rung: model\n"
        "program: {definitions: demo, tests: [iq_1]}\n"
        "devices: {size: 1}\n"
        "timeline:\n"
        "- {when: {part: 1}, do: {options: {stop_on_fail: true}}}\n"
        "expect:\n"
        "- bins agree\n"
    )  # fmt: skip


def test_the_protocol_stays_because_another_one_fails_in_another_way():
    cell = {"dialect": "specification", "sites": 2}
    assert (
        reduce(scenario(KILL_1, cell=cell), BROKEN, flying(lambda _: True)).scenario.cell.dialect == cell["dialect"]
    )


def test_hardware_stays_when_the_run_would_be_another_without_it():
    fly = flying(lambda _: True, happens=lambda s: [*s.instruments, "Temperature" in s.cell.peripherals])
    found = reduce(scenario(), BROKEN, fly).scenario
    assert list(found.instruments) == ["meter"]
    assert list(found.cell.peripherals) == ["Temperature"]


def test_triggers_follow_their_device_into_a_smaller_lot():
    def needs(s: Scenario) -> bool:
        part = s.timeline[0].when.part if s.timeline and s.timeline[0].when else None
        return part is not None and s.devices.size - part >= 2

    found = reduce(scenario(STOP), BROKEN, flying(needs)).scenario
    assert (found.devices.size, found.timeline[0].when.part) == (3, 1)


def test_a_violation_that_needs_one_bad_device_of_many_is_shown_with_bad_devices_only():
    fly = flying(lambda s: s.devices.size >= 13 or s.devices.defects == 1.0)
    devices = reduce(scenario(), BROKEN, fly).scenario.devices
    assert (devices.size, devices.defects) == (1, 1.0)


def test_sites_go_and_what_is_left_counts_from_zero():
    fly = flying(lambda s: has(s, "kill") and len(s.cell.sites) >= 2)
    found = reduce(scenario(KILL_1 | {"do": {"kill": {"site": 5}}}, sites=[1, 5, 7]), BROKEN, fly).scenario
    assert found.cell.sites == (0, 1)
    assert found.timeline[0].do.kill.site == 0


def test_tests_go_unless_all_of_them_are_needed():
    one = reduce(scenario(), BROKEN, flying(lambda s: "vout_1" in s.program.tests), tests=TESTS)
    assert one.scenario.program.tests == ("vout_1",)
    everything = reduce(scenario(), BROKEN, flying(lambda s: len(s.program.tests) in (0, 3)), tests=TESTS)
    assert everything.scenario.program.tests == ()


def test_instants_and_numbers_become_round():
    def needs(s: Scenario) -> bool:
        step = plain(s).get("timeline", [{}])[0]
        return step.get("at", 0) > 12 and step["do"].get("delay", {}).get("by", 1.0) > 0.35

    step = plain(reduce(scenario(LATE), BROKEN, flying(needs)).scenario)["timeline"][0]
    assert step == {"at": 12.3, "do": {"delay": {}}}


def test_a_plainer_fault_takes_the_place_of_a_special_one():
    ends = {"at": 3.0, "do": {"exit": {"site": 1, "code": 7}}}
    found = reduce(scenario(ends), BROKEN, flying(lambda s: has(s, "exit") or has(s, "kill")))
    assert verbs(found.scenario) == ["kill"]


def test_when_the_runs_are_used_up_the_smallest_so_far_still_shows_it():
    needs = lambda s: len(s.timeline) >= 2  # noqa: E731
    found = reduce(scenario(KILL_1, STOP, LATE, JAM, RESET), BROKEN, flying(needs), most_runs=4)
    assert (found.minimal, found.runs) == (False, 4)
    assert needs(found.scenario)


def test_no_scenario_is_run_twice():
    flown: list[str] = []

    def needs(s: Scenario) -> bool:
        flown.append(pretty(s))
        return has(s, "kill", "delay")

    bare = scenario(KILL_1, STOP, LATE, JAM, instruments={}, cell={"sites": 2})
    reduce(bare, BROKEN, flying(needs))
    assert len(set(flown)) == len(flown)


def test_what_survives_is_named():
    fly = flying(lambda s: s.devices.size >= 2)
    left = survivors(scenario(KILL_1, STOP), BROKEN.signature, fly)
    assert {"event 0", "event 1", "device 17", "site 0", "key ('devices', 'defects')"} <= set(left)


STEPS = (KILL_1, STOP, LATE, JAM, RESET)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), unique_by=str, max_size=5),
    st.sets(st.sampled_from(["kill", "options", "delay", "handler_jam"]), max_size=2),
    st.integers(1, 3),
    st.integers(1, 6),
)
def test_the_result_is_always_minimal_and_still_shows_the_violation(steps, wanted, sites, size):
    if RESET in steps and JAM not in steps:
        steps = [*steps, JAM]
    start = scenario(*steps, sites=3)
    fly = flying(lambda s: has(s, *wanted) and len(s.cell.sites) >= sites and s.devices.size >= size)
    if fly(start).violation(BROKEN.signature) is None:
        return
    found = reduce(start, BROKEN, fly, tests=TESTS)
    assert fly(found.scenario).violations == (BROKEN,)
    assert survivors(found.scenario, BROKEN.signature, fly, tests=TESTS) == []
    assert set(verbs(found.scenario)) == wanted
    assert (len(found.scenario.cell.sites), found.scenario.devices.size) == (sites, size)


@given(st.one_of(st.integers(0, 10**6), st.floats(0, 1e6, allow_nan=False)))
def test_simpler_numbers_are_simpler_and_of_the_same_kind(number):
    for simple in simpler_numbers(number):
        assert type(simple) is type(number)
        assert simplicity(simple) < simplicity(number)


@pytest.mark.parametrize("row", REMOVALS, ids=lambda row: row.what)
def test_a_row_takes_away_what_it_names_and_leaves_its_argument_alone(row):
    data = plain(scenario(KILL_1, STOP, JAM, RESET, program={"definitions": "demo", "tests": list(TESTS)}))
    before = repr(data)
    items = row.items(data)
    made = 0
    for item in items:
        for smaller in row.without(data, {item}):
            try:
                made += plain(from_data(smaller)) != data
            except ScenarioError:
                pass
    assert made and repr(data) == before
