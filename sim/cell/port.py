"""What a simulated peer may touch: time, messages, the journal. Peers know no more of kernel and broker."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.machine import Cancel
from drycell.sim.broker import AnyBroker, Message
from drycell.sim.kernel import Kernel, ns


class Port(Protocol):
    """One peer's view of the world."""

    @property
    def now_ns(self) -> int: ...

    def publish(self, topic: str, message: Mapping[str, Any] | bytes, qos: int = 2) -> None:
        """Send ``message`` in the peer's name; a dictionary goes as JSON, bytes go as they are."""

    def subscribe(self, topic_filter: str, callback: Callable[[Message], None]) -> Callable[[], None]:
        """Have ``callback`` called with every message on ``topic_filter``; returns what ends that."""

    def later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        """Call ``action`` after ``delay_s`` simulated seconds."""

    def record(self, kind: str, **fields: Any) -> int:
        """Write an event into the journal in the peer's name; returns its sequence number."""


class CellPort:
    """The port of one named peer in a live cell."""

    def __init__(self, kernel: Kernel, broker: AnyBroker, actor: str) -> None:
        self._kernel = kernel
        self._broker = broker
        self.actor = actor
        self._outbox: list[tuple[str, bytes, int]] = []

    @property
    def now_ns(self) -> int:
        return self._kernel.now_ns

    def publish(self, topic: str, message: Mapping[str, Any] | bytes, qos: int = 2) -> None:
        payload = message if isinstance(message, bytes) else messages.encode(message)
        self._kernel.loop.call_soon(self._hand_over, topic, payload, qos)

    def _hand_over(self, topic: str, payload: bytes, qos: int) -> None:
        """To the broker only when the present decision is complete: nobody hears of a state before it is entered."""
        if self._kernel.journal.closed:
            return
        if self._broker.running:
            self._broker.publish(self.actor, topic, payload, qos)
        elif qos:
            self._outbox.append((topic, payload, qos))

    def resume(self) -> None:
        """The broker is back: what waited is sent, as MQTT clients do at QoS 1 and 2."""
        waiting, self._outbox = self._outbox, []
        for topic, payload, qos in waiting:
            self._hand_over(topic, payload, qos)

    def subscribe(self, topic_filter: str, callback: Callable[[Message], None]) -> Callable[[], None]:
        return self._broker.tap(topic_filter, callback)

    def later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        return self._kernel.later(ns(delay_s), action)

    def record(self, kind: str, **fields: Any) -> int:
        return self._kernel.journal.record(kind, self.actor, **fields)
