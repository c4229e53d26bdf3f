"""One MQTT 3.1.1 connection at the broker's end: packets in, packets out, no sockets.

Rules that hold here:
* Before CONNECT no other packet is taken; a second CONNECT is a protocol error (section 3.1).
* A protocol error closes the connection, and the will is published (sections 4.8 and 3.1.2.5).
* A connection ends once, with one cause. After that it neither takes nor sends anything.
* Both seams of the connection are here: every packet, in or out, goes through ``_fault`` when one is installed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from drycell.sim.broker import codec
from drycell.sim.broker.clock import Deadline, DelayLine
from drycell.sim.broker.messages import LinkInfo, Message
from drycell.sim.broker.session import Delivery, SimSession

if TYPE_CHECKING:
    from drycell.sim.broker.embedded import EmbeddedBroker

_FIRST_PACKET_LIMIT = 5 * 65_537 + 12
"""No valid CONNECT is larger: five strings of 65,535 bytes and the variable header."""
_LARGEST_TOPIC = 65_537 + 2
"""What PUBLISH has beside its payload: a topic with its length, and the packet id."""


class AnyLink(Protocol):
    """What a connection needs of its link."""

    kind: str
    blocked: bool

    def write(self, packet: bytes | codec.Value) -> None: ...
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
        "_most_payload",
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
        self._most_payload = broker.options.max_packet_bytes - _LARGEST_TOPIC
        self._deadline = Deadline(broker.clock, self._expire)
        self._deadline.set(broker.clock.now_ns() + round(broker.options.connect_timeout_s * 1e9))

    @property
    def name(self) -> str:
        """Client id, empty before CONNECT."""
        return self.session.name if self.session else ""

    # -------------------------------------------------------------------------------------- called by the link
    def receive(self, data: bytes | codec.Value) -> None:
        """Bytes from the client, or one packet as a value, which becomes bytes where somebody looks at them."""
        if isinstance(data, bytes):
            self._read(data)
            return
        kind, content = data
        is_seen = self.session is None or self._inbound is not None or self._broker.packet_fault is not None
        if is_seen or (kind == codec.PUBLISH and len(content[1]) > self._most_payload):
            self._read(codec.as_bytes(data))
        else:
            self._handle(kind, content)

    def _read(self, data: bytes) -> None:
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
    def send(self, packet: bytes | codec.Value) -> None:
        """Send one packet."""
        if self._broker.packet_fault is None and self._outbound is None:
            self.link.write(packet)
            return
        if self._outbound is None:
            self._outbound = DelayLine(self._broker.clock, self._write)
        for delay_ns, piece in self._fault("out", codec.as_bytes(packet)):
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
            decode = _DECODERS.get(first)
            if decode is None:
                self._check_flags(first)
                name = codec.PACKET_NAMES[first >> 4]
                raise codec.ProtocolError(f"{name} from a connected client (section 3.1)")
            content = decode(first, body)
        except codec.ProtocolError as error:
            self.end("protocol error", str(error))
            return
        self._handle(first >> 4, content)

    def _handle(self, kind: int, content: Any) -> None:
        self._heard_ns = self._broker.clock.now_ns()
        try:
            _PACKETS[kind].take(self, content)
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

    def _publish(self, content: tuple[str, bytes, int, bool, int]) -> None:
        session = self.session
        assert session is not None
        topic, payload, qos, retain, packet_id = content
        if qos == 2:
            if (
                packet_id not in session.inflight_in
            ):  # else a repetition: answered, but not taken twice (section 4.3.3)
                self._broker.check_publish(session, topic)
                self._broker.hold(session, packet_id, Message(topic, payload, qos, retain, session.name))
            self.send((codec.PUBREC, packet_id))
            return
        self._broker.check_publish(session, topic)
        self._broker.router.submit(Message(topic, payload, qos, retain, session.name))
        if qos and self.open:
            self.send((codec.PUBACK, packet_id))

    def _pubrel(self, packet_id: int) -> None:
        session = self.session
        assert session is not None
        held = session.inflight_in.pop(packet_id, None)
        if held is not None:
            session.incoming_bytes -= len(held.payload)
            self._broker.router.submit(held)
        if self.open:
            self.send((codec.PUBCOMP, packet_id))

    def _puback(self, packet_id: int) -> None:
        session = self.session
        assert session is not None
        delivery = session.inflight_out.get(packet_id)
        if delivery is not None and delivery.qos == 1:
            del session.inflight_out[packet_id]
            if session.queued_bytes:
                self._broker.outbox.drain(session)

    def _pubrec(self, packet_id: int) -> None:
        session = self.session
        assert session is not None
        delivery = session.inflight_out.get(packet_id)
        if isinstance(delivery, Delivery) and delivery.qos == 2:
            delivery.released = True
            delivery.data = b""
        self.send((codec.PUBREL, packet_id))

    def _pubcomp(self, packet_id: int) -> None:
        session = self.session
        assert session is not None
        delivery = session.inflight_out.get(packet_id)
        if isinstance(delivery, Delivery) and delivery.released:
            del session.inflight_out[packet_id]
            if session.queued_bytes:
                self._broker.outbox.drain(session)

    def _subscribe(self, content: tuple[int, list[tuple[str, int]]]) -> None:
        assert self.session is not None
        packet_id, filters = content
        self._broker.subscribe(self.session, packet_id, filters)

    def _unsubscribe(self, content: tuple[int, list[str]]) -> None:
        assert self.session is not None
        packet_id, filters = content
        self._broker.unsubscribe(self.session, filters)
        self.send(codec.encode_ack(codec.UNSUBACK, packet_id))

    def _pingreq(self, body: bytes) -> None:
        if body:
            raise codec.ProtocolError("PINGREQ with contents (section 3.12)")
        self.send(codec.PINGRESP_BYTES)

    def _disconnect(self, body: bytes) -> None:
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


class _Packet(NamedTuple):
    """A packet that a connected client may send: what it is for, and how it is read."""

    take: Callable[[Connection, Any], None]
    decode: Callable[[int, bytes], Any]


def _wanted(_: int, body: bytes) -> tuple[int, list[tuple[str, int]]]:
    return codec.decode_subscribe(body)


def _unwanted(_: int, body: bytes) -> tuple[int, list[str]]:
    return codec.decode_unsubscribe(body)


_PACKETS: dict[int, _Packet] = {
    codec.PUBLISH: _Packet(Connection._publish, codec.decode_publish),
    codec.PUBACK: _Packet(Connection._puback, codec.acknowledged),
    codec.PUBREC: _Packet(Connection._pubrec, codec.acknowledged),
    codec.PUBREL: _Packet(Connection._pubrel, codec.acknowledged),
    codec.PUBCOMP: _Packet(Connection._pubcomp, codec.acknowledged),
    codec.SUBSCRIBE: _Packet(Connection._subscribe, _wanted),
    codec.UNSUBSCRIBE: _Packet(Connection._unsubscribe, _unwanted),
    codec.PINGREQ: _Packet(Connection._pingreq, codec.undecoded),
    codec.DISCONNECT: _Packet(Connection._disconnect, codec.undecoded),
}
_DECODERS = {first: packet.decode for kind, packet in _PACKETS.items() for first in codec.first_bytes(kind)}
