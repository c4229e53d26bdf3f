"""One MQTT 3.1.1 connection at the broker's end: packets in, packets out, no sockets.

Rules that hold here:
* Before CONNECT no other packet is taken; a second CONNECT is a protocol error (section 3.1).
* A protocol error closes the connection, and the will is published (sections 4.8 and 3.1.2.5).
* A connection ends once, with one cause. After that it neither takes nor sends anything.
* Both seams of the connection are here: every packet, in or out, goes through ``_fault`` when one is installed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from amqtt.session import IncomingApplicationMessage

from drycell.sim.broker import codec
from drycell.sim.broker.clock import Deadline, DelayLine
from drycell.sim.broker.messages import LinkInfo, Message
from drycell.sim.broker.session import Delivery, SimSession

if TYPE_CHECKING:
    from drycell.sim.broker.embedded import EmbeddedBroker

_FIRST_PACKET_LIMIT = 5 * 65_537 + 12
"""No valid CONNECT is larger: five strings of 65,535 bytes and the variable header."""


class AnyLink(Protocol):
    """What a connection needs of its link."""

    kind: str
    blocked: bool
    received: int
    sent: int

    def write(self, raw: bytes) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def silence(self) -> None: ...


class Connection:
    """The broker's end of one connection."""

    __slots__ = (
        "_broker",
        "_deadline",
        "_framer",
        "_greeted",
        "_heard_ns",
        "_inbound",
        "_keepalive_ns",
        "_outbound",
        "_refeed",
        "link",
        "number",
        "open",
        "session",
    )

    def __init__(self, broker: "EmbeddedBroker", link: AnyLink, number: int) -> None:
        self._broker = broker
        self.link = link
        self.number = number
        self.open = True
        self.session: SimSession | None = None
        self._framer = codec.Framer(min(_FIRST_PACKET_LIMIT, broker.options.max_packet_bytes))
        self._greeted = False
        self._refeed: codec.Framer | None = None
        self._inbound: DelayLine | None = None
        self._outbound: DelayLine | None = None
        self._keepalive_ns = self._heard_ns = 0
        self._deadline = Deadline(broker.clock, self._expire)
        self._deadline.set(broker.clock.now_ns() + round(broker.options.connect_timeout_s * 1e9))

    @property
    def name(self) -> str:
        """Client id, empty before CONNECT."""
        return self.session.name if self.session else ""

    # -------------------------------------------------------------------------------------- called by the link
    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._greeted:
            if data[0] >> 4 != codec.CONNECT and not self._framer.busy:
                self.end("protocol error", "the first packet is not CONNECT [MQTT-3.1.0-1]")
                return
            self._take_all(self._framer.feed(data, first_only=True))
            data = b""
        if self._greeted and self.open:
            self._take_all(self._framer.feed(data))

    def _take_all(self, packets: list[tuple[int, bytes]]) -> None:
        if packets and not self._greeted:
            self._greeted = True
            self._framer.limit = self._broker.options.max_packet_bytes
        for first, body in packets:
            if self._broker.packet_fault is None and self._inbound is None:
                self._take(first, body)
            else:
                self._fault_in(codec.packet(first, body))
            if not self.open:
                return
        if self._framer.error is not None:
            self.end("protocol error", self._framer.error)

    def lost(self, cause: str) -> None:
        """The link ended."""
        if self._inbound is None:
            self.end(cause)
        else:
            self._inbound.push(0, None)

    def writable(self) -> None:
        """The link takes bytes again."""
        if self.session is not None:
            self._broker.outbox.drain(self.session)

    # ------------------------------------------------------------------------------------------ packet seam
    def send(self, raw: bytes) -> None:
        """Send one packet."""
        if self._broker.packet_fault is None and self._outbound is None:
            self.link.write(raw)
            return
        if self._outbound is None:
            self._outbound = DelayLine(self._broker.clock, self._write)
        for delay_ns, piece in self._fault("out", raw):
            self._outbound.push(delay_ns, piece)

    def _fault(self, direction: str, raw: bytes) -> list[tuple[int, bytes]]:
        fault = self._broker.packet_fault
        return (
            [(0, raw)]
            if fault is None
            else list(fault(LinkInfo(self.name, self.number, self.link.kind), direction, raw))
        )

    def _write(self, raw: bytes) -> None:
        if self.open:
            self.link.write(raw)

    def _fault_in(self, raw: bytes) -> None:
        if self._inbound is None:
            self._inbound = DelayLine(self._broker.clock, self._refed)
            self._refeed = codec.Framer(self._broker.options.max_packet_bytes)
        for delay_ns, piece in self._fault("in", raw):
            self._inbound.push(delay_ns, piece)

    def _refed(self, raw: bytes | None) -> None:
        if raw is None:
            self.end("closed")
            return
        assert self._refeed is not None
        for first, body in self._refeed.feed(raw):
            if self.open:
                self._take(first, body)
        if self._refeed.error is not None:
            self.end("protocol error", self._refeed.error)

    # -------------------------------------------------------------------------------------------- packets
    def _take(self, first: int, body: bytes) -> None:
        try:
            if self.session is None:
                self._connect(first, body)
                return
            self._heard_ns = self._broker.clock.now_ns()
            handler = _HANDLERS.get(first)
            if handler is None:
                self._check_flags(first)
                name = codec.PACKET_NAMES[first >> 4]
                raise codec.ProtocolError(f"{name} from a connected client (section 3.1)")
            handler(self, first, body)
        except codec.ProtocolError as error:
            self.end("protocol error", str(error))

    @staticmethod
    def _check_flags(first: int) -> None:
        kind = first >> 4
        if kind != codec.PUBLISH and first & 15 != codec.FLAGS_REQUIRED.get(kind, -1):
            raise codec.ProtocolError(f"{codec.PACKET_NAMES[kind]} with wrong flags [MQTT-2.2.2-2]")

    def _connect(self, first: int, body: bytes) -> None:
        self._check_flags(first)
        if first >> 4 != codec.CONNECT:
            raise codec.ProtocolError("the first packet is not CONNECT [MQTT-3.1.0-1]")
        try:
            connect = codec.decode_connect(body)
            self._deadline.clear()
            self._broker.accept(self, connect)
        except codec.ConnectRefusedError as refused:
            self.send(refused.answer)
            self.end("refused", str(refused), refused.client_id)
            return
        if self.open and connect.keepalive_s:
            self._keepalive_ns = connect.keepalive_s * 1_500_000_000  # 1.5 times [MQTT-3.1.2-24]
            self._heard_ns = self._broker.clock.now_ns()
            self._deadline.set(self._heard_ns + self._keepalive_ns)

    def _publish(self, first: int, body: bytes) -> None:
        session = self.session
        assert session is not None
        topic, payload, qos, retain, packet_id = codec.decode_publish(first, body)
        if qos == 2:
            if (
                packet_id not in session.inflight_in
            ):  # else a repetition: answered, but not taken twice (section 4.3.3)
                self._broker.check_publish(session, topic)
                self._broker.hold(session, IncomingApplicationMessage(packet_id, topic, qos, payload, retain))
            self.send(codec.encode_ack(codec.PUBREC, packet_id))
            return
        self._broker.check_publish(session, topic)
        self._broker.router.submit(Message(topic, payload, qos, retain, session.name))
        if qos and self.open:
            self.send(codec.encode_ack(codec.PUBACK, packet_id))

    def _pubrel(self, _: int, body: bytes) -> None:
        session = self.session
        assert session is not None
        packet_id = codec.decode_ack(body)
        held = session.inflight_in.pop(packet_id, None)
        if held is not None:
            session.incoming_bytes -= len(held.data)
            self._broker.router.submit(Message(held.topic, bytes(held.data), 2, held.retain, session.name))
        if self.open:
            self.send(codec.encode_ack(codec.PUBCOMP, packet_id))

    def _puback(self, _: int, body: bytes) -> None:
        session = self.session
        assert session is not None
        packet_id = codec.decode_ack(body)
        delivery = session.inflight_out.get(packet_id)
        if delivery is not None and delivery.qos == 1:
            del session.inflight_out[packet_id]
            if session.queued_bytes:
                self._broker.outbox.drain(session)

    def _pubrec(self, _: int, body: bytes) -> None:
        session = self.session
        assert session is not None
        packet_id = codec.decode_ack(body)
        delivery = session.inflight_out.get(packet_id)
        if isinstance(delivery, Delivery) and delivery.qos == 2:
            delivery.released = True
            delivery.data = b""
        self.send(codec.encode_ack(codec.PUBREL, packet_id))

    def _pubcomp(self, _: int, body: bytes) -> None:
        session = self.session
        assert session is not None
        packet_id = codec.decode_ack(body)
        delivery = session.inflight_out.get(packet_id)
        if isinstance(delivery, Delivery) and delivery.released:
            del session.inflight_out[packet_id]
            if session.queued_bytes:
                self._broker.outbox.drain(session)

    def _subscribe(self, _: int, body: bytes) -> None:
        assert self.session is not None
        packet_id, filters = codec.decode_subscribe(body)
        self._broker.subscribe(self.session, packet_id, filters)

    def _unsubscribe(self, _: int, body: bytes) -> None:
        assert self.session is not None
        packet_id, filters = codec.decode_unsubscribe(body)
        self._broker.unsubscribe(self.session, filters)
        self.send(codec.encode_ack(codec.UNSUBACK, packet_id))

    def _pingreq(self, _: int, body: bytes) -> None:
        if body:
            raise codec.ProtocolError("PINGREQ with contents (section 3.12)")
        self.send(codec.PINGRESP_BYTES)

    def _disconnect(self, _: int, body: bytes) -> None:
        if body:
            raise codec.ProtocolError("DISCONNECT with contents (section 3.14)")
        self.end("disconnect")

    # -------------------------------------------------------------------------------------------- the end
    def _expire(self) -> None:
        if self.session is None:
            self.end("refused", f"no CONNECT within {self._broker.options.connect_timeout_s:g} s")
        elif self._broker.clock.now_ns() < self._heard_ns + self._keepalive_ns:
            self._deadline.set(self._heard_ns + self._keepalive_ns)
        else:
            self.end("keepalive")

    def end(self, cause: str, detail: str = "", client_id: str = "") -> None:
        """Close, tell the journal, publish the will unless the client said DISCONNECT."""
        if self.open:
            self.release()
            self._broker.ended(self, cause, detail, client_id)

    def release(self) -> None:
        """Close without a word (the broker stops)."""
        self.open = False
        self._deadline.clear()
        self.link.close()
        for line in (self._inbound, self._outbound):
            if line is not None:
                line.clear()


_HANDLERS_BY_KIND: dict[int, Callable[[Connection, int, bytes], None]] = {
    codec.PUBLISH: Connection._publish,
    codec.PUBACK: Connection._puback,
    codec.PUBREC: Connection._pubrec,
    codec.PUBREL: Connection._pubrel,
    codec.PUBCOMP: Connection._pubcomp,
    codec.SUBSCRIBE: Connection._subscribe,
    codec.UNSUBSCRIBE: Connection._unsubscribe,
    codec.PINGREQ: Connection._pingreq,
    codec.DISCONNECT: Connection._disconnect,
}
_HANDLERS = {first: handler for kind, handler in _HANDLERS_BY_KIND.items() for first in codec.first_bytes(kind)}
