"""The simulated test cell controller: owns peripherals and answers the io-control requests that the master relays."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.deeds import Owner
from drycell.sim.cell.port import Port


class TestCellController:
    """Answers for the peripherals of ``owner``; a request to any other stays unanswered, as on a real floor."""

    def __init__(self, port: Port, topics: Topics, owner: Owner) -> None:
        self._port = port
        self._topics = topics
        self._owner = owner
        self._subscriptions: list[Callable[[], None]] = []
        self._running = False

    @property
    def running(self) -> bool:
        """Whether it is connected to the broker."""
        return self._running

    def start(self) -> None:
        """Connect to the broker."""
        self._running = True
        for kind in self._owner.kinds:
            request = self._topics.peripheral_request(kind)
            self._subscriptions.append(self._port.subscribe(request, partial(self._requested, kind)))

    def stop(self) -> None:
        """Be gone: hear and answer nothing any more, until started again."""
        self._running = False
        subscriptions, self._subscriptions = self._subscriptions, []
        for unsubscribe in subscriptions:
            unsubscribe()

    def _requested(self, kind: str, message: Message) -> None:
        try:
            request = messages.decode(message.payload)
        except ValueError:
            self._port.record("ignored", what="io-control request that is not JSON", peripheral=kind)
            return
        self._owner.carry_out(kind, request, partial(self._answer, kind), wanted=lambda: self._running)

    def _answer(self, kind: str, response: Mapping[str, Any]) -> None:
        self._port.publish(self._topics.peripheral_response(kind), response)
