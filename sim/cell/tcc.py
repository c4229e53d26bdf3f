"""The simulated test cell controller: owns the peripherals and answers their io-control requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.port import Port


@dataclass(frozen=True, slots=True)
class Peripheral:
    """One peripheral: how long it takes to answer, and what (the ``result`` of its response)."""

    latency_s: float
    answer: Any


class TestCellController:
    """Answers for ``peripherals``; a request to any other peripheral stays unanswered, as on a real floor."""

    def __init__(self, port: Port, topics: Topics, peripherals: Mapping[str, Peripheral]) -> None:
        self._port = port
        self._topics = topics
        self._peripherals = peripherals
        self._subscriptions: list[Callable[[], None]] = []

    def start(self) -> None:
        """Connect to the broker."""
        for kind, peripheral in self._peripherals.items():
            request = self._topics.peripheral_request(kind)
            self._subscriptions.append(self._port.subscribe(request, partial(self._requested, kind, peripheral)))

    def stop(self) -> None:
        """Be gone: hear and answer nothing any more, until started again."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for unsubscribe in subscriptions:
            unsubscribe()

    def _requested(self, kind: str, peripheral: Peripheral, message: Message) -> None:
        try:
            request = messages.decode(message.payload)
        except ValueError:
            self._port.record("ignored", what="io-control request that is not JSON", peripheral=kind)
            return
        answer = messages.io_response(str(request.get("ioctl_name")), peripheral.answer)
        if "request_ids" in request:
            answer["request_ids"] = request["request_ids"]
        topic = self._topics.peripheral_response(kind)
        self._port.later(peripheral.latency_s, lambda: self._answer(topic, answer))

    def _answer(self, topic: str, answer: Mapping[str, Any]) -> None:
        if self._subscriptions:
            self._port.publish(topic, answer)
