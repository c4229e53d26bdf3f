"""A program of drycell's SDK on rung model: the author's file, loaded here, on an in-memory link."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from drycell.runtime.instruments.transports import Transport
from drycell.runtime.program import ProgramError
from drycell.runtime.program.launch import REFUSED
from drycell.runtime.program.loading import load
from drycell.runtime.program.sequencer import Launch, Sequencer
from drycell.runtime.program.world import Heard, Link
from drycell.runtime.protocol.dialect import Dialect
from drycell.sim.broker import AnyBroker, MemoryClient, Message, Will
from drycell.sim.cell.greenlets import Fiber
from drycell.sim.cell.line_transport import LineTransport, Put
from drycell.sim.cell.modelled_program import RECONNECT_S, STARTUP_S
from drycell.sim.kernel import NS_PER_S, Kernel, ns

FAREWELL_S = 10.0
"""How long a program that ends waits for the broker to take its last messages."""


class SdkProgram:
    """One program on one site. ``instruments``: environment variable -> the instrument that it leads to.

    ``on_exit(code, last words)`` is called once, unless the cell ends before.
    """

    def __init__(
        self,
        kernel: Kernel,
        broker: AnyBroker,
        path: Path,
        launch: Launch,
        dialect: Dialect,
        *,
        instruments: Mapping[str, Put],
        on_exit: Callable[[int, str], None],
    ) -> None:
        self.was_killed = False
        self._kernel = kernel
        self._path = path
        self._launch = launch
        self._dialect = dialect
        self._on_exit = on_exit
        self._ended = False
        self._code = 0
        self._actor = f"sequencer{launch.site_id}"
        self._fiber = Fiber(kernel, self._live, home=path.parent, on_end=self._over)
        self._world = _Simulation(kernel, broker, self._fiber, instruments, self._note)
        self._start = kernel.later(ns(STARTUP_S), self._fiber.wake)

    def kill(self) -> None:
        """End at once, as SIGKILL does: the link is cut, the will is due, no line of the program runs any more."""
        if not self._ended:
            self.was_killed = True
            self.end(-9, "")

    def end(self, code: int, last_words: str) -> None:
        """End at once without a word to anybody."""
        if not self._ended:
            self._ended = True
            self._start.cancel()
            self._fiber.abandon()
            self._world.cut()
            self._on_exit(code, last_words)

    def freeze(self) -> None:
        """Stand still, as after SIGSTOP."""
        self._fiber.freeze()
        self._world.freeze()

    def thaw(self) -> None:
        """Go on, as after SIGCONT."""
        self._world.thaw()
        self._fiber.thaw()

    def _live(self) -> None:
        program = load(self._path)
        self._code = Sequencer(program, self._launch, self._world, self._dialect).run()

    def _over(self, error: BaseException | None) -> None:
        if error is None:
            self.end(self._code, "")
            return
        text = str(error) if isinstance(error, ProgramError) or not isinstance(error, Exception) else repr(error)
        self._kernel.journal.record("problem", self._actor.replace("sequencer", "program"), text=text)
        self.end(REFUSED, text)

    def _note(self, kind: str, **facts: object) -> None:
        self._kernel.journal.record(kind, self._actor, **facts)


class _Simulation:
    """The :class:`~drycell.runtime.program.world.World` of a fiber; sends again what was not taken, as paho does."""

    def __init__(
        self,
        kernel: Kernel,
        broker: AnyBroker,
        fiber: Fiber,
        instruments: Mapping[str, Put],
        note: Callable[..., None],
    ) -> None:
        self._kernel = kernel
        self._broker = broker
        self._fiber = fiber
        self._instruments = instruments
        self._inbox: deque[Heard] = deque()
        self._client: MemoryClient | None = None
        self._link: Link | None = None
        self._unfinished: dict[int, tuple[str, bytes]] = {}
        self._sent = 0
        self._retry_s = RECONNECT_S[0]
        self._gone = False
        self.note = note

    # what the program calls -----------------------------------------------------------------------------------------

    def now(self) -> float:
        return self._kernel.now_ns / NS_PER_S

    def sleep(self, seconds: float) -> None:
        self.wait_until(self._kernel.now_ns + ns(seconds))

    def connect(self, link: Link) -> None:
        self._link = link
        self._try()

    def publish(self, topic: str, payload: bytes) -> None:
        self._sent += 1
        self._unfinished[self._sent] = (topic, payload)
        if self._client is not None and self._client.connected:
            self._send(self._sent)

    def receive(self, timeout_s: float | None) -> Heard | None:
        until_ns = None if timeout_s is None else self._kernel.now_ns + ns(timeout_s)
        while not self._inbox:
            if until_ns is None:
                self._fiber.wait()
            elif until_ns > self._kernel.now_ns:
                self._fiber.wait(until_ns - self._kernel.now_ns)
            else:
                return None
        return self._inbox.popleft()

    def instrument(self, name: str) -> Transport:
        variable = f"DRYCELL_{name.upper()}"
        if variable not in self._instruments:
            known = ", ".join(sorted(self._instruments)) or "none"
            raise ProgramError(f"instrument {name} has no address; the scenario's instruments have {known}")
        return LineTransport(name, self._instruments[variable], self)

    @property
    def now_ns(self) -> int:
        return self._kernel.now_ns

    def wait_until(self, at_ns: int, told: Callable[[], bool] = lambda: False) -> None:
        """Let others run until then, or until it was :meth:`tell` that made ``told`` true."""
        while not told() and (left_ns := at_ns - self._kernel.now_ns) > 0:
            self._fiber.wait(left_ns)

    def tell(self) -> None:
        """Something has come that the program may be waiting for."""
        if not self._gone:
            self._fiber.wake()

    def close(self) -> None:
        until_ns = self._kernel.now_ns + ns(FAREWELL_S)
        while self._unfinished and (left_ns := until_ns - self._kernel.now_ns) > 0:
            self._fiber.wait(left_ns)
        self._gone = True
        if self._client is not None and self._client.connected:
            self._client.disconnect()

    # what happens to it ---------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The program is no more."""
        if not self._gone:
            self._gone = True
            if self._client is not None:
                self._client.abort()

    def freeze(self) -> None:
        if self._client is not None:
            self._client.freeze()

    def thaw(self) -> None:
        if self._client is not None:
            self._client.thaw()

    def _try(self) -> None:
        if self._gone:
            return
        if not self._broker.running:
            self._try_later()
            return
        assert self._link is not None
        self._client = self._broker.connect(
            self._link.client_id,
            will=Will(self._link.will_topic, self._link.will, 2, False),
            on_message=self._heard,
            on_connect=self._connected,
            on_close=lambda *_: self._try_later(),
        )

    def _try_later(self) -> None:
        if not self._gone:
            wait_s, self._retry_s = self._retry_s, min(2 * self._retry_s, RECONNECT_S[1])
            self._kernel.later(ns(wait_s), self._try)

    def _connected(self, *_: object) -> None:
        assert self._client is not None and self._link is not None
        self._client.subscribe([(name, 2) for name in self._link.filters], self._subscribed)

    def _subscribed(self, *_: object) -> None:
        self._retry_s = RECONNECT_S[0]
        for number in list(self._unfinished):
            self._send(number)
        self._tell(Heard("", b""))

    def _heard(self, message: Message) -> None:
        self._tell(Heard(message.topic, bytes(message.payload)))

    def _tell(self, heard: Heard) -> None:
        if not self._gone:
            self._inbox.append(heard)
            self._fiber.wake()

    def _send(self, number: int) -> None:
        def taken(*_: object) -> None:
            if self._unfinished.pop(number, None) is not None and not self._unfinished:
                self._fiber.wake()

        assert self._client is not None
        topic, payload = self._unfinished[number]
        self._client.publish(topic, payload, 2, taken)
