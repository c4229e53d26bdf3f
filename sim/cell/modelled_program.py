"""What the modelled test programs of every dialect share: a real MQTT link in memory, tests as a program model says.

Rules: every message goes with QoS 2, and what was under way when the link was lost is sent again with the next one; a
frozen program does nothing until it is thawed; a program ends once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import simpy

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.machine import Machine
from drycell.runtime.protocol.table import Transition
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import AnyBroker, MemoryClient, Message, Will
from drycell.sim.cell.line_server import Answers
from drycell.sim.cell.measurement import Bookkeeper, TestVerdict
from drycell.sim.cell.program_model import ProgramModel, Send, Test
from drycell.sim.kernel import Kernel, ns

Json = dict[str, Any]
Steps = Generator[simpy.Event, Any, Any]

STARTUP_S = 0.25
"""From start to the first CONNECT; the real program takes 0.17 to 0.5 s."""
RECONNECT_S = (1.0, 120.0)
"""From the loss of the connection to the first try, and the longest time between two; each takes twice the last."""
INSTRUMENT_TIMEOUT_S = 5.0
"""How long a test waits for an answer of an instrument (the demo program's own limit)."""
Put = Callable[[str | None, str, Callable[[Answers], None]], None]
"""Hand a line to an instrument (None: the first of the cell) and be told what it answers when it does."""


class ModelledProgram(ABC):
    """One program on ``site``. ``put`` reaches its instruments; ``on_exit(code, last words)`` is called once."""

    dialect: ClassVar[Dialect]
    """Which protocol it speaks."""

    def __init__(
        self,
        kernel: Kernel,
        broker: AnyBroker,
        topics: Topics,
        program: ProgramModel,
        site: str,
        *,
        put: Put,
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
        self._put = put
        self._hard_bins = {soft: hard for hard, softs in bin_table.items() for soft in softs}
        self._peripheral_s = {**self.dialect.deadlines_s, **timeouts_s}["peripheral_s"]
        self._quirks = quirks
        self._on_exit = on_exit
        self._ended = False
        self.was_killed = False
        self._actor = f"sequencer{site}"
        self._inputs = {t.instance: {name: i.value for name, i in t.inputs.items()} for t in program.tests}
        self._questions: dict[tuple[str, str], str] = {}
        """Output and site -> what is asked, while the inputs are what they are."""
        self._books = Bookkeeper(program, int(site), quirks)
        self._times_ns = {test.instance: 0 for test in program.tests}
        self._runs = {test.instance: 0 for test in program.tests}
        self._client: MemoryClient
        self._frozen: simpy.Event | None = None
        self._retry_s = RECONNECT_S[0]
        self._unfinished: dict[simpy.Event, tuple[str, bytes]] = {}
        self._machine = Machine(
            self.dialect.tables["sequencer"],
            actions=self._actions(),
            later=lambda delay_s, action: kernel.later(ns(delay_s), action),
            on_change=self._entered,
            on_timeout=lambda timeout, seconds: None,
        )
        kernel.later(ns(STARTUP_S), self._connect)

    # what dialects do differently ----------------------------------------------------------------------------------

    @abstractmethod
    def _actions(self) -> Mapping[str, Callable[[], None]]:
        """The actions of the table."""

    @abstractmethod
    def _filters(self) -> Sequence[str]:
        """What it subscribes to."""

    @abstractmethod
    def _connected_again(self) -> None:
        """The link is there, for the first time or after a loss."""

    @abstractmethod
    def _without_link(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        """Something is to be said while there is no link."""

    @abstractmethod
    def _heard(self, message: Message) -> None:
        """A message has come."""

    @abstractmethod
    def _call_peripheral(self, test: Test, inputs: Mapping[str, float]) -> Steps:
        """Ask the peripheral that ``test`` needs. Raises ValueError when the test cannot go on."""

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

    # life and death ------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if self._ended:
            return
        if self._frozen is not None:
            self._frozen.callbacks.append(lambda _: self._connect())
            return
        if not self._broker.running:
            self._connect_later()
            return
        will = Will(self._topics.program("status", self._site), messages.encode(self._will()), 2, False)
        self._client = self._broker.connect(
            f"testapp.{self._topics.device}.{self._site}",
            will=will,
            on_message=self._heard,
            on_connect=self._connected,
            on_close=lambda *_: self._lost(),
        )

    def _will(self) -> Json:
        return self.dialect.program.will()

    def _connected(self, *_: object) -> None:
        self._client.subscribe([(name, 2) for name in self._filters()], lambda *_: self._begin())

    def _begin(self) -> None:
        """Connected. After a loss, what was under way is sent again, then the present state, as the real one does."""
        self._retry_s = RECONNECT_S[0]
        self._connected_again()

    def _send_again(self) -> None:
        for done, (topic, payload) in list(self._unfinished.items()):
            self._send(topic, payload, done)

    def _lost(self) -> None:
        if not self._ended and self._machine.state not in self._machine.table.final:
            self._connect_later()

    def _connect_later(self) -> None:
        wait_s, self._retry_s = self._retry_s, min(2 * self._retry_s, RECONNECT_S[1])
        self._kernel.later(ns(wait_s), self._connect)

    def _leave(self, code: int, last_words: str) -> None:
        if self._frozen is not None:
            self._frozen.callbacks.append(lambda _: self._leave(code, last_words))
        elif not self._ended:
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
        if self._ended:
            return
        if not self._client.connected:
            self._without_link(topic, payload, done)
            return
        self._unfinished[done] = (topic, payload)
        self._send(topic, payload, done)

    def _send(self, topic: str, payload: bytes, done: simpy.Event) -> None:
        def complete(*_: object) -> None:
            if self._unfinished.pop(done, None) is not None:
                done.succeed()

        self._client.publish(topic, payload, 2, complete)

    def _log(self, level: str, text: str) -> simpy.Event:
        line = f"TestApp{self._site} |{self._kernel.now_ns / 1e9:.3f}|{level:<8}|{text}"
        return self._tell("log", messages.typed("log", line))

    # one test ----------------------------------------------------------------------------------------------------

    def _run_test(self, test: Test) -> Generator[simpy.Event, Any, TestVerdict]:
        begin_ns = self._kernel.now_ns
        inputs = self._inputs[test.instance]
        try:
            if test.peripheral is not None:
                yield from self._call_peripheral(test, inputs)
            self._instruct(test.before, inputs)
            if test.settle_input is not None:
                yield self._kernel.clock.timeout(ns(inputs[test.settle_input]))
                yield from self._awake()
            values = yield from self._measure(test, inputs)
        except ValueError as error:
            self._log("WARNING", str(error))
            values = None
        self._instruct(test.after, inputs)
        self._times_ns[test.instance] += self._kernel.now_ns - begin_ns
        self._runs[test.instance] += 1
        return self._books.judge(test, values)

    def _instruct(self, sends: Iterable[Send], inputs: Mapping[str, float]) -> None:
        for send in sends:
            self._put(send.instrument, send.message(self._site, inputs), lambda _: None)

    def _awake(self) -> Steps:
        while self._frozen is not None:
            yield self._frozen

    def _answer_to(self, instrument: str | None, question: str) -> Generator[simpy.Event, Any, str]:
        """What the instrument says first. Raises ValueError when that takes too long."""
        found: list[Answers] = []
        told: simpy.Event | None = None

        def done(answers: Answers) -> None:
            found.append(answers)
            if told is not None:
                told.succeed()

        self._put(instrument, question, done)
        if found and isinstance(found[0], str):
            return found[0]
        clock, until_ns = self._kernel.clock, self._kernel.now_ns + ns(INSTRUMENT_TIMEOUT_S)
        if not found:
            told = clock.event()
            yield told | clock.timeout(ns(INSTRUMENT_TIMEOUT_S))
            yield from self._awake()
        answers = found[0] if found else ()
        if isinstance(answers, str):
            return answers
        delay_ns, answer = min(answers, default=(ns(INSTRUMENT_TIMEOUT_S), ""))
        at_ns, left_ns = self._kernel.now_ns + delay_ns, until_ns - self._kernel.now_ns
        if delay_ns and left_ns > 0:
            yield clock.timeout(min(delay_ns, left_ns))
            yield from self._awake()
        if at_ns >= until_ns:
            who = instrument or "the meter"
            raise ValueError(f"{who} did not answer {question!r} within {INSTRUMENT_TIMEOUT_S:g} s")
        return answer

    def _measure(
        self, test: Test, inputs: Mapping[str, float]
    ) -> Generator[simpy.Event, Any, dict[str, tuple[float, ...]]]:
        values: dict[str, tuple[float, ...]] = {}
        for output in test.outputs:
            if output.of is not None:
                values[output.name] = (output.reduced(values[output.of]),)
                continue
            question = self._questions.get((output.name, self._site))
            if question is None:
                question = self._questions[output.name, self._site] = output.question(self._site, inputs)
            answer = yield from self._answer_to(output.instrument, question)
            if answer.startswith("ERROR"):
                raise ValueError(f"{output.instrument or 'the meter'} refused {question!r}: {answer}")
            values[output.name] = output.read(answer)
        return values
