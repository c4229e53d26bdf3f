"""Plays a scenario's timeline: watches the journal for the occurrences it names, and acts on the cell.

Rules
- A step acts when the event that sets it off is complete: after everybody has heard the message, yet before anything
  that follows from it is sent. So a step for a part or a touchdown acts after the handler has made contact and before
  the master sends ``next``: changed options hold for exactly that touchdown.
- Every fault is an event of its own (kind ``fault``, actor ``timeline``) with all its parameters, and where it later
  strikes something, that is one more (kind ``effect``).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell.occurrences import Present, recognise
from drycell.sim.errors import DrycellError
from drycell.sim.faults import Stage
from drycell.sim.faults.process import Signal
from drycell.sim.kernel import Event, Kernel
from drycell.sim.scenario import Action, OperatorAction, Step

Json = dict[str, Any]


class Theatre(Protocol):
    """Gives each injection its stage."""

    def stage(self, fault: str, index: int, draws_as: int | None) -> Stage: ...


class _Waiting:
    """A step that waits for an occurrence: how many must pass, and how many count then."""

    def __init__(self, index: int, step: Step) -> None:
        assert step.when is not None
        self.index, self.step, self.trigger = index, step, step.when
        self.to_pass = step.when.occurrence - 1
        self.to_take = step.times


class Timeline:
    """Arms every step of ``steps`` on ``kernel``; :attr:`pending` counts the actions whose time is already fixed."""

    def __init__(
        self, kernel: Kernel, topics: Topics, steps: Sequence[Step], theatre: Theatre, present: Present
    ) -> None:
        self._kernel = kernel
        self._topics = topics
        self._steps = steps
        self._theatre = theatre
        self._present = present
        self._options: dict[str, Json] = {}
        self.pending = 0
        self._check()
        self._waiting = [_Waiting(index, step) for index, step in enumerate(steps) if step.when is not None]
        for index, step in enumerate(steps):
            if step.at_ns is not None:
                self._arm(index, step.at_ns + step.delay_ns, step.times)
        if self._waiting:
            kernel.journal.watch(self._watch, "contact", "message")

    def _check(self) -> None:
        for index, step in enumerate(self._steps):
            if step.do.fault is not None:
                name, fault = step.do.fault
                fault.check(self._theatre.stage(name, index + 1, None))

    # triggers ------------------------------------------------------------------------------------------------------

    def _arm(self, index: int, delay_ns: int, times: int = 1) -> None:
        self.pending += 1
        self._kernel.later(delay_ns, partial(self._due, index, times))

    def _due(self, index: int, times: int) -> None:
        if times > 1:
            self._arm(index, self._steps[index].every_ns, times - 1)
        self.pending -= 1
        self._act(index)

    def _watch(self, event: Event) -> None:
        for waiting in list(self._waiting):
            if not recognise(self._topics, self._present, waiting.trigger, event):
                continue
            if waiting.to_pass:
                waiting.to_pass -= 1
                continue
            waiting.to_take -= 1
            if not waiting.to_take:
                self._waiting.remove(waiting)
            self._set_off(waiting.index)

    def _set_off(self, index: int) -> None:
        delay_ns = self._steps[index].delay_ns
        if delay_ns:
            self._arm(index, delay_ns)
            return
        self.pending += 1
        self._kernel.loop.call_soon(self._due, index, 1)

    # actions -------------------------------------------------------------------------------------------------------

    def _act(self, index: int) -> None:
        if self._kernel.journal.closed:
            return
        step = self._steps[index]
        self._do(index, step.do, step.draws_as)
        if step.name is not None:
            for other, follower in enumerate(self._steps):
                if follower.after == step.name:
                    self._set_off(other)

    def _do(self, index: int, action: Action, draws_as: int | None) -> None:
        name = action.fault[0] if action.fault is not None else "kill"
        stage = self._theatre.stage(name, index + 1, draws_as)
        if action.options is not None:
            self._options |= {name: getattr(action.options, name).model_dump() for name in action.options.used()}
            entries = [{"name": name, **option} for name, option in self._options.items()]
            stage.floor.operator("usersettings", {"payload": entries})
        elif action.operator is not None:
            stage.floor.operator(*_operator_command(action.operator))
        elif action.kill is not None:
            self._record("kill", index, {"site": str(action.kill.site), "signal": action.kill.signal})
            Signal(site=action.kill.site, signal=action.kill.signal).inject(stage)
        elif action.fault is not None:
            name, fault = action.fault
            given = fault.model_dump(mode="json", by_alias=True)
            self._record(name, index, {key: value for key, value in given.items() if value is not None})
            try:
                fault.inject(stage)
            except Exception as error:
                raise DrycellError(f"timeline step {index + 1}: the fault {name} failed: {error}") from error

    def _record(self, fault: str, index: int, parameters: Json) -> None:
        fields = {f"{key}_" if key in _TAKEN else key: value for key, value in parameters.items()}
        self._kernel.journal.record("fault", "timeline", fault=fault, step=index + 1, **fields)


_TAKEN = ("seq", "t_ns", "actor", "kind", "fault", "step")


def _operator_command(action: OperatorAction) -> tuple[str, Json]:
    if action.loglevel is not None:
        return "setloglevel", {"level": action.loglevel}
    if action.bin is not None:
        return "binMap", {"sBin": action.bin.soft, "hBin": action.bin.hard}
    if action.parameter is not None:
        entry = {"parametername": action.parameter.name, "value": action.parameter.value}
        return "setparameter", {"parameters": [entry]}
    return str(action.command), {}
