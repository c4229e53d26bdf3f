"""The simulated control of one site: starts the test program, watches it end, kills it on reset."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Protocol

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.semi_ate import CONTROL
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.peer import Peer
from drycell.sim.cell.port import Port
from drycell.sim.errors import DrycellError

Json = dict[str, Any]


class Running(Protocol):
    """A started test program."""

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""


class Programs(Protocol):
    """Starts test programs: modelled ones on the kernel, or real ones as processes."""

    def start(self, site: str, params: Json, on_exit: Callable[[int, str], None]) -> Running:
        """Start the program of ``site``. ``on_exit(code, last words)``; negative codes are signal numbers.

        Raises DrycellError when it cannot be started.
        """


class Control:
    """One control. ``programs`` starts what ``loadTest`` names."""

    def __init__(
        self,
        port: Port,
        topics: Topics,
        site: str,
        programs: Programs,
        *,
        quirks: Collection[str] = (),
        timeouts_s: Mapping[str, float],
    ) -> None:
        self._port = port
        self._topics = topics
        self._site = site
        self._programs = programs
        self._quirks = quirks
        self._running: Running | None = None
        self._params: Json = {}
        self._was_reset = False
        self._life = 0
        actions = {"start_program": lambda: None, "kill_program": self._kill}
        self._peer = Peer(port, CONTROL, actions=actions, announce=self._announce, timeouts_s=timeouts_s)

    @property
    def state(self) -> str:
        """The present state, by its name in the table."""
        return self._peer.state

    def start(self) -> None:
        """Connect to the broker and announce the first state."""
        self._port.subscribe(self._topics.control_cmd, self._heard_command)
        if "control-echoes-master" in self._quirks:
            self._port.subscribe(self._topics.master_status, lambda message: self._peer.announce(again=True))
        self._peer.announce()

    def _heard_command(self, message: Message) -> None:
        try:
            command = messages.decode(message.payload)
            name, is_meant = command["command"], self._site in command["sites"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self._peer.fire("fail", "a command that is not understood")
            return
        if not is_meant:
            return
        if name == "loadTest":
            self._load(command.get("testapp_params", {}))
        elif name == "reset":
            self._reset()

    def _load(self, params: Json) -> None:
        if not self._peer.machine.can("load"):
            self._peer.fire("fail", f"loadTest while the control was {self.state}")
            return
        self._peer.fire("load")
        try:
            self._life += 1
            self._running = self._programs.start(self._site, params, partial(self._ended, self._life))
        except (DrycellError, ValueError, KeyError, TypeError, AttributeError) as error:
            is_ours = isinstance(error, DrycellError)
            text = str(error) if is_ours else f"loadTest is not of the agreed form ({type(error).__name__}: {error})"
            self._port.record("problem", text=text)
            self._peer.fire("program_missing", text)
            return
        self._peer.fire("started")

    def _reset(self) -> None:
        self._was_reset = True
        self._peer.fire("reset")
        if self._running is None:
            self._gone()

    def _kill(self) -> None:
        if self._running is not None:
            self._running.kill()

    def _gone(self) -> None:
        self._peer.fire("program_gone")
        if "control-repeats-status" in self._quirks:
            self._peer.announce(again=True)

    def die(self) -> None:
        """Crash, and come back without a memory: the last will is published, the program is nobody's any more."""
        self._life += 1
        self._running = None
        self._was_reset = False
        self._announce("crash", "")
        self._port.record("state", **{"from": self.state, "to": "idle", "event": "restarted"})
        self._peer.machine.state = CONTROL.initial
        self._peer.announce(again=True)

    def _ended(self, life: int, code: int, last_words: str) -> None:
        if life != self._life:
            return  # an orphan: the control that had started it is no more
        self._running = None
        if self.state == "resetting":
            self._gone()
            return
        if self.state != "busy":
            return
        swallowed = self._was_reset and "control-swallows-failure-after-reset" in self._quirks
        self._was_reset = False
        if code == 0 or swallowed:
            self._peer.fire("ended_well")
            return
        self._peer.fire("ended_badly", f"the test program ended with {describe_exit(code)}. {last_words}".strip())
        if "control-repeats-status" in self._quirks:
            self._peer.announce(again=True)

    def _announce(self, state: str, message: str) -> None:
        self._port.publish(self._topics.control_status(self._site), messages.control_status(state, message))


def describe_exit(code: int) -> str:
    """An exit code in words: ``exit code 1``, ``signal 9``."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
