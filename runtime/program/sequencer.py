"""The sequencer of a test program: announces states, follows commands, sends results, calls the teardowns.

Rules
- States, and what may follow what, stand in the dialect's table; this module calls the author's code between them.
- A command is looked at between devices. What the table does not allow is an error where the table has one, else it
  is ignored with a warning.
- ``cycle_teardown`` runs after every device, before ``idle``; ``program_teardown`` once, right before the end,
  whatever the end is, except for a crash.
- An exception in a teardown or in ``setup`` is reported as an error state; it keeps no other teardown from running.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drycell.runtime.program.context import Context
from drycell.runtime.program.cycle import Tester
from drycell.runtime.program.definition import Program
from drycell.runtime.program.errors import ProgramError
from drycell.runtime.program.options import Options
from drycell.runtime.program.world import Heard, Link, World
from drycell.runtime.protocol import messages, specification
from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.machine import Machine
from drycell.runtime.protocol.table import Transition

Json = dict[str, Any]

ENDED_WELL, ENDED_BADLY = 0, 1
TEARDOWNS = ("cycle_teardown", "program_teardown")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program was launched. ``bin_table``: the master's own, hard bin -> soft bins; None: the program's."""

    device_id: str
    site_id: int
    bin_table: Mapping[int, tuple[int, ...]] | None = None


