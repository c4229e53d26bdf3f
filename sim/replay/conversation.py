"""One MQTT 3.1.1 connection as somebody between client and broker sees it: bytes of both directions in, entries out.

Rules
- Pure, and never surprised: what is no MQTT, or follows on lost bytes, is a gap; decoding goes on at the next piece
  of bytes that begins with a whole packet head.
- A password never becomes part of an entry.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from drycell.sim.broker import codec
from drycell.sim.kernel.journal import payload_fields
from drycell.sim.replay.recording import Direction, Entry, Gap

_PACKET_LIMIT_BYTES = 16 * 1024 * 1024


class Conversation:
    """``name`` says which connection it is, for gaps. ``client`` is known once CONNECT was seen."""

    def __init__(self, name: str, client: str | None = None) -> None:
        self._name = name
        self.client = client
        self._framers: dict[Direction, codec.Framer] = {}
        self._adrift: set[Direction] = set()
        self._ended = False

    def feed(self, direction: Direction, data: bytes, t_ns: int) -> Iterator[Entry | Gap]:
        """Take the next bytes of a direction."""
        if direction in self._adrift:
            if not _begins_packet(data, direction):
                yield self._gap(direction, "not decoded behind a gap", len(data))
                return
            self._adrift.discard(direction)
        framer = self._framers.setdefault(direction, codec.Framer(_PACKET_LIMIT_BYTES))
        for first, body in framer.feed(data):
            try:
                yield self._entry(direction, first, body, t_ns)
            except codec.ProtocolError as error:
                yield self._gap(direction, f"not MQTT 3.1.1: {error}", len(body) + 2)
        if framer.error is not None:
            yield self.lose(direction, 0, framer.error)

    def lose(self, direction: Direction, count: int, why: str) -> Gap:
        """Bytes of a direction are missing; what follows is taken from the next packet head on."""
        self._framers.pop(direction, None)
        self._adrift.add(direction)
        return self._gap(direction, why, count)

    def end(self, t_ns: int, cause: str) -> Iterator[Entry | Gap]:
        """The connection is over; idempotent."""
        for direction, framer in self._framers.items():
            if framer.busy:
                yield self._gap(direction, "the connection ends within a packet", 0)
        self._framers.clear()
        if not self._ended:
            self._ended = True
            yield Entry(t_ns, "disconnect", self.client, detail={"cause": cause})

    def _gap(self, direction: Direction, why: str, count: int) -> Gap:
        return Gap(f"{self._name}, {'to' if direction == 'in' else 'from'} the broker", why, count)

    def _entry(self, direction: Direction, first: int, body: bytes, t_ns: int) -> Entry:
        kind = first >> 4
        if kind == codec.PUBLISH:
            topic, payload, qos, retain, packet_id = codec.decode_publish(first, body)
            what, detail = ("publish" if direction == "in" else "deliver"), ({"id": packet_id} if qos else {})
            return Entry(t_ns, what, self.client, topic, payload, qos, retain, bool(first & 8), direction, detail)  # type: ignore[arg-type]
        if kind == codec.CONNECT:
            connect = codec.decode_connect(body)
            self.client, self._ended = connect.client_id, False
            return Entry(t_ns, "connect", self.client, direction=direction, detail=_told(connect))
        if kind == codec.DISCONNECT:
            self._ended = True
            return Entry(t_ns, "disconnect", self.client, direction=direction, detail={"cause": "disconnect"})
        if kind == codec.SUBSCRIBE:
            _, filters = codec.decode_subscribe(body)
            pairs = [[topic_filter, qos] for topic_filter, qos in filters]
            return Entry(t_ns, "subscribe", self.client, direction=direction, detail={"filters": pairs})
        if kind == codec.UNSUBSCRIBE:
            _, names = codec.decode_unsubscribe(body)
            return Entry(t_ns, "unsubscribe", self.client, direction=direction, detail={"filters": names})
        more = _MORE.get(kind, _nothing)(body)
        return Entry(
            t_ns, "packet", self.client, direction=direction, detail={"name": codec.PACKET_NAMES[kind], **more}
        )


def _told(connect: codec.Connect) -> dict[str, Any]:
    detail: dict[str, Any] = {"clean": connect.clean, "keepalive_s": connect.keepalive_s}
    if connect.username is not None:
        detail["username"] = connect.username
    if connect.will is not None:
        will = connect.will
        detail["will"] = {
            "topic": will.topic, "qos": will.qos, "retain": will.retain, **payload_fields(will.payload),
        }  # fmt: skip
    return detail


def _accepted(body: bytes) -> Mapping[str, Any]:
    if len(body) != 2:
        raise codec.ProtocolError("CONNACK of a wrong length (section 3.2)")
    return {"code": body[1], "session_present": bool(body[0] & 1)}


def _granted(body: bytes) -> Mapping[str, Any]:
    packet_id, codes = codec.decode_suback(body)
    return {"id": packet_id, "codes": codes}


def _acknowledged(body: bytes) -> Mapping[str, Any]:
    return {"id": codec.decode_ack(body)}


def _nothing(body: bytes) -> Mapping[str, Any]:
    if body:
        raise codec.ProtocolError("contents where there are none (sections 3.12, 3.13)")
    return {}


_MORE: Mapping[int, Callable[[bytes], Mapping[str, Any]]] = {
    codec.CONNACK: _accepted,
    codec.SUBACK: _granted,
    **dict.fromkeys((codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP, codec.UNSUBACK), _acknowledged),
}
_SENT_BY: Mapping[Direction, frozenset[int]] = {
    "in": frozenset(range(1, 15)) - {codec.CONNACK, codec.SUBACK, codec.UNSUBACK, codec.PINGRESP},
    "out": frozenset(range(1, 15))
    - {codec.CONNECT, codec.SUBSCRIBE, codec.UNSUBSCRIBE, codec.PINGREQ, codec.DISCONNECT},
}


def _begins_packet(data: bytes, direction: Direction) -> bool:
    """Whether ``data`` can be the beginning of a packet that this side sends, judged by the whole first packet."""
    kind, flags = data[0] >> 4, data[0] & 15
    if kind not in _SENT_BY[direction] or (kind != codec.PUBLISH and flags != codec.FLAGS_REQUIRED[kind]):
        return False
    packets = codec.Framer(_PACKET_LIMIT_BYTES).feed(data, first_only=True)
    try:
        return all(kind != codec.PUBLISH or bool(codec.decode_publish(first, body)) for first, body in packets)
    except codec.ProtocolError:
        return False
