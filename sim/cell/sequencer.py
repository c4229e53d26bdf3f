"""The modelled test program of dialect ``semi-ate``.

Rules (semi-ate): every state is published with QoS 2 and the program goes on only when that handshake is complete;
``idle`` leaves before the result; anything illegal ends the program in ``error``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.bins import select_bin
from drycell.runtime.protocol.semi_ate import SEMI_ATE, SEQUENCER
from drycell.sim.broker import Message
from drycell.sim.cell.measurement import TestVerdict
from drycell.sim.cell.modelled_program import ModelledProgram, Steps
from drycell.sim.cell.program_model import Test
from drycell.sim.hooks import Tester
from drycell.sim.kernel import ns

Json = dict[str, Any]

TESTER_TIMEOUT_S = 100.0
"""How long a program waits for its release (packages 1.0.17)."""


def _succeed(event: simpy.Event) -> None:
    event.succeed()


class ProgramError(Exception):
    """What ends a program in state ``error``."""


@dataclass(frozen=True, slots=True)
class Options:
    """The test options of one cycle that a program obeys; the others are only transported."""

    stop_on_fail: bool
    trigger_on_fail: bool
    trigger_before_test: int | None
    """Index of the test, from 0, just before which the trigger pulses."""

    @classmethod
    def read(cls, job_data: Json) -> "Options":
        """From ``job_data``. Raises ProgramError when one is not of the form {active, value}, as real programs do."""
        on: dict[str, bool] = {}
        for name in ("stop_on_fail", "trigger_on_fail", "trigger_on_test"):
            entry = job_data.get(name, messages.OPTION_OFF)
            if not isinstance(entry, dict) or "active" not in entry:
                raise ProgramError(f"option {name} is {entry!r}, not an object with 'active'")
            on[name] = bool(entry["active"])
        before = job_data["trigger_on_test"].get("value", -1) if on["trigger_on_test"] else None
        return cls(on["stop_on_fail"], on["trigger_on_fail"], before)


class ModelledSequencer(ModelledProgram):
    """The program of dialect ``semi-ate``."""

    dialect = SEMI_ATE

    def __init__(self, *args: Any, tester: Tester | None = None, **kwargs: Any) -> None:
        self._job_data: Json = {}
        self._part: str | None = None
        self._answer: simpy.Event | None = None
        self._requests: dict[str, bytes] = {}
        """Test -> what it asks its peripheral, while the inputs are what they are."""
        self._tester = tester
        super().__init__(*args, **kwargs)
        if tester is not None:
            tester.reset(int(self._site))
            tester.setup(int(self._site))

    def _actions(self) -> Mapping[str, Callable[[], None]]:
        return {"begin_cycle": lambda: None, "send_summary": lambda: None, "tear_down": lambda: None}

    # life and death ------------------------------------------------------------------------------------------------

    def _will(self) -> Json:
        return messages.program_will(0 if "sequencer-will-state-0" in self._quirks else "crash")

    def _filters(self) -> Sequence[str]:
        return (self._topics.program_cmd, self._topics.any_peripheral_state, self._topics.any_master_peripheral)

    def _connected_again(self) -> None:
        if self._machine.can("connected"):
            self._machine.fire("connected")
        self._send_again()
        self._tell("status", messages.program_status(self._machine.state))

    def _without_link(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        """The real program ends here, whatever it wanted to say."""
        self.end(1, "executor exception: no connection to the broker")

    def _exit(self, code: int, last_words: str) -> None:
        if self._tester is not None:
            self._tester.withdraw(int(self._site))
        super()._exit(code, last_words)

    def _fail(self, reason: str) -> None:
        """State ``error``: two log lines, the status, DISCONNECT, exit code 1."""
        if self._ended or not self._machine.can("fail"):
            return
        self._machine.fire("fail")
        for text in (reason, "exception in mqtt callback"):
            self._log("ERROR", text)
        done = self._tell("status", messages.program_status("error"))
        done.callbacks.append(lambda _: self._leave(1, reason))

    # messages ------------------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        if self._ended or self._machine.state in SEQUENCER.final:
            return
        if message.topic != self._topics.program_cmd:
            if self._answer is not None and not self._answer.triggered:
                self._answer.succeed(message.payload)
            return
        try:
            command = messages.decode(message.payload)
            name, is_meant = str(command["command"]), self._site in command["sites"]
            if command["type"] != "cmd":
                raise ValueError("type is not cmd")
        except (ValueError, KeyError, TypeError, RecursionError):
            self.end(1, "a command that is not understood")
            return
        if not is_meant:
            return
        handler = self._handlers.get(name)
        try:
            if handler is None:
                raise ProgramError(f"unknown command {name!r}")
            handler(self, command)
        except ProgramError as error:
            self._fail(str(error))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            self._fail(f"command {name!r} is not of the agreed form ({type(error).__name__}: {error})")

    def _enter(self, event: str) -> simpy.Event:
        if not self._machine.can(event):
            raise ProgramError(f"command {event} is illegal in state {self._machine.state}")
        self._machine.fire(event)
        return self._tell("status", messages.program_status(self._machine.state))

    def _next(self, command: Json) -> None:
        published = self._enter("next")
        self._kernel.process(self._guarded(self._cycle(command.get("job_data"), published)))

    def _terminate(self, command: Json) -> None:
        if not self._machine.can("terminate"):
            raise ProgramError(f"command terminate is illegal in state {self._machine.state}")
        mean_s = {
            test.instance: self._times_ns[test.instance] / 1e9 / (self._runs[test.instance] * len(test.outputs))
            if self._runs[test.instance]
            else -1.0
            for test in self._program.tests
        }
        self._tell("testsummary", messages.typed("testresult", self._books.summary(mean_s)))
        if self._tester is not None:
            self._tester.teardown(int(self._site))
        self._enter("terminate").callbacks.append(lambda _: self._leave(0, ""))

    def _reset(self, command: Json) -> None:
        self._enter("reset").callbacks.append(lambda _: self._leave(0, ""))

    def _strategy(self, command: Json) -> None:
        layout = tuple(tuple(place) for place in command.get("layout", []))
        if layout not in self._program.strategies:
            raise ProgramError(f"no execution strategy for layout {list(map(list, layout))}")
        self._tell("execution_strategy", messages.typed("execution_strategy", self._program.strategies[layout]))

    def _set_parameter(self, command: Json) -> None:
        for entry in command.get("parameters", []):
            instance, _, name = str(entry["parametername"]).partition(".")
            test = next((t for t in self._program.tests if t.instance == instance), None)
            if test is None or name not in test.inputs:
                raise ProgramError(f"attribute {entry['parametername']!r} could not be found")
            limits, value = test.inputs[name], float(entry["value"])
            if not limits.shmoo or not limits.low <= value <= limits.high:
                raise ProgramError(f"input parameter {name!r} cannot be set to {value:g}")
            self._inputs[instance][name] = value
            self._questions.clear()
            self._requests.clear()

    def _set_hard_bin(self, command: Json) -> None:
        self._hard_bins[int(command["sbin"])] = int(command["hbin"])

    _handlers: Mapping[str, Callable[["ModelledSequencer", Json], None]] = {
        "next": _next,
        "terminate": _terminate,
        "reset": _reset,
        "getexecutionstrategy": _strategy,
        "setparameter": _set_parameter,
        "sethbin": _set_hard_bin,
        "setloglevel": lambda self, command: None,
    }

    # one device ----------------------------------------------------------------------------------------------------

    def _guarded(self, steps: Steps) -> Steps:
        try:
            yield from steps
        except ProgramError as error:
            self._fail(str(error))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            self._fail(f"job_data is not of the agreed form ({type(error).__name__}: {error})")

    def _read_job(self, job_data: Json | None) -> Options:
        if not job_data:
            if "sequencer-keeps-options" not in self._quirks or self._part is None:
                raise ProgramError("next came without job_data")
            return Options.read(self._job_data)
        if "sites_info" not in job_data:
            raise ProgramError("job_data has no sites_info")
        self._job_data = job_data
        part = next((info["partid"] for info in job_data["sites_info"] if info["siteid"] == self._site), None)
        if part is not None:
            self._part = str(part)
        elif "sequencer-reuses-part-id" not in self._quirks or self._part is None:
            raise ProgramError(f"sites_info has no entry for site {self._site}")
        return Options.read(job_data)

    def _cycle(self, job_data: Json | None, published: simpy.Event) -> Steps:
        yield published
        options = self._read_job(job_data)
        wanted = self._chosen_tests(job_data or self._job_data)
        begin_ns = self._kernel.now_ns
        data, soft_bin, failed, num_test = [self._books.pir], 1, False, 0
        for index, test in enumerate(wanted):
            if self._tester is not None:
                yield from self._released(self._tester)
            verdict = yield from self._run_test(test)
            if self._ended:
                return
            data += [*verdict.records, self._books.ftr(test, verdict.test_flag)]
            soft_bin = select_bin(soft_bin, verdict.bin)
            self._trigger(options, index, verdict)
            stop = verdict.failed and options.stop_on_fail
            if not (stop and "sequencer-passes-part-on-stop" in self._quirks):
                failed |= verdict.failed
                num_test += len(test.outputs)
            if stop:
                break
        if soft_bin not in self._hard_bins:
            raise ProgramError(f"soft bin {soft_bin} has no hard bin")
        elapsed_ms = (self._kernel.now_ns - begin_ns) // 1_000_000
        data.append(
            self._books.prr(
                passed=not failed,
                num_test=num_test,
                hard_bin=self._hard_bins[soft_bin],
                soft_bin=soft_bin,
                test_t_ms=elapsed_ms,
                part_id=str(self._part),
            )
        )
        if self._machine.state != "testing":
            return
        yield self._enter("done")
        if not self._ended:
            yield self._tell("testresult", messages.typed("testresult", data))

    def _released(self, tester: Tester) -> Steps:
        """Wait until the tester lets this site go on. Raises ProgramError when it does not."""
        site = int(self._site)
        released = self._kernel.clock.event()
        tester.request(site, partial(_succeed, released))
        yield released | self._kernel.clock.timeout(ns(TESTER_TIMEOUT_S))
        yield from self._awake()
        if not released.triggered:
            tester.withdraw(site)
            raise ProgramError("no response of the tester; is it the one that the master has?")
        if not self._ended:
            tester.in_progress(site)

    def _chosen_tests(self, job_data: Json) -> list[Test]:
        names = job_data.get("test_sequence")
        if not names:
            return list(self._program.tests)
        unknown = set(names) - {test.instance for test in self._program.tests}
        if unknown:
            raise ProgramError(f"test sequence names unknown tests {sorted(unknown)}")
        return [test for test in self._program.tests if test.instance in names]

    def _call_peripheral(self, test: Test, inputs: Mapping[str, float]) -> Steps:
        """Ask, and wait for any answer; without one the test goes on, as the real proxies do."""
        call = test.peripheral
        assert call is not None
        self._answer = self._kernel.clock.event()
        request = self._requests.get(test.instance)
        if request is None:
            filled = messages.io_request(call.kind, call.ioctl, call.filled(inputs))
            request = self._requests[test.instance] = messages.encode(filled)
        self._publish(self._topics.io_request(self._site), request)
        yield self._answer | self._kernel.clock.timeout(ns(self._peripheral_s))
        yield from self._awake()
        self._answer = None

    def _trigger(self, options: Options, index: int, verdict: TestVerdict) -> None:
        on_fail = verdict.failed and options.trigger_on_fail
        on_test = options.trigger_before_test == index + 1
        for cause in [name for name, due in (("fail", on_fail), ("test", on_test)) if due]:
            self._kernel.journal.record("trigger", self._actor, cause=cause, test=index)
            if self._tester is not None:
                self._tester.pulse(int(self._site))
