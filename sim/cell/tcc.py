"""The simulated test cell controller: owns the peripherals and answers their io-control requests.

A request that a peripheral has a deed for is carried out first: one message to an instrument of the bench, and, where
the deed says so, a question every second until the instrument answers 1. What the instrument refuses is the status of
the answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.line_server import Answers
from drycell.sim.cell.port import Port

POLL_S = 1.0
_NAME = re.compile(r"\{(\w+)\}")
_REFUSED = re.compile(r"-\d+,")


@dataclass(frozen=True, slots=True)
class Deed:
    """``message`` for instrument ``to``, with request parameters in braces; then ask ``until`` the answer is 1."""

    to: str
    message: str
    until: str | None = None

    def filled(self, parameters: Any) -> str:
        """The message with the request's parameters put in. ValueError when one is missing or cannot be used."""

        def value(match: re.Match[str]) -> str:
            given = parameters.get(match[1]) if isinstance(parameters, Mapping) else None
            values = given if isinstance(given, list) else [given]
            if not values or not all(isinstance(one, (int, float, str)) for one in values):
                raise ValueError(f"the request has no usable parameter {match[1]}")
            text = ",".join(str(one) for one in values)
            if not text.isprintable() or ";" in text:
                raise ValueError(f"the parameter {match[1]} is no number or word")
            return text

        return _NAME.sub(value, self.message)


@dataclass(frozen=True, slots=True)
class Peripheral:
    """One peripheral: how long it takes to answer, what (the ``result`` of its response), and what it does first."""

    latency_s: float
    answer: Any
    does: Mapping[str, Deed] = field(default_factory=dict)


Put = Callable[[str, str, Callable[[Answers], None]], None]
"""Hand a line to an instrument by its name."""


class TestCellController:
    """Answers for ``peripherals``; a request to any other peripheral stays unanswered, as on a real floor."""

    def __init__(self, port: Port, topics: Topics, peripherals: Mapping[str, Peripheral], put: Put) -> None:
        self._port = port
        self._topics = topics
        self._peripherals = peripherals
        self._put = put
        self._subscriptions: list[Callable[[], None]] = []
        self._running = False

    @property
    def running(self) -> bool:
        """Whether it is connected to the broker."""
        return self._running

    def start(self) -> None:
        """Connect to the broker."""
        self._running = True
        for kind, peripheral in self._peripherals.items():
            request = self._topics.peripheral_request(kind)
            self._subscriptions.append(self._port.subscribe(request, partial(self._requested, kind, peripheral)))

    def stop(self) -> None:
        """Be gone: hear and answer nothing any more, until started again."""
        self._running = False
        subscriptions, self._subscriptions = self._subscriptions, []
        for unsubscribe in subscriptions:
            unsubscribe()

    def _requested(self, kind: str, peripheral: Peripheral, message: Message) -> None:
        try:
            request = messages.decode(message.payload)
        except ValueError:
            self._port.record("ignored", what="io-control request that is not JSON", peripheral=kind)
            return
        ioctl = str(request.get("ioctl_name"))
        deed = peripheral.does.get(ioctl)

        def reply(result: Any) -> None:
            answer, topic = messages.io_response(ioctl, result), self._topics.peripheral_response(kind)
            if "request_ids" in request:
                answer["request_ids"] = request["request_ids"]
            self._port.later(peripheral.latency_s, lambda: self._answer(topic, answer))

        if deed is None:
            reply(peripheral.answer)
        else:
            self._carry_out(deed, request.get("parameters"), peripheral.answer, reply)

    def _carry_out(self, deed: Deed, parameters: Any, answer: Any, reply: Callable[[Any], None]) -> None:
        try:
            message = deed.filled(parameters)
        except ValueError as error:
            reply({"status": str(error)})
            return

        def checked(answers: Answers) -> None:
            error = _first(answers)
            if _REFUSED.match(error):
                reply({"status": error})
            elif deed.until is None:
                reply(answer)
            else:
                ask(deed.until)

        def ask(question: str) -> None:
            self._put(deed.to, question, lambda answers: looked(question, answers))

        def looked(question: str, answers: Answers) -> None:
            if _first(answers) == "1":
                reply(answer)
            elif self._subscriptions:
                self._port.later(POLL_S, lambda: ask(question))

        self._put(deed.to, message, lambda _: self._put(deed.to, "SYST:ERR?", checked))

    def _answer(self, topic: str, answer: Mapping[str, Any]) -> None:
        if self._running:
            self._port.publish(topic, answer)


def _first(answers: Answers) -> str:
    """What is answered first, whatever its delay."""
    if isinstance(answers, str):
        return answers
    return min(answers, default=(0, ""))[1]
