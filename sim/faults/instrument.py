"""Faults of instruments and peripherals: answers missing, late, wrong or elsewhere; drift, noise, stuck.

Rule: instruments are hit where they answer, peripherals (behind the TCC) where their response passes the broker.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, JsonValue

from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.rules import Outcome
from drycell.sim.faults.select import Chosen, MessageFault, content_of
from drycell.sim.faults.stage import Stage
from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import InstrumentName, Number, Part, PeripheralName, Seconds, Site, Text, Whole

if TYPE_CHECKING:
    from drycell.sim.broker import Message


class InstrumentFault(Fault):
    """Base of faults that strike an instrument's answers: says which."""

    layer: ClassVar[Layer] = "instrument"
    main: ClassVar[str | None] = "instrument"
    instrument: InstrumentName | None = None
    """Its name under ``instruments`` or on the bench; null for all."""
    asked: Text | None = None
    """Only questions that contain this text."""
    site: Site | None = None
    """Only questions about this site by their channel list; ``(@0)`` is site 0 at a meter, ``(@1)`` on a bench."""
    part: Part | None = None
    """Only while this device is in contact at that channel."""
    nth: Whole = Field(default=1, ge=1)
    """The first answer that is hit, counting those that fit from 1."""
    count: Whole | None = Field(default=1, ge=1)
    """How many in a row are hit; null for all."""
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long the fault lasts at most; null for as long as the run."""

    def inject(self, stage: Stage) -> None:
        """Strike the chosen answers from now on."""
        seen, begin_ns = [0], stage.now_ns
        altered = self.alteration(stage, begin_ns)

        def rule(instrument: str, question: str, answer: str) -> Outcome[str]:
            over = self.for_s is not None and stage.now_ns >= begin_ns + ns(self.for_s)
            if over or not self._fits(instrument, question, stage):
                return None
            seen[0] += 1
            past = seen[0] - self.nth
            if past < 0 or (self.count is not None and past >= self.count):
                return None
            if self.count is not None:
                site = stage.asked_site(instrument, question)
                stage.note(instrument=instrument, question=question, **({"site": site} if site else {}))
            return altered(answer)

        stage.on_replies(rule)

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """What makes answers out of an answer, each with a delay in ns; it may remember things."""
        raise NotImplementedError

    def _fits(self, instrument: str, question: str, stage: Stage) -> bool:
        if self.instrument not in (None, instrument) or (self.asked or "") not in question:
            return False
        if self.site is None and self.part is None:
            return True
        site = stage.asked_site(instrument, question)
        if self.site is not None and site != str(self.site):
            return False
        return self.part is None or stage.part_at(site) == str(self.part)


class NoAnswer(InstrumentFault):
    """An instrument does not answer."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """Silence."""
        return lambda answer: []


class LateAnswer(InstrumentFault):
    """An instrument answers late."""

    by_s: Seconds = Field(default=1.0, alias="by")
    """How late."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """The answer, later."""
        return lambda answer: [(ns(self.by_s), answer)]


class WrongAnswer(InstrumentFault):
    """An instrument answers something else."""

    answer: str = Field(default="ERROR -230,Data corrupt or stale", max_length=10_000)
    """What it answers."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """That text."""
        return lambda answer: [(0, self.answer)]


class Drift(InstrumentFault):
    """Readings move away with time."""

    count: Whole | None = Field(default=None, ge=1)
    """How many in a row are hit; null for all."""
    per_s: Number = 0.001
    """By which share of the reading, per second since the fault began."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """Readings times a factor that grows."""
        return lambda answer: [(0, _each(answer, lambda x: x * (1 + self.per_s * (stage.now_ns - begin_ns) / 1e9)))]


class Noise(InstrumentFault):
    """Readings scatter."""

    draws: ClassVar[bool] = True
    count: Whole | None = Field(default=None, ge=1)
    """How many in a row are hit; null for all."""
    sigma: Number = Field(default=0.01, ge=0)
    """Standard deviation, as a share of the reading."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """Readings times a drawn factor each."""

        def noisy(value: float) -> float:
            return value * (1 + self.sigma * float(stage.random.standard_normal()))

        return lambda answer: [(0, _each(answer, noisy))]


class Stuck(InstrumentFault):
    """Readings do not change any more."""

    count: Whole | None = Field(default=None, ge=1)
    """How many in a row are hit; null for all."""
    value: Number | None = None
    """What they read; null for the first reading that is hit."""

    def alteration(self, stage: Stage, begin_ns: int) -> Callable[[str], Sequence[tuple[int, str]]]:
        """The same reading again and again."""
        first: list[float] = [] if self.value is None else [self.value]

        def stuck(value: float) -> float:
            if not first:
                first.append(value)
            return first[0]

        return lambda answer: [(0, _each(answer, stuck))]


def _each(answer: str, change: Callable[[float], float]) -> str:
    """Each number of a comma-separated answer changed, spelled as before; other answers as they are."""
    texts = answer.split(",")
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return answer
    return ",".join(_spelled(change(number), text) for number, text in zip(numbers, texts, strict=True))


def _spelled(value: float, like: str) -> str:
    if not math.isfinite(value) or "e" in like.lower():
        return f"{value:.1E}"
    return f"{value:.{len(like.partition('.')[2])}f}"


class PeripheralFault(MessageFault):
    """Base of faults that strike what a peripheral answers to the master."""

    layer: ClassVar[Layer] = "instrument"
    main: ClassVar[str | None] = "peripheral"
    peripheral: PeripheralName
    """Type of the peripheral, as under ``cell.peripherals``."""

    def inject(self, stage: Stage) -> None:
        """Strike its responses from now on."""
        topic = stage.topics.peripheral_response(self.peripheral)
        chosen = Chosen(self, stage)

        def rule(message: "Message") -> "Outcome[Message]":
            if message.topic != topic or not chosen.takes(message):
                return None
            stage.note(topic=topic)
            return self.change(message, stage)

        stage.on_messages(rule)


class PeripheralSilent(PeripheralFault):
    """A peripheral does not answer; the master gives up after ``peripheral_s``."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """Nothing."""
        return []


class PeripheralLate(PeripheralFault):
    """A peripheral answers late: when it is later than ``peripheral_s``, nobody listens any more."""

    by_s: Seconds = Field(default=1.0, alias="by")
    """How late."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The response, later."""
        return [(ns(self.by_s), message)]


class PeripheralWrong(PeripheralFault):
    """A peripheral answers something else, or the answer to another question."""

    result: JsonValue = "interlock open"
    """The ``result`` of its response."""
    ioctl: Text | None = None
    """The ``ioctl_name`` it claims to answer; null for the right one."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """Another response."""
        content = content_of(message.payload)
        content |= {"result": self.result} | ({} if self.ioctl is None else {"ioctl_name": self.ioctl})
        return [(0, replace(message, payload=json.dumps(content).encode()))]


class PeripheralElsewhere(PeripheralFault):
    """A peripheral's answer comes on another peripheral's topic."""

    on: PeripheralName
    """Type of the other peripheral."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The response on the other topic."""
        return [(0, replace(message, topic=stage.topics.peripheral_response(self.on)))]
