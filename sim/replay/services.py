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
        self._wanted: dict[str, int] = {}
        self._passed_on: dict[str, list[tuple[int, object]]] = {}

    def hear(self, kind: str, entry: Entry, content: Json) -> None:
        """The next message. What the master passes on was answered, though the observer may have missed it."""
        if kind == "io-control":
            self._wanted[str(content.get("periphery_type"))] = entry.t_ns
        if kind not in _NAMED_AT:
            return
        name = entry.topic.split("/")[_NAMED_AT[kind]]
        service = self._scene.services.setdefault(name, Service())
        if kind == "peripheral-answer" and name in self._wanted and content.get("result") != "Timeout":
            self._passed_on.setdefault(name, []).append((entry.t_ns - self._wanted.pop(name), content.get("result")))
        if kind == "peripheral-request":
            service.requests += 1
            self._open[name] = entry.t_ns
        elif name in self._open and not (kind == "peripheral-answer" and content.get("result") == "Timeout"):
            service.latencies_ns[service.requests] = entry.t_ns - self._open.pop(name)
            service.results[service.requests] = content.get("result")

    def forget(self) -> None:
        """Another lot begins."""
        for known in (self._open, self._wanted, self._passed_on):
            known.clear()

    def finish(self) -> None:
        """Whoever was asked right before the end could not answer any more. Of a peripheral that nobody was seen to
        ask, what the programs were told counts: the master may ask it in another way."""
        for name, asked_ns in self._open.items():
            if self._ground.before_ns - asked_ns < _PATIENCE_NS:
                self._scene.services[name].requests -= 1
        for name, told in self._passed_on.items():
            service = self._scene.services[name]
            for latency_ns, result in told if not service.requests else ():
                service.requests += 1
                service.latencies_ns[service.requests] = latency_ns
                service.results[service.requests] = result

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
