"""The modelled test program of one site: speaks real MQTT over an in-memory link, tests as its program model says.

Rules (semi-ate): every state is published with QoS 2 and the program goes on only when that handshake is complete;
``idle`` leaves before the result; anything illegal ends the program in ``error``.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from drycell.runtime.protocol import messages, records
from drycell.runtime.protocol.machine import Machine
from drycell.runtime.protocol.semi_ate import PERIPHERAL_TIMEOUT_S, SEQUENCER
from drycell.runtime.protocol.table import Transition
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import AnyBroker, MemoryClient, Message, Will
from drycell.sim.cell.measurement import Bookkeeper, TestVerdict, select_bin
from drycell.sim.cell.program_model import ProgramModel, Test
from drycell.sim.kernel import Kernel, ns

Json = dict[str, Any]
Steps = Generator[simpy.Event, Any, Any]

STARTUP_S = 0.25
"""From start to the first CONNECT; the real program takes 0.17 to 0.5 s."""
RECONNECT_S = (1.0, 120.0)
"""From the loss of the connection to the first try, and the longest time between two; each takes twice the last."""
INSTRUMENT_TIMEOUT_S = 5.0
"""How long a test waits for an answer of an instrument (the demo program's own limit)."""
Answers = str | Sequence[tuple[int, str]]
"""What an instrument answers: a text at once, or texts with delays in nanoseconds; none at all is silence."""


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


class ModelledSequencer:
    """One program on ``site``. ``ask(line)`` is its meter; ``on_exit(code, last words)`` is called once."""

    def __init__(
        self,
        kernel: Kernel,
        broker: AnyBroker,
        topics: Topics,
        program: ProgramModel,
        site: str,
        *,
        ask: Callable[[str], Answers],
        bin_table: Mapping[int, tuple[int, ...]],
        timeouts_s: Mapping[str, float],
        quirks: Collection[str] = (),
        on_exit: Callable[[int, str], None],
    ) -> None:
        self._kernel = kernel
        self._broker = broker
        self._topics = topics
        self._program = program
        self._site = site
        self._ask = ask
        self._hard_bins = {soft: hard for hard, softs in bin_table.items() for soft in softs}
        self._peripheral_s = timeouts_s.get("peripheral_s", PERIPHERAL_TIMEOUT_S)
        self._quirks = quirks
        self._on_exit = on_exit
        self._ended = False
        self.was_killed = False
        self._actor = f"sequencer{site}"
        self._inputs = {t.instance: {name: i.value for name, i in t.inputs.items()} for t in program.tests}
        self._books = Bookkeeper(program, int(site), quirks)
        self._times_ns = {test.instance: 0 for test in program.tests}
        self._runs = {test.instance: 0 for test in program.tests}
        self._job_data: Json = {}
        self._part: str | None = None
        self._answer: simpy.Event | None = None
        self._client: MemoryClient
        self._frozen: simpy.Event | None = None
        self._reachable = True
        self._retry_s = RECONNECT_S[0]
        self._unfinished: dict[simpy.Event, tuple[str, bytes]] = {}
        nothing = {"begin_cycle": lambda: None, "send_summary": lambda: None, "tear_down": lambda: None}
        self._machine = Machine(
            SEQUENCER,
            actions=nothing,
            later=lambda delay_s, action: kernel.later(ns(delay_s), action),
            on_change=self._entered,
            on_timeout=lambda timeout, seconds: None,
        )
        kernel.later(ns(STARTUP_S), self._connect)

    def kill(self) -> None:
        """End at once, as SIGKILL does: the link is cut, the will is due."""
        if not self._ended:
            self.was_killed = True
            self.end(-9, "")

    def end(self, code: int, last_words: str) -> None:
        """End at once without a word to anybody: the link is cut, the will is due."""
        if not self._ended:
            self._cut_if_connected()
            self._exit(code, last_words)

    def freeze(self) -> None:
        """Stand still, as after SIGSTOP."""
        if not self._ended and self._frozen is None:
            self._frozen = self._kernel.clock.event()
            if hasattr(self, "_client"):
                self._client.freeze()

    def thaw(self) -> None:
        """Go on after :meth:`freeze`."""
        frozen, self._frozen = self._frozen, None
        if frozen is not None and not self._ended:
            if hasattr(self, "_client"):
                self._client.thaw()
            frozen.succeed()

    def stay_away(self) -> None:
        """Never get through to the broker. Only before the first CONNECT."""
        self._reachable = False

    # life and death ------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if self._ended or not self._reachable:
            return
        if self._frozen is not None:
            self._frozen.callbacks.append(lambda _: self._connect())
            return
        if not self._broker.running:
            self._connect_later()
            return
        state: str | int = 0 if "sequencer-will-state-0" in self._quirks else "crash"
        will = Will(
            self._topics.program("status", self._site), messages.encode(messages.program_will(state)), 2, False
        )
        self._client = self._broker.connect(
            f"testapp.{self._topics.device}.{self._site}",
            will=will,
            on_message=self._heard,
            on_connect=self._connected,
            on_close=lambda *_: self._lost(),
        )

    def _connected(self, *_: object) -> None:
        filters = (self._topics.program_cmd, self._topics.any_peripheral_state, self._topics.any_master_peripheral)
        self._client.subscribe([(name, 2) for name in filters], lambda *_: self._begin())

    def _begin(self) -> None:
        """Connected. After a loss, what was under way is sent again, then the present state, as the real one does."""
        self._retry_s = RECONNECT_S[0]
        if self._machine.can("connected"):
            self._machine.fire("connected")
        for done, (topic, payload) in list(self._unfinished.items()):
            self._send(topic, payload, done)
        self._tell("status", messages.program_status(self._machine.state))

    def _lost(self) -> None:
        if not self._ended and self._machine.state not in SEQUENCER.final:
            self._connect_later()

    def _connect_later(self) -> None:
        wait_s, self._retry_s = self._retry_s, min(2 * self._retry_s, RECONNECT_S[1])
        self._kernel.later(ns(wait_s), self._connect)

    def _fail(self, reason: str) -> None:
        """State ``error``: two log lines, the status, DISCONNECT, exit code 1."""
        if self._ended or not self._machine.can("fail"):
            return
        self._machine.fire("fail")
        for text in (reason, "exception in mqtt callback"):
            self._log("ERROR", text)
        done = self._tell("status", messages.program_status("error"))
        done.callbacks.append(lambda _: self._leave(1, reason))

    def _leave(self, code: int, last_words: str) -> None:
        if not self._ended:
            if self._client.connected:
                self._client.disconnect()
            self._exit(code, last_words)

    def _cut_if_connected(self) -> None:
        if hasattr(self, "_client"):
            self._client.abort()

    def _exit(self, code: int, last_words: str) -> None:
        self._ended = True
        self._on_exit(code, last_words)

    def _entered(self, before: str, row: Transition) -> None:
        self._kernel.journal.record("state", self._actor, **{"from": before, "to": row.next, "event": row.event})

    # messages ------------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, message: Json) -> simpy.Event:
        """Publish with QoS 2; the event succeeds when the handshake is complete."""
        return self._publish(self._topics.program(kind, self._site), messages.encode(message))

    def _publish(self, topic: str, payload: bytes) -> simpy.Event:
        done = self._kernel.clock.event()
        if self._frozen is not None:
            self._frozen.callbacks.append(lambda _: self._send_first(topic, payload, done))
        else:
            self._send_first(topic, payload, done)
        return done

    def _send_first(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        """Without a connection the real program ends here, whatever it wanted to say."""
        if self._ended:
            return
        if not self._client.connected:
            self.end(1, "executor exception: no connection to the broker")
            return
        self._unfinished[done] = (topic, payload)
        self._send(topic, payload, done)

    def _send(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        def complete(*_: object) -> None:
            if self._unfinished.pop(done, None) is not None:
                done.succeed()

        self._client.publish(topic, payload, 2, complete)

    def _log(self, level: str, text: str) -> None:
        self._tell(
            "log", messages.typed("log", f"TestApp{self._site} |{self._kernel.now_ns / 1e9:.3f}|{level:<8}|{text}")
        )

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
        site, begin_ns = int(self._site), self._kernel.now_ns
        data, soft_bin, failed, num_test = [records.pir(site)], 1, False, 0
        for index, test in enumerate(wanted):
            verdict = yield from self._run_test(test)
            if self._ended:
                return
            data += [*verdict.records, records.ftr(test.test_num, site, verdict.test_flag)]
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
            records.prr(
                site,
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

    def _chosen_tests(self, job_data: Json) -> list[Test]:
        names = job_data.get("test_sequence")
        if not names:
            return list(self._program.tests)
        unknown = set(names) - {test.instance for test in self._program.tests}
        if unknown:
            raise ProgramError(f"test sequence names unknown tests {sorted(unknown)}")
        return [test for test in self._program.tests if test.instance in names]

    def _run_test(self, test: Test) -> Generator[simpy.Event, Any, TestVerdict]:
        begin_ns = self._kernel.now_ns
        inputs = self._inputs[test.instance]
        if test.peripheral is not None:
            yield from self._call_peripheral(test, inputs)
        if test.settle_input is not None:
            yield self._kernel.clock.timeout(ns(inputs[test.settle_input]))
            yield from self._awake()
        try:
            values = yield from self._measure(test, inputs)
        except ValueError as error:
            self._log("WARNING", str(error))
            values = None
        self._times_ns[test.instance] += self._kernel.now_ns - begin_ns
        self._runs[test.instance] += 1
        return self._books.judge(test, values)

    def _awake(self) -> Steps:
        while self._frozen is not None:
            yield self._frozen

    def _answer_to(self, question: str) -> Generator[simpy.Event, Any, str]:
        """What the meter says first. Raises ValueError when that takes too long."""
        answers = self._ask(question)
        if isinstance(answers, str):
            return answers
        delay_ns, answer = min(answers, default=(ns(INSTRUMENT_TIMEOUT_S), ""))
        in_time = delay_ns < ns(INSTRUMENT_TIMEOUT_S)
        if delay_ns:
            yield self._kernel.clock.timeout(min(delay_ns, ns(INSTRUMENT_TIMEOUT_S)))
            yield from self._awake()
        if not in_time:
            raise ValueError(f"the meter did not answer {question!r} within {INSTRUMENT_TIMEOUT_S:g} s")
        return answer

    def _measure(
        self, test: Test, inputs: Mapping[str, float]
    ) -> Generator[simpy.Event, Any, dict[str, tuple[float, ...]]]:
        values: dict[str, tuple[float, ...]] = {}
        for output in test.outputs:
            if output.of is not None:
                values[output.name] = (output.reduced(values[output.of]),)
                continue
            question = output.question(self._site, inputs)
            answer = yield from self._answer_to(question)
            if answer.startswith("ERROR"):
                raise ValueError(f"the meter refused {question!r}: {answer}")
            values[output.name] = tuple(float(number) for number in answer.split(","))
        return values

    def _call_peripheral(self, test: Test, inputs: Mapping[str, float]) -> Steps:
        """Ask, and wait for any answer; without one the test goes on, as the real proxies do."""
        call = test.peripheral
        assert call is not None
        self._answer = self._kernel.clock.event()
        request = messages.io_request(call.kind, call.ioctl, call.filled(inputs))
        self._publish(self._topics.io_request(self._site), messages.encode(request))
        yield self._answer | self._kernel.clock.timeout(ns(self._peripheral_s))
        yield from self._awake()
        self._answer = None

    def _trigger(self, options: Options, index: int, verdict: TestVerdict) -> None:
        on_fail = verdict.failed and options.trigger_on_fail
        on_test = options.trigger_before_test == index + 1
        for cause in [name for name, due in (("fail", on_fail), ("test", on_test)) if due]:
            self._kernel.journal.record("trigger", self._actor, cause=cause, test=index)
