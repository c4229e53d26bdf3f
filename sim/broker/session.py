"""amqtt's session with simulated times, bounded queues and the order of delivery of MQTT 3.1.1 section 4.6.

Rules that hold here:
* A QoS 1 or 2 message is in ``inflight_out`` from its PUBLISH to the end of its flow, connected or not (section 4.4).
* What may not be sent yet waits in amqtt's ``retained_messages`` queue, bounded in messages and bytes.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from amqtt.session import ApplicationMessage, OutgoingApplicationMessage, Session

from drycell.sim.broker.messages import Message, Will

if TYPE_CHECKING:
    from drycell.sim.broker.connection import Connection

_OVERHEAD_BYTES = 100


class Delivery(OutgoingApplicationMessage):
    """One message on its way to one client. ``released``: PUBREC came, PUBREL was sent (QoS 2)."""

    __slots__ = ("released",)

    def __init__(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        super().__init__(None, topic, qos, payload, retain)
        self.released = False


class SessionState:
    """What amqtt and its plugins ask of a session's state machine; without the cost of a real one."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = "new"

    def connect(self) -> None:
        """The client is there."""
        self.state = "connected"

    def disconnect(self) -> None:
        """The client is away."""
        self.state = "disconnected"

    def is_new(self) -> bool:
        return self.state == "new"

    def is_connected(self) -> bool:
        return self.state == "connected"

    def is_disconnected(self) -> bool:
        return self.state == "disconnected"


class SimSession(Session):
    """State that belongs to a client id (section 3.1.2.4)."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: Connection | None = None
        self.queued_bytes = 0
        self.filters: dict[str, int] = {}
        self.inflight_in: OrderedDict[int, Message] = OrderedDict()  # type: ignore[assignment]
        self.incoming_bytes = 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def name(self) -> str:
        """The client id."""
        return self.client_id or ""

    @property
    def will(self) -> Will | None:
        """The will, when the client left one."""
        if not self.will_flag or self.will_topic is None:
            return None
        return Will(self.will_topic, bytes(self.will_message or b""), self.will_qos or 0, bool(self.will_retain))

    @will.setter
    def will(self, will: Will | None) -> None:
        self.will_flag = will is not None
        self.will_topic = will.topic if will else None
        self.will_message = will.payload if will else None
        self.will_qos = will.qos if will else None
        self.will_retain = will.retain if will else None

    def take_packet_id(self) -> int:
        """The next packet id that no message to this client uses; there are more ids than ``max_inflight``."""
        packet_id = self._packet_id % 65535 + 1
        while packet_id in self.inflight_out:
            packet_id = packet_id % 65535 + 1
        self._packet_id = packet_id
        return packet_id

    @property
    def waiting(self) -> int:
        """Number of messages that wait to be sent."""
        return int(self.retained_messages.qsize())

    def enqueue(self, delivery: ApplicationMessage, max_messages: int, max_bytes: int) -> bool:
        """Let ``delivery`` wait; False (and no change) when the queue is full."""
        size = len(delivery.data) + len(delivery.topic) + _OVERHEAD_BYTES
        if self.waiting >= max_messages or self.queued_bytes + size > max_bytes:
            return False
        self.queued_bytes += size
        self.retained_messages.put_nowait(delivery)
        return True

    def dequeue(self) -> Delivery:
        """The message that has waited longest."""
        delivery = self.retained_messages.get_nowait()
        assert isinstance(delivery, Delivery)
        self.queued_bytes -= len(delivery.data) + len(delivery.topic) + _OVERHEAD_BYTES
        return delivery

    def _init_states(self) -> None:
        self.transitions = SessionState()  # type: ignore[assignment]
