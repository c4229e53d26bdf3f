"""What answered: peripherals, and instruments as far as they were heard. Pure."""

from drycell.sim.replay.ground import Ground
from drycell.sim.replay.questions import Questions
from drycell.sim.replay.recording import Entry
from drycell.sim.replay.scene import Json, Scene, Service


class Services:
    """Answers of peripherals with their latencies; answers of instruments go to the device that is in contact."""

    def __init__(self, ground: Ground) -> None:
        self._scene: Scene = ground.scene
        self._questions = Questions()
        self._open: dict[str, int] = {}

    def hear(self, kind: str, entry: Entry, content: Json) -> None:
        """The next message."""
        name = entry.topic.split("/")[2] if kind.startswith("peripheral-") else ""
        if kind == "peripheral-request":
            if name in self._open:
                self._service(name).unanswered += 1
            self._open[name] = entry.t_ns
        elif kind == "peripheral-response" and name in self._open:
            self._service(name).latencies_ns.append(entry.t_ns - self._open.pop(name))
            self._service(name).results.append(content.get("result"))

    def measured(self, entry: Entry) -> None:
        """The next message to or from an instrument."""
        if entry.topic not in self._scene.instruments:
            self._scene.instruments.append(entry.topic)
        for site, question, answer in self._questions.take(entry):
            now = self._scene.touchdowns[-1].contacts if self._scene.touchdowns else {}
            lone = next(iter(now.values())) if len(now) == 1 else None
            contact = now.get(int(site)) if site.isdecimal() else lone
            if contact is not None:
                contact.asked.setdefault(question, []).append(answer)

    def finish(self) -> None:
        """What was never answered."""
        for name in self._open:
            self._service(name).unanswered += 1

    def _service(self, name: str) -> Service:
        return self._scene.services.setdefault(name, Service())
