"""Steps of the timeline: what sets them off, what they look like in YAML, JSON and Python, what is wrong with them."""

import pickle
import re

import pytest

from drycell.sim.faults import PALETTE
from drycell.sim.faults.link import Delay
from drycell.sim.faults.process import Freeze
from drycell.sim.scenario import Action, Scenario, ScenarioError, Step, Trigger, canonical, from_text
from drycell.sim.scenario.files import pretty, schema

HEAD = "drycell: 1\nname: x\ncell: {sites: 2}\ntimeline:\n"


def steps(*lines: str) -> Scenario:
    return from_text(HEAD + "".join(f"- {line}\n" for line in lines), name="s.yaml")


def complaint(*lines: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        steps(*lines)
    return str(caught.value)


# what sets a step off -----------------------------------------------------------------------------------------------


def times(flight, fault):
    return [
        round(event.t_ns / 1e9, 6)
        for event in flight.events
        if event.kind == "fault" and event.fields["fault"] == fault
    ]


def test_a_rhythm_acts_so_often_and_no_more(fly):
    flight = fly({"at": "1s", "every": "500ms", "count": 3, "do": {"stuck": "meter"}}, devices={"size": 30})
    assert times(flight, "stuck") == [1.0, 1.5, 2.0]
    assert times(fly({"every": "400ms", "count": 2, "do": {"stuck": "meter"}}), "stuck") == [0.4, 0.8]


def test_a_step_follows_another_each_time_with_its_own_delay(fly):
    flight = fly(
        {"name": "first", "when": {"says": "testing", "site": 0}, "count": 2, "do": {"stuck": "meter"}},
        {"name": "second", "after": "first", "with_delay": "10ms", "do": {"noise": "meter"}},
        {"after": "second", "do": {"drift": "meter"}},
    )
    begins = times(flight, "stuck")
    assert len(begins) == 2
    assert times(flight, "noise") == times(flight, "drift") == [round(at + 0.01, 6) for at in begins]


@pytest.mark.parametrize(
    ("trigger", "seen"),
    [
        ({"says": "testresult", "site": 1, "nth": 2}, ("testapp.demo.1", "testresult", "", 2)),
        ({"says": "testing", "part": 4}, ("testapp.demo.1", "status", "testing", 2)),
        ({"command": "next", "nth": 2}, ("master", "TestApp/cmd", '"next"', 2)),
        ({"command": "loadTest"}, ("master", "Control/cmd", "loadTest", 1)),
        ({"master": "ready"}, ("master", "Master/status", '"ready"', 1)),
        ({"handler": "testing", "nth": 3}, ("handler", "Handler/status", "testing", 3)),
        ({"control": "busy", "site": 1}, ("control1", "Control/status", "busy", 1)),
        ({"topic": "ate/demo/+/io-control/response"}, ("tcc", "io-control/response", "", 1)),
        ({"topic": "ate/demo/#", "contains": "getexec"}, ("master", "TestApp/cmd", "getexec", 1)),
        ({"says": "idle", "lot": "306426.001", "site": 0}, ("testapp.demo.0", "status", "idle", 1)),
    ],
)
def test_a_message_or_a_state_sets_a_step_off_after_everybody_has_heard_it(fly, trigger, seen):
    flight = fly({"when": trigger, "do": {"stuck": "meter"}})
    fault = next(event for event in flight.events if event.kind == "fault")
    actor, topic, text, count = seen
    said = [
        e
        for e in flight.events
        if e.kind == "message" and e.actor == actor and topic in e.fields["topic"] and text in e.fields["payload"]
    ]
    assert sum(event.seq < fault.seq for event in said) == count
    assert said[count - 1].t_ns == fault.t_ns


def test_a_lot_that_is_not_there_sets_nothing_off(fly):
    assert fly({"when": {"touchdown": 1, "lot": "other"}, "do": {"stuck": "meter"}}).kinds("fault") == []


def test_options_of_a_touchdown_go_out_with_exactly_that_touchdown(fly):
    flight = fly({"when": {"touchdown": 2}, "do": {"options": {"stop_on_fail": True}}})
    sent = [
        '"stop_on_fail": {"active": true' in event.fields["payload"]
        for event in flight.events
        if event.kind == "message" and '"command": "next"' in event.fields["payload"]
    ]
    assert sent == [False, True, True]


# forms --------------------------------------------------------------------------------------------------------------


def test_short_long_and_python_forms_are_one_scenario():
    short = steps(
        "{when: {says: testing, part: 5}, do: {delay: testresult, by: 31s}}", "{at: 1, do: {freeze: 1, for: 2s}}"
    )
    long = steps(
        "{when: {part: 5, says: testing}, do: {delay: {message: testresult, by: 31}}}",
        "{at: 1s, do: {freeze: {site: 1, for: 2}}}",
    )
    built = short.model_copy(
        update={
            "timeline": (
                Step(when=Trigger(says="testing", part=5), do=Action(delay=Delay(message="testresult", by_s=31.0))),
                Step(at_s=1.0, do=Action(freeze=Freeze(site=1, for_s=2.0))),
            )
        }
    )
    assert canonical(short) == canonical(long) == canonical(built)
    assert short == long == built
    assert from_text(pretty(built)) == built
    assert pickle.loads(pickle.dumps(built)) == built


def test_the_published_schema_knows_every_fault_and_its_keys():
    action = schema()["$defs"]["Action"]
    whole, *short = action["anyOf"]
    assert set(PALETTE) < set(whole["properties"])
    assert whole["additionalProperties"] is False
    assert whole["properties"]["delay"]["properties"]["by"]["description"] == "How late."
    freeze = next(form for form in short if "freeze" in form["properties"])
    assert (set(freeze["properties"]), freeze["required"]) == ({"freeze", "for"}, ["freeze"])


# mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{at: 1, do: {dela: testresult}}", r"s\.yaml:5:16: unknown key 'dela' in timeline\[0\]\.do; did you mean 'delay'\?"),
        ("{at: 1, do: {delay: {messag: x}}}", r"unknown key 'messag' in timeline\[0\]\.do\.delay; did you mean 'message'\?"),
        ("{at: 1, do: {delay: {message: statu}}}", r"timeline\[0\]\.do\.delay\.message: 'statu' is not known; did you mean"),
        ("{at: 1, do: {delay: status, by: soon}}", r"timeline\[0\]\.do\.delay\.by: 'soon' is no duration; write 90s"),
        ("{at: 1, do: {freeze: {}}}", r"the key 'site' is missing in timeline\[0\]\.do\.freeze; add it \(Site of the"),
        ("{at: 1, do: {freeze: 7}}", r"timeline\[0\]\.do\.freeze\.site: the cell has no site 7; it has \[0, 1\]"),
        ("{at: 1, do: {wrong_site: testresult, as: 9}}", r"do\.wrong_site\.as: the cell has no site 9"),
        ("{at: 1, do: {freeze: 0, segfault: 1}}", r"do: do takes exactly one of .* found freeze, segfault together"),
        ("{at: 1, do: {delay: {message: status, topic: a}}}", r"message and topic both say which messages are meant"),
        ("{every: 1s, do: {segfault: 0}}", r"every needs a count; say how often, such as count: 3"),
        ("{at: 1, count: 3, do: {segfault: 0}}", r"count goes with every and when only; leave it out"),
        ("{after: x, do: {segfault: 0}}", r"s\.yaml:5:11: timeline\[0\]\.after: no step is called 'x'; nothing is known"),
        ("{name: a, after: a, do: {segfault: 0}}", r"timeline\[0\]\.after: these steps wait for each other; begin with"),
        ("{at: 1, when: {part: 1}, after: b, do: {segfault: 0}}", r"found at and when and after; write one of them"),
        ("{when: {master: ready, handler: ready}, do: {segfault: 0}}", r"found master and handler together; choose one"),
        ("{when: {master: ready, part: 3}, do: {segfault: 0}}", r"part goes with says and command and topic only, not"),
        ("{when: {says: idle, contains: x}, do: {segfault: 0}}", r"contains goes with topic only, not with says"),
        ("{when: {control: testing}, do: {segfault: 0}}", r"when\.control: 'testing' is not known; did you mean|known are"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_step_is_told_with_its_place(line, told):
    first = complaint(line).splitlines()[0]
    assert re.search(told, first), first
    assert re.match(r"s\.yaml:5:\d+: .+; .+", first), first


def test_two_steps_of_one_name_and_circles_are_told():
    assert "another step is called 'a'; give each" in complaint(
        "{name: a, at: 1, do: {segfault: 0}}", "{name: a, at: 1, do: {segfault: 0}}"
    )
    assert (
        complaint("{name: a, after: b, do: {segfault: 0}}", "{name: b, after: a, do: {segfault: 0}}").count(
            "wait for each"
        )
        == 2
    )