class Sequencer:
    """One program on one site. :meth:`run` returns its exit code."""

    def __init__(self, program: Program, launch: Launch, world: World, dialect: Dialect) -> None:
        self._program = program
        self._site = str(launch.site_id)
        self._world = world
        self._dialect = dialect
        self._topics = dialect.topics(launch.device_id, "handler")
        self._waiting: deque[Heard] = deque()
        self._unsent: list[Json] = []
        self._requests = 0
        self._message = ""
        self._torn_down = False
        self._ending = False
        logger = _logger(self)
        self._context = Context(launch.device_id, launch.site_id, logger, world, self._call)
        table = program.bin_table if launch.bin_table is None else launch.bin_table
        hard_bins = {soft: hard for hard, softs in table.items() for soft in softs}
        self._tester = Tester(program.tests, launch.site_id, hard_bins, dialect.trigger_lead)
        self._hooks = {**program.hooks, "setup": self._set_up}
        self._machine = _machine(dialect, {"send_summary": self._send_summary, "defer_terminate": self._defer}, self)

    def _set_up(self, context: Context) -> None:
        lacking = sorted(set(self._program.bin_names) - set(self._tester.hard_bins))
        if lacking:
            raise ProgramError(f"the master's bin table has no hard bin for soft bins {lacking} of this program")
        if "setup" in self._program.hooks:
            self._program.hooks["setup"](context)

    # the program's life ---------------------------------------------------------------------------------------------

    def run(self) -> int:
        """From the connection to the end. Raises ProgramError when there is no connection."""
        try:
            self._connect()
            self._step("connected", "setup", then="prepared")
            while self._machine.can("next") or self._machine.can("terminate"):
                self._obey(self._heard())
            if self._machine.can("reported"):
                self._machine.fire("reported")
            if not self._torn_down:
                self._run_hook("program_teardown")
        except KeyboardInterrupt:
            self._run_hook("program_teardown")
            raise
        finally:
            self._context.disconnect()
        self._world.close()
        return ENDED_WELL if self._announced == self._dialect.farewell else ENDED_BADLY

    @property
    def _announced(self) -> str | None:
        """The present state, as the dialect announces it; None when it does not."""
        return self._machine.table.published.get(self._machine.state)

    def _connect(self) -> None:
        topics = self._topics
        filters = (*topics.heard_program_cmd, topics.any_peripheral_state, topics.any_master_peripheral)
        name = f"testapp.{topics.device}.{self._site}"
        will = messages.encode(self._dialect.program.will())
        self._world.connect(Link(name, topics.program("status", self._site), will, filters))
        first = self._world.receive(None)
        assert first is not None and not first.topic

    def _step(self, event: str, hook: str, *arguments: Any, then: str) -> None:
        """Call the author's ``hook`` at ``event``: before the state that the dialect announces for it.

        Where the table has a state of its own for the time of the hook, ``event`` leads there and ``then`` on.
        """
        row = self._machine.table.find(self._machine.state, event)
        if row is not None and row.next not in self._machine.table.published:
            self._machine.fire(event)
        trouble = self._run_hook(hook, *arguments)
        if trouble:
            self._fail(trouble)
        for following in (then, event):
            if self._machine.can(following):
                self._machine.fire(following)
                break

    def _run_hook(self, hook: str, *arguments: Any) -> str:
        """Call the author's function, if there is one; what it raised, in words."""
        self._torn_down |= hook == "program_teardown"
        if hook in TEARDOWNS and (told := self._dialect.program.teardown(hook, *(arguments or (None,)))) is not None:
            self._say("log", told)
        function = self._hooks.get(hook)
        try:
            if function is not None:
                function(self._context, *arguments)
        except (Exception, SystemExit) as error:
            trouble = f"{hook}: {type(error).__name__}: {error}"
            self._context.logger.error(trouble)
            return trouble
        return ""

    def _fail(self, text: str) -> None:
        self._message = text
        self._machine.fire("fail")

    def _refuse(self, text: str) -> None:
        """A command that cannot be followed: an error where the dialect knows that, else a warning."""
        if self._machine.can("fail"):
            self._context.logger.error(text)
            self._fail(text)
        else:
            self._context.logger.warning(text)

    def entered(self, before: str, row: Transition) -> None:
        """Told by the state machine."""
        state = self._machine.state
        self._world.note("state", **{"from": before, "to": state, "event": row.event})
        if state != before:
            self._announce()

    def _announce(self) -> None:
        state = self._announced
        if state is not None:
            reason = self._message if state == "error" else ""
            self._say("status", self._dialect.program.status(state, reason))

    # messages -------------------------------------------------------------------------------------------------------

    def _say(self, kind: str, message: Json) -> None:
        self._world.publish(self._topics.program(kind, self._site), messages.encode(message))

    def log(self, level: str, text: str) -> None:
        """A line of the program's log, for the master."""
        line = f"TestApp{self._site} |{self._world.now():.3f}|{level:<8}|{text}"
        self._say("log", messages.typed("log", line))

    def _heard(self) -> Heard:
        if self._waiting:
            return self._waiting.popleft()
        heard = self._world.receive(None)
        assert heard is not None
        return heard

    def _obey(self, heard: Heard) -> None:
        if not heard.topic:
            self._announce()  # the connection is there again
        elif heard.topic in self._topics.heard_program_cmd:
            self._command(heard.payload)

    def _command(self, payload: bytes) -> None:
        try:
            command = specification.read_command(payload)
        except (ValueError, RecursionError) as error:
            self._refuse(f"a command is not understood: {error}")
            return
        if self._site not in command.sites:
            return
        handler = self._commands.get(command.name)
        try:
            if handler is None:
                raise ProgramError(f"there is no command {command.name!r}")
            if command.name in self._machine.table.events and not self._machine.can(command.name):
                raise ProgramError(f"command {command.name} is not allowed in state {self._machine.state}")
            handler(self, command.content)
        except (ProgramError, ValueError, TypeError, KeyError, AttributeError) as error:
            text = str(error) if isinstance(error, ProgramError) else f"{type(error).__name__}: {error}"
            self._refuse(f"command {command.name} cannot be followed: {text}")

    def _command_next(self, content: Json) -> None:
        job_data = content.get("job_data") or {}
        context = self._context
        context.options = Options.read(job_data)
        self._tester.check(context)
        context.part_id = specification.read_part(job_data, self._site)
        self._machine.fire("next")
        raised = self._tester.run(context, self._deliver, self._trigger)
        self._look_around()
        if self._machine.can("done"):
            self._step("done", "cycle_teardown", raised, then="torn_down")
            self._deliver_rest()
        else:  # a command was an error
            self._run_hook("cycle_teardown", raised)
        context.part_id, context.options = "", Options()
        if self._ending and self._machine.can("terminate"):
            self._command_terminate({})

    def _command_terminate(self, _content: Json) -> None:
        if self._machine.state == "testing":
            self._machine.fire("terminate")
        else:
            self._step("terminate", "program_teardown", then="torn_down")

    def _command_reset(self, _content: Json) -> None:
        self._machine.fire("reset")

    def _command_setloglevel(self, content: Json) -> None:
        self._context.logger.setLevel(int(content["level"]))

    def _command_sethbin(self, content: Json) -> None:
        self._tester.hard_bins[int(content["sbin"])] = int(content["hbin"])

    def _command_setparameter(self, content: Json) -> None:
        for entry in content["parameters"]:
            name, _, parameter = str(entry["parametername"]).partition(".")
            ranges = next((test.ranges for test in self._program.tests if test.name == name), {})
            low, high = ranges.get(parameter, (math.inf, -math.inf))
            value = float(entry["value"])
            if not low <= value <= high:
                raise ProgramError(f"input parameter {name}.{parameter} cannot be set to {value:g}")
            self._tester.inputs[name][parameter] = value

    def _command_getexecutionstrategy(self, content: Json) -> None:
        """All sites run every test together: one stage each."""
        stage = [str(index) for index in range(len(content["layout"]))]
        strategy = [[stage] for _ in self._program.tests]
        self._say("execution_strategy", messages.typed("execution_strategy", strategy))

    _commands: Mapping[str, Callable[["Sequencer", Json], None]] = {
        "next": _command_next,
        "terminate": _command_terminate,
        "reset": _command_reset,
        "setloglevel": _command_setloglevel,
        "sethbin": _command_sethbin,
        "setparameter": _command_setparameter,
        "getexecutionstrategy": _command_getexecutionstrategy,
    }

    def _look_around(self) -> None:
        """Before a device is done: commands that came while it was tested."""
        while (heard := self._world.receive(0)) is not None:
            self._waiting.append(heard)
        came, self._waiting = self._waiting, deque()
        for heard in came:
            self._obey(heard)

    def _defer(self) -> None:
        self._ending = True
        self._context.logger.warning("terminate came while a device was tested; it is followed after that")

    # results --------------------------------------------------------------------------------------------------------

    def _deliver(self, records: list[Json]) -> None:
        self._unsent += records
        if self._dialect.stdf.fragments:
            self._deliver_rest()

    def _deliver_rest(self) -> None:
        if self._unsent:
            travel = self._dialect.stdf
            self._world.publish(self._topics.program(travel.kind, self._site), travel.pack(self._unsent))
            self._unsent = []

    def _send_summary(self) -> None:
        self._say("testsummary", messages.typed("testresult", self._tester.summary()))

    def _trigger(self, cause: str, index: int) -> None:
        self._world.note("trigger", cause=cause, test=index)
        self._context.logger.info("trigger: %s, test index %d", cause, index)

    def _call(self, peripheral: str, ioctl: str, parameters: Json, timeout_s: float) -> Any:
        """Ask a peripheral and wait for its answer. Raises TimeoutError; commands that come meanwhile wait."""
        self._requests += 1
        request_id = f"{self._site}.{self._requests}"
        request = self._dialect.program.io_request(peripheral, ioctl, parameters, request_id)
        while (heard := self._world.receive(0)) is not None:  # a late answer to an earlier request is none to this
            self._waiting.append(heard)
        self._world.publish(self._topics.io_request(self._site), messages.encode(request))
        answer_topic, deadline_s = self._topics.master_peripheral(peripheral), self._world.now() + timeout_s
        while (left_s := deadline_s - self._world.now()) > 0:
            heard = self._world.receive(left_s)
            if heard is None:
                break
            if heard.topic != answer_topic:
                self._waiting.append(heard)
                continue
            try:
                response = messages.decode(heard.payload)
            except ValueError:
                continue
            if specification.answers(response, ioctl, request_id):
                return response.get("result")
        raise TimeoutError


def _machine(dialect: Dialect, actions: Mapping[str, Callable[[], None]], sequencer: Sequencer) -> Machine:
    """The dialect's table at work. The author's hooks are no actions: what they raise decides the next event."""
    table = dialect.tables["sequencer"]
    named = {name for row in table.transitions for name in row.actions}
    return Machine(
        table,
        actions=dict.fromkeys(named, lambda: None) | dict(actions),
        later=_no_timer,
        on_change=sequencer.entered,
        on_timeout=lambda timeout, seconds: None,
    )


def _no_timer(_seconds: float, _action: object) -> Any:
    raise AssertionError("a sequencer has no timeouts of its own")


class _ToMaster(logging.Handler):
    """Sends what is logged to the master."""

    def __init__(self, sequencer: Sequencer) -> None:
        super().__init__()
        self._sequencer = sequencer

    def emit(self, record: logging.LogRecord) -> None:
        self._sequencer.log(record.levelname, record.getMessage())


def _logger(sequencer: Sequencer) -> logging.Logger:
    logger = logging.Logger("program", logging.WARNING)  # not of the process: sites share it on rung model
    logger.addHandler(_ToMaster(sequencer))
    return logger
