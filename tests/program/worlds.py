"""A world for one program, without a cell: the test says what is heard and reads what was said."""

import json
from collections import deque
from typing import Any

from drycell.runtime.instruments.transports import Transport
from drycell.runtime.program import Program
from drycell.runtime.program.errors import ProgramError
from drycell.runtime.program.sequencer import Launch, Sequencer
from drycell.runtime.program.world import Heard, Link
from drycell.runtime.protocol import messages
from drycell.runtime.protocol.dialects import DIALECTS

BINS = {1: {1: "Good"}, 2: {10: "Poor"}, 3: {11: "Bad", 12: "Worse"}}
CMD = "ate/cell/TestApp/cmd"


class Script:
    """What is heard, in order; a callable among it is called when its turn comes. ``said``: (topic, payload)."""

    def __init__(self, *heard: Any) -> None:
        self.heard = deque(heard)
        self.said: list[tuple[str, bytes]] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self.time_s = 100.0
        self.link: Link | None = None
        self.closed = False

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def connect(self, link: Link) -> None:
        self.link = link
        self.heard.appendleft(Heard("", b""))

    def publish(self, topic: str, payload: bytes) -> None:
        self.said.append((topic, payload))

    def receive(self, timeout_s: float | None) -> Heard | None:
        if timeout_s == 0:
            return self._next() if self.heard and self.heard[0] is not SILENCE and self._meanwhile() else None
        if timeout_s is not None and (not self.heard or self.heard[0] is SILENCE):
            if self.heard:
                self.heard.popleft()
            self.time_s += timeout_s
            return None
        return self._next()

    def _meanwhile(self) -> bool:
        """Whether the next message comes while the program is busy."""
        return isinstance(self.heard[0], Meanwhile)

    def _next(self) -> Heard:
        assert self.heard, f"the program waits for ever; it said {[words(one) for one in self.said]}"
        heard = self.heard.popleft()
        return heard.message if isinstance(heard, Meanwhile) else heard

    def instrument(self, name: str) -> Transport:
        raise ProgramError(f"instrument {name} has no address")

    def note(self, kind: str, **facts: object) -> None:
        self.notes.append((kind, facts))

    def close(self) -> None:
        self.closed = True


class Meanwhile:
    """A message that comes while the program tests."""

    def __init__(self, message: Heard) -> None:
        self.message = message


SILENCE: Any = object()
"""Nothing is heard until the present wait is over."""


def words(said: tuple[str, bytes]) -> str:
    topic, payload = said
    kind = topic.split("/")[3]
    return f"{kind} {json.loads(payload)['state']}" if kind == "status" else kind


def command(name: str, sites: tuple[str, ...] = ("0",), **extra: Any) -> Heard:
    return Heard(CMD, messages.encode(messages.command(name, sites, **extra)))


def next_part(part: str = "1", sites: tuple[str, ...] = ("0",), **options: Any) -> Heard:
    infos = [{"siteid": site, "partid": part} for site in sites]
    given = {
        name: {"active": value is not False, "value": -1 if isinstance(value, bool) else value}
        for name, value in options.items()
    }
    return command("next", sites, job_data=messages.job_data(given, infos))


def answer(ioctl: str, result: Any, peripheral: str = "Chamber") -> Heard:
    return Heard(f"ate/cell/Master/{peripheral}/response", messages.encode(messages.io_response(ioctl, result)))


TERMINATE = command("terminate")


def live(program: Program, *heard: Any, dialect: str = "specification", **launch: Any) -> tuple[Script, int]:
    """The whole life of ``program`` on site 0 of device ``cell``; returns what it said and its exit code."""
    world = Script(*heard)
    code = Sequencer(program, Launch("cell", 0, **launch), world, DIALECTS[dialect]).run()
    return world, code


def story(world: Script) -> list[str]:
    """What was said, log lines left out."""
    return [words(one) for one in world.said if "/log/" not in one[0]]


def results(world: Script, dialect: str = "specification") -> list[dict[str, Any]]:
    """The STDF records of all devices."""
    travel = DIALECTS[dialect].stdf
    payloads = [payload for topic, payload in world.said if f"/{travel.kind}/" in topic]
    return travel.join([travel.unpack(payload) for payload in payloads])


def log(world: Script) -> list[Any]:
    """The payloads of the log topic."""
    return [json.loads(payload)["payload"] for topic, payload in world.said if "/log/" in topic]
