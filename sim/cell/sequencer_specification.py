"""The modelled test program of dialect ``specification``.

Rules: STDF leaves in fragments, one for each test, all of them before ``idle``; options are a snapshot of the command
they came with; the teardown callbacks are announced on the log topic right before they run; a command that is illegal
or not understood is ignored with a warning; without a link, what is to be said waits for the next one.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import simpy

from drycell.runtime.protocol import messages, records
from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.bins import select_bin
from drycell.sim.broker import Message
from drycell.sim.cell.measurement import TestVerdict
from drycell.sim.cell.modelled_program import ModelledProgram, Steps
from drycell.sim.cell.program_model import Test
from drycell.sim.kernel import ns

Json = dict[str, Any]
Options = Mapping[str, spec.Option]


class SpecificationSequencer(ModelledProgram):
    """The program of dialect ``specification``."""

    dialect = spec.SPECIFICATION

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._requests = 0
        self._asked: tuple[str, str] | None = None
        self._answer: simpy.Event
        self._has_error = False
        self._shall_terminate = False
        self._commands = {"next": self._next, "terminate": self._terminate}
        super().__init__(*args, **kwargs)

    def _actions(self) -> Mapping[str, Callable[[], None]]:
        return {
            "begin_cycle": self._begin_cycle,
            "cycle_teardown": lambda: self._tell_teardown("cycle_teardown", has_error=self._has_error),
            "program_teardown": lambda: self._tell_teardown("program_teardown"),
            "defer_terminate": self._defer_terminate,
        }

    # life and death ------------------------------------------------------------------------------------------------

    def _filters(self) -> Sequence[str]:
        return (*self._topics.heard_program_cmd, self._topics.any_master_peripheral)

    def _connected_again(self) -> None:
        self._send_again()
        if not self._machine.can("connected"):
            self._announce()
            return
        self._machine.fire("connected")
        problem = self._prepare()
        if problem:
            self._machine.fire("fail")
            self._announce(problem).callbacks.append(lambda _: self._give_up(problem))
        else:
            self._machine.fire("prepared")
            self._announce()

    def _prepare(self) -> str:
        """Make ready for tests; says why that cannot be done, "" when it can."""
        soft = {1, *(test.alarm_bin for test in self._program.tests)}
        soft |= {output.bin for test in self._program.tests for output in test.outputs}
        missing = sorted(soft - self._hard_bins.keys())
        return f"soft bin {missing[0]} has no hard bin" if missing else ""

    def _give_up(self, problem: str) -> None:
        if not self._ended:
            self._machine.fire("reported")
            self._log("ERROR", problem).callbacks.append(lambda _: self._leave(1, problem))

    def _without_link(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        self._unfinished[done] = (topic, payload)

    # messages ------------------------------------------------------------------------------------------------------

    def _announce(self, message: str = "") -> simpy.Event:
        """Say the present state, when it is one that is said."""
        name = self._machine.table.published.get(self._machine.state)
        if name is None:
            done = self._kernel.clock.event()
            done.succeed()
            return done
        return self._tell("status", self.dialect.program.status(name, message))

    def _tell_teardown(self, callback: str, *, has_error: bool | None = None) -> None:
        self._tell("log", spec.teardown_ran(callback, has_error=has_error))

    def _heard(self, message: Message) -> None:
        if self._ended:
            return
        if message.topic not in self._topics.heard_program_cmd:
            self._heard_answer(message)
            return
        try:
            command = spec.read_command(message.payload)
        except (ValueError, RecursionError) as error:
            self._log("WARNING", f"a command that is not understood is ignored: {error}")
            return
        if self._site not in command.sites:
            return
        if command.name not in self._commands:
            self._log("WARNING", f"the unknown command {command.name!r} is ignored")
        elif not self._machine.can(command.name):
            self._log("WARNING", f"{command.name} is ignored in state {self._machine.state}")
        else:
            self._commands[command.name](command.content)

    def _next(self, content: Json) -> None:
        job_data = content.get("job_data")
        try:
            if not isinstance(job_data, dict | None):
                raise ValueError("job_data is no object")
            options, tests = spec.read_options(job_data), self._chosen_tests(job_data)
        except ValueError as error:
            self._log("WARNING", f"next is ignored: {error}")
            return
        self._machine.fire("next")
        self._kernel.process(self._cycle(options, tests, spec.read_part(job_data, self._site), self._announce()))

    def _terminate(self, content: Json | None = None) -> None:
        self._machine.fire("terminate")
        if self._machine.state == "terminating":
            self._machine.fire("torn_down")
            self._announce().callbacks.append(lambda _: self._leave(0, ""))

    def _defer_terminate(self) -> None:
        self._log("WARNING", "terminate came while testing; it waits for the end of this device")
        self._shall_terminate = True

    # one device ----------------------------------------------------------------------------------------------------

    def _chosen_tests(self, job_data: Json | None) -> Sequence[Test]:
        """The tests that ``test_sequence`` names, in the program's order. ValueError: it has none of that name."""
        names = (job_data or {}).get("test_sequence") or [test.instance for test in self._program.tests]
        unknown = set(names) - {test.instance for test in self._program.tests}
        if unknown:
            raise ValueError(f"test_sequence names unknown tests {sorted(unknown)}")
        return [test for test in self._program.tests if test.instance in names]

    def _begin_cycle(self) -> None:
        self._has_error = False

    def _cycle(self, options: Options, tests: Sequence[Test], part: str, announced: simpy.Event) -> Steps:
        yield announced
        begin_ns = self._kernel.now_ns
        soft_bin, failed, num_test = 1, False, 0
        pending = [self._books.pir]
        for index, test in enumerate(tests):
            self._trigger_before(options, index)
            verdict = yield from self._run_test(test)
            if self._ended:
                return
            pending += [*verdict.records, self._books.ftr(test, verdict.test_flag)]
            yield from self._send_fragment(pending)
            pending = []
            self._note(options, index, verdict)
            soft_bin = select_bin(soft_bin, verdict.bin)
            failed |= verdict.failed
            num_test += len(test.outputs)
            if verdict.failed and options["stop_on_fail"].active:
                break
        elapsed_ms = (self._kernel.now_ns - begin_ns) // 1_000_000
        pending.append(
            self._books.prr(
                passed=not failed, num_test=num_test, hard_bin=self._hard_bins[soft_bin], soft_bin=soft_bin,
                test_t_ms=elapsed_ms, part_id=part,
            )
        )  # fmt: skip
        yield from self._send_fragment(pending)
        self._finish_cycle()

    def _finish_cycle(self) -> None:
        if self._ended:
            return
        self._machine.fire("done")
        self._machine.fire("torn_down")
        self._announce()
        if self._shall_terminate:
            self._terminate()

    def _send_fragment(self, records_: Sequence[Json]) -> Steps:
        yield self._publish(self._topics.program("stdf", self._site), self.dialect.stdf.pack(records_))
        yield from self._awake()

    def _trigger_before(self, options: Options, index: int) -> None:
        on_test = options["trigger_on_test"]
        if on_test.active and on_test.value == index:
            self._kernel.journal.record("trigger", self._actor, cause="test", test=index)

    def _note(self, options: Options, index: int, verdict: TestVerdict) -> None:
        self._has_error |= verdict.test_flag == records.NO_RESULT_TEST
        if verdict.failed and options["trigger_on_fail"].active:
            self._kernel.journal.record("trigger", self._actor, cause="fail", test=index)

    # peripherals ---------------------------------------------------------------------------------------------------

    def _call_peripheral(self, test: Test, inputs: Mapping[str, float]) -> Generator[simpy.Event, Any, None]:
        """The proxy: blocks until the peripheral has answered. Raises ValueError when it has not, or has refused."""
        call = test.peripheral
        assert call is not None
        self._requests += 1
        request_id = f"{self._site}-{self._requests}"
        self._asked = (call.ioctl, request_id)
        self._answer = self._kernel.clock.event()
        request = spec.io_request(call.kind, call.ioctl, call.filled(inputs), request_id)
        self._publish(self._topics.io_request(self._site), messages.encode(request))
        yield self._answer | self._kernel.clock.timeout(ns(self._peripheral_s))
        yield from self._awake()
        self._asked = None
        if not self._answer.triggered:
            raise ValueError(f"peripheral {call.kind} did not answer {call.ioctl} within {self._peripheral_s:g} s")
        reason = spec.refusal(self._answer.value or {})
        if reason:
            raise ValueError(f"peripheral {call.kind} did not do {call.ioctl}: {reason}")

    def _heard_answer(self, message: Message) -> None:
        try:
            response = messages.decode(message.payload)
        except (ValueError, RecursionError):
            return
        if self._asked is not None and spec.answers(response, *self._asked) and not self._answer.triggered:
            self._answer.succeed(response)
