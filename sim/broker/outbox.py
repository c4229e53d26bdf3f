"""From the broker to one client: what is sent now, what waits, what is repeated.

Rules that hold here:
* Messages to one client keep their order, whatever their QoS: while one waits, all later ones wait (section 4.6).
* A queue that is full drops the newest message, and the journal says so; no consumer can make memory grow.
"""

from drycell.sim.broker import codec
from drycell.sim.broker.connection import Connection
from drycell.sim.broker.messages import BrokerOptions
from drycell.sim.broker.router import Record
from drycell.sim.broker.session import Delivery, SimSession


class Outbox:
    """Sends deliveries as link, window and queue allow."""

    def __init__(self, options: BrokerOptions, record: Record) -> None:
        self._options = options
        self._record = record

    def deliver(self, session: SimSession, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send now, or let it wait; for a client that is away only QoS 1 and 2 wait, in a session that lasts."""
        connection = session.connection
        if connection is None:
            if qos and not session.clean_session:
                self._queue(session, Delivery(topic, payload, qos, retain))
        elif connection.link.blocked or session.queued_bytes:
            self._queue(session, Delivery(topic, payload, qos, retain))
        elif not qos:
            connection.send((codec.PUBLISH, (topic, payload, 0, retain, 0)))
        elif len(session.inflight_out) < self._options.max_inflight:
            self._send(session, connection, Delivery(topic, payload, qos, retain))
        else:
            self._queue(session, Delivery(topic, payload, qos, retain))

    def _queue(self, session: SimSession, delivery: Delivery) -> None:
        if not session.enqueue(delivery, self._options.max_queued_messages, self._options.max_queued_bytes):
            self._record("dropped", session.name, cause="queue full", topic=delivery.topic, qos=delivery.qos)

    @staticmethod
    def _send(session: SimSession, connection: Connection, delivery: Delivery) -> None:
        qos = delivery.qos or 0
        packet_id = 0
        if qos:
            packet_id = session.take_packet_id()
            delivery.packet_id = packet_id
            session.inflight_out[packet_id] = delivery
        content = delivery.topic, bytes(delivery.data), qos, delivery.retain, packet_id
        connection.send((codec.PUBLISH, content))

    def drain(self, session: SimSession) -> None:
        """Send what waits, as far as link and window allow."""
        connection = session.connection
        while connection is not None and connection.open and session.waiting and not connection.link.blocked:
            if len(session.inflight_out) >= self._options.max_inflight:
                return
            self._send(session, connection, session.dequeue())

    def resume(self, session: SimSession) -> None:
        """Repeat unfinished flows in their order [MQTT-4.4.0-1] [MQTT-4.6.0-1], then send what waited."""
        connection = session.connection
        assert connection is not None
        for packet_id, delivery in session.inflight_out.items():
            if isinstance(delivery, Delivery) and delivery.released:
                connection.send((codec.PUBREL, packet_id))
            else:
                connection.send(codec.encode_publish(delivery.topic, bytes(delivery.data), delivery.qos or 0,
                                                     delivery.retain, packet_id, dup=True))  # fmt: skip
        self.drain(session)
