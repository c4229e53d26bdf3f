"""Promises about test options: they go out with the next touchdown, and are honoured in the cycle they came with.

Rules (semi-ate): options are what the operator set while the master was initialized or ready; a load takes them back;
a cycle knows only the options of its own ``next``. What programs of rung process do to the tester's trigger output
cannot be seen from outside, so triggers are judged only for programs that journal their states.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from drycell.runtime.protocol.messages import OPTION_NAMES, OPTION_OFF
from drycell.sim.kernel import Event
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.results import PartResult
from drycell.sim.oracles.touchdowns import Touchdown

Options = Mapping[str, Mapping[str, Any]]


def _reach(facts: Facts) -> Iterator[Case]:
    """Every next carries exactly the options that were set last, unless the scenario has rewritten it."""
    refused = {event.seq for event in facts.of_kind("refused")}
    commands = {h.event.seq: h for h in facts.heard("TestApp/cmd") if (h.content or {}).get("command") == "next"}
    loads = (e for e in facts.of_kind("state") if e.actor == "master" and e.fields["to"] == "loading")
    options: dict[str, Any] = {}
    changed: Event | None = None
    events = [*facts.of_kind("operator"), *loads, *(heard.event for heard in commands.values())]
    for event in sorted(events, key=lambda event: event.seq):
        if event.kind == "operator":
            if event.fields["command"] == "usersettings" and event.seq + 1 not in refused:
                options, changed = _set(event), event
        elif event.kind == "state":
            options = {}
        elif changed is not None and not facts.struck(commands[event.seq].topic, event):
            yield _carries(commands[event.seq].content or {}, options, event, changed)


def _set(event: Event) -> dict[str, Any]:
    entries = event.fields.get("payload", {}).get("payload", ())
    return {entry["name"]: {"active": entry["active"], "value": entry["value"]} for entry in entries}


def _carries(content: Mapping[str, Any], options: Options, event: Event, changed: Event) -> Case:
    job = content.get("job_data")
    if not isinstance(job, dict):
        return Breach("the master sent next without job_data", event, (changed,))
    for name in OPTION_NAMES:
        wanted, sent = options.get(name, OPTION_OFF), job.get(name)
        if sent != wanted:
            text = f"the master sent {name} as {_words(sent)} with next; the operator had set {_words(wanted)}"
            return Breach(text, event, (changed,))
    return None


def _words(option: object) -> str:
    if not isinstance(option, Mapping) or "active" not in option:
        return repr(option)
    return f"on, value {option.get('value')}" if option["active"] else "off"


def _triggers(facts: Facts) -> Iterator[Case]:
    visible = {event.actor.removeprefix("sequencer") for event in facts.of_kind("state")}
    for touchdown, result in facts.story.reported:
        if result.site not in visible:
            continue
        seen = [
            (str(e.fields.get("cause")), int(e.fields.get("test", -1)))
            for e in touchdown.triggers.get(result.site, ())
        ]
        on_fail, on_test = touchdown.option("trigger_on_fail"), touchdown.option("trigger_on_test")
        if not (seen or on_fail or on_test):
            continue
        due = list(_due(result, bool(on_fail), on_test.get("value"), facts.dialect.trigger_lead))
        if sorted(seen) == sorted(due):
            yield None
            continue
        missing = next((pulse for pulse in due if pulse not in seen), None)
        who = f"the program of site {result.site}"
        if missing is not None:
            text = f"{who} gave no trigger for {missing[0]} at test index {missing[1]}, as its options asked;"
        else:
            extra = next(pulse for pulse in seen if seen.count(pulse) > due.count(pulse))
            text = f"{who} gave a trigger for {extra[0]} at test index {extra[1]} that its options did not ask for;"
        yield Breach(f"{text} result", result.event, tuple(_proof(touchdown)))


def _due(result: PartResult, on_fail: bool, on_test: object, lead: int) -> Iterator[tuple[str, int]]:
    for index, test in enumerate(result.tests):
        if test.failed and on_fail:
            yield "fail", index
        if on_test == index + lead:
            yield "test", index


def _proof(touchdown: Touchdown) -> Iterator[Event]:
    if touchdown.asked is not None:
        yield touchdown.asked.event


def _stops(facts: Facts) -> Iterator[Case]:
    """With stop_on_fail nothing is tested after a failing test; without it, every test is."""
    order = _all_tests(facts)
    for touchdown, result in facts.story.reported:
        failing = result.failing
        if failing is None:
            continue
        chosen = touchdown.job.get("test_sequence")
        expected = len(chosen) if isinstance(chosen, list) and chosen else len(order)
        who, proof = f"the program of site {result.site}", tuple(_proof(touchdown))
        if touchdown.option("stop_on_fail"):
            if failing < len(result.tests) - 1:
                text = f"{who} went on with test {result.tests[failing + 1].number} after test"
                text = f"{text} {result.tests[failing].number} had failed, although stop_on_fail was on"
                yield Breach(text, result.event, proof)
            else:
                yield None
        elif touchdown.asked is not None and len(result.tests) < expected:
            text = (
                f"{who} stopped after the failing test {result.tests[failing].number}, although stop_on_fail was off"
            )
            yield Breach(text, result.event, proof)


def _all_tests(facts: Facts) -> set[int]:
    """The tests that some device of the run went through."""
    return {test.number for result in facts.results for test in result.tests}


def _stopped_fail(facts: Facts) -> Iterator[Case]:
    """A device stopped at its first failing test is a failed device, and the failing test counts."""
    for touchdown, result in facts.story.reported:
        if result.failing is None or not touchdown.option("stop_on_fail"):
            continue
        who, proof = f"the program of site {result.site}", tuple(_proof(touchdown))
        if result.passed:
            flag = f"PART_FLG {result.part_flag}"
            text = f"{who} stopped part {result.part} at a failing test and still says passed ({flag})"
            yield Breach(text, result.event, proof)
        elif result.num_test not in (-1, result.outputs):
            text = f"{who} stopped part {result.part} and says {result.num_test} results, but sent {result.outputs}"
            yield Breach(text, result.event, proof)
        else:
            yield None


OPTION_ORACLES = (
    Oracle(
        "options go out with next",
        "The master sends with next exactly the options that the operator set last; a load takes them back.",
        cases(_reach, held="{count} times next carried the options as set", unknown="no option was ever changed"),
        "a next after the operator changed an option",
    ),
    Oracle(
        "triggers follow the options",
        "A program pulses the tester's trigger output exactly when the options of this very cycle ask for it.",
        cases(
            _triggers,
            held="{count} cycles pulsed the trigger exactly as their options asked",
            unknown="no option asked for a trigger where triggers can be seen",
        ),
        "a cycle with trigger_on_fail or trigger_on_test, or a trigger, in a modelled program",
    ),
    Oracle(
        "stop on fail stops",
        "With stop_on_fail no test follows a failing one, and without it no test is left out.",
        cases(
            _stops,
            held="{count} failing devices were stopped at their first failing test",
            unknown="no device failed while stop_on_fail was on",
        ),
        "a device failed in a cycle with stop_on_fail",
    ),
    Oracle(
        "stopped devices are failed devices",
        "A device that stop_on_fail stopped is failed in PART_FLG, and NUM_TEST counts the failing test.",
        cases(
            _stopped_fail,
            held="{count} stopped devices are failed devices",
            unknown="no device failed while stop_on_fail was on",
        ),
        "a device failed in a cycle with stop_on_fail",
        ambient=False,
    ),
)
