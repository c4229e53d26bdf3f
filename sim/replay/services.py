"""What answered: peripherals, and instruments as far as they were heard. Pure."""

from drycell.runtime.protocol.semi_ate import SEMI_ATE
from drycell.sim.kernel import ns
from drycell.sim.replay.ground import Ground
from drycell.sim.replay.questions import Questions
from drycell.sim.replay.recording import Entry
from drycell.sim.replay.scene import Json, Service

_NAMED_AT = {"peripheral-request": 2, "peripheral-response": 2, "peripheral-answer": 3}
"""Kind of message -> level of the topic with the peripheral's name."""
_PATIENCE_NS = ns(SEMI_ATE.timeouts_s["peripheral_s"])


class Services:
    """Answers of peripherals with their latencies; answers of instruments go to the device that is in contact."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._scene = ground, ground.scene
        self._questions = Questions()
        self._open: dict[str, int] = {}

    def hear(self, kind: str, entry: Entry, content: Json) -> None:
        """The next message. What the master passes on was answered, though the observer may have missed it."""
        if kind not in _NAMED_AT:
            return
        name = entry.topic.split("/")[_NAMED_AT[kind]]
        service = self._scene.services.setdefault(name, Service())
        if kind == "peripheral-request":
            service.requests += 1
            self._open[name] = entry.t_ns
        elif name in self._open and not (kind == "peripheral-answer" and content.get("result") == "Timeout"):
            service.latencies_ns[service.requests] = entry.t_ns - self._open.pop(name)
            service.results[service.requests] = content.get("result")

    def finish(self) -> None:
        """Whoever was asked right before the end could not answer any more."""
        for name, asked_ns in self._open.items():
            if self._ground.before_ns - asked_ns < _PATIENCE_NS:
                self._scene.services[name].requests -= 1

    def measured(self, entry: Entry) -> None:
        """The next message to or from an instrument."""
        if entry.topic not in self._scene.instruments:
            self._scene.instruments.append(entry.topic)
        for site, question, answer in self._questions.take(entry):
            last = self._scene.touchdowns[-1] if self._scene.touchdowns else None
            now = {} if last is None or last.answered else last.contacts
            lone = next(iter(now.values())) if len(now) == 1 else None
            number = int(site) if site.isdecimal() else None
            contact = lone if number is None else now.get(number)
            asked = self._scene.asked_outside.setdefault(number, {}) if contact is None else contact.asked
            asked.setdefault((entry.topic, question), []).append(answer)
