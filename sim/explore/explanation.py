"""What happened in a finding, in words for a person: the promise, who broke it, when, and the events that prove it.

Rules
- Everything follows from the oracle's sentence and the journal.
- Whose fault it is follows from the sentence: its subject did not keep the promise. What the scenario
  did before is what set it off, and no excuse: oracles do not judge what a fault itself breaks.
- Told are the events from the last touchdown or deed of the scenario before the proof to its end; what is
  regular and no proof (questions to meters, log lines, subscriptions) is left out, and the middle of a long story.
"""

import re
from collections.abc import Iterator, Sequence

from drycell.sim.explore.flight import Violation
from drycell.sim.kernel import Event
from drycell.sim.oracles import ORACLES
from drycell.sim.oracles.facts import objects
from drycell.sim.report.lanes import lane_of
from drycell.sim.report.phrases import clock, listed, sentence
from drycell.sim.report.words import describe

MOST_LINES = 24
_SUBJECTS = (
    (re.compile(r"(the master|the handler) (?:erred|went to soft error)"), r"\1"),
    (re.compile(r"[Tt]he (?:program|summary|test program) of site (\d+)"), r"the test program of site \1"),
    (re.compile(r"^the test program|^a program|^site (\d+)"), r"the test program"),
    (re.compile(r"the broker did not"), "the broker"),
    (re.compile(r"^(?:the )?control of site (\d+)"), r"the control of site \1"),
    (re.compile(r"the (master|handler)\b"), r"the \1"),
)
"""What a sentence says, and who broke the promise then; the first that fits."""
_DEEDS = frozenset({"fault", "effect", "operator"})
_TOLD = _DEEDS | {"contact", "sorted", "exit", "launch", "timeout", "problem", "refused", "trigger", "lot", "message"}
_REGULAR = ("/log/", "/execution_strategy/", "/io-control")


def explain(violation: Violation, events: Sequence[Event]) -> Iterator[str]:
    """The lines of the explanation."""
    oracle = ORACLES.get(violation.oracle)
    if oracle is not None:
        yield f"Promise: {oracle.promise}"
    yield f"Broken:  {sentence(violation.text)}"
    yield f"By:      {_whose(violation.text)}"
    deeds = [event for event in events if event.kind in ("fault", "operator")]
    if deeds:
        told = [f"{_told(event)} at {clock(event.t_ns)}" for event in deeds]
        yield f"After:   {listed(told)}; that alone breaks nothing"
    yield ""
    yield from _story(violation, events)


def _whose(text: str) -> str:
    for pattern, name in _SUBJECTS:
        found = pattern.search(text)
        if found:
            return found.expand(name)
    return "the journal does not say; see the events"


def _story(violation: Violation, events: Sequence[Event]) -> Iterator[str]:
    proof = set(violation.evidence)
    if not proof:
        return
    last = max(proof)
    first = _beginning(events, min(proof))
    lines = [
        f"{'»' if event.seq in proof else ' '} {event.seq:>6}  {clock(event.t_ns):>12}  "
        f"{lane_of(event.actor):<10}  {describe(event)}"
        for event in events
        if first <= event.seq <= last and (event.seq in proof or _is_told(event))
    ]
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        middle = [line for line in lines[half:-half] if line.startswith("»")]
        lines = [*lines[:half], f"  … {len(lines) - MOST_LINES - len(middle)} more …", *middle, *lines[-half:]]
    yield from lines
    yield "(» proves it)"


def _beginning(events: Sequence[Event], proof: int) -> int:
    before = [event.seq for event in events if event.seq <= proof and event.kind in ("contact", "fault")]
    return before[-1] if before else 1


def _is_told(event: Event) -> bool:
    topic = str(event.fields.get("topic", ""))
    return event.kind in _TOLD and not any(regular in topic for regular in _REGULAR)


def _told(event: Event) -> str:
    if event.kind == "fault":
        return describe(event).removeprefix("FAULT ")
    entries = objects(event.fields.get("payload", {}).get("payload"))
    options = [str(entry.get("name")) for entry in entries if entry.get("active")]
    command = str(event.fields.get("command"))
    return f"the operator's {listed(options) or 'options off' if command == 'usersettings' else command}"
