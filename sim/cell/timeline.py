"""Plays a scenario's timeline: watches the journal for the occurrences it names, and acts on the cell.

A step for a part or a touchdown acts when the handler has made contact and before the master sends ``next``, so that
changed options hold for exactly that touchdown.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from drycell.runtime.protocol.topics import Topics
from drycell.sim.kernel import Event, Kernel
from drycell.sim.scenario import Action, OperatorAction, Step, Trigger

Json = dict[str, Any]


class Stage(Protocol):
    """What the timeline can act on."""

    def operator(self, command: str, payload: Json) -> None:
        """The operator gives ``command`` at the master's screen."""

    def kill(self, site: int, signal: str) -> None:
        """The program of ``site`` gets ``signal``."""


class Timeline:
    """Arms every step of ``steps`` on ``kernel``; :attr:`pending_instants` counts the ``at`` steps still to come."""

    def __init__(self, kernel: Kernel, topics: Topics, steps: Sequence[Step], stage: Stage) -> None:
        self._topics = topics
        self._stage = stage
        self._options: dict[str, Json] = {}
        self.pending_instants = 0
        self._waiting: list[list[Any]] = []
        for step in steps:
            if step.at_ns is not None:
                self.pending_instants += 1
                kernel.later(step.at_ns, partial(self._at, step.do))
            elif step.when is not None:
                self._waiting.append([step.when, step.when.occurrence, step.do])
        if self._waiting:
            kernel.journal.watch(self._watch)

    def _at(self, action: Action) -> None:
        self.pending_instants -= 1
        self._do(action)

    def _watch(self, event: Event) -> None:
        recognise = _RECOGNISE.get(event.kind)
        if recognise is None:
            return
        for entry in list(self._waiting):
            trigger, left, action = entry
            if not recognise(self._topics, trigger, event):
                continue
            entry[1] = left - 1
            if entry[1] == 0:
                self._waiting.remove(entry)
                self._do(action)

    def _do(self, action: Action) -> None:
        if action.options is not None:
            self._options |= {name: getattr(action.options, name).model_dump() for name in action.options.used()}
            entries = [{"name": name, **option} for name, option in self._options.items()]
            self._stage.operator("usersettings", {"payload": entries})
        elif action.operator is not None:
            self._stage.operator(*_operator_command(action.operator))
        elif action.kill is not None:
            self._stage.kill(action.kill.site, action.kill.signal)


def _operator_command(action: OperatorAction) -> tuple[str, Json]:
    if action.loglevel is not None:
        return "setloglevel", {"level": action.loglevel}
    if action.bin is not None:
        return "binMap", {"sBin": action.bin.soft, "hBin": action.bin.hard}
    if action.parameter is not None:
        entry = {"parametername": action.parameter.name, "value": action.parameter.value}
        return "setparameter", {"parameters": [entry]}
    return str(action.command), {}


def _in_contact(topics: Topics, trigger: Trigger, event: Event) -> bool:
    if trigger.touchdown is not None:
        return bool(event.fields["touchdown"] == trigger.touchdown)
    return any(entry["device"] == trigger.part for entry in event.fields["sites"])


def _announced(topics: Topics, trigger: Trigger, event: Event) -> bool:
    topic = event.fields["topic"]
    if trigger.master is not None:
        return topic == topics.master_status and _state(event) == trigger.master
    if trigger.says is None:
        return False
    if trigger.site is None:
        right = topic.startswith(topics.program("status", ""))
    else:
        right = topic == topics.program("status", str(trigger.site))
    return right and _state(event) == trigger.says


def _state(event: Event) -> str:
    try:
        return str(json.loads(event.fields.get("payload", "{}"))["state"])
    except (ValueError, KeyError, TypeError):
        return ""


_RECOGNISE: Mapping[str, Callable[[Topics, Trigger, Event], bool]] = {"contact": _in_contact, "message": _announced}
