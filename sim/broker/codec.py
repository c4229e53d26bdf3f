"""MQTT 3.1.1 packets as bytes: a strict codec without any input or output.

Rules that hold here:
* A packet is a pair ``(first byte, body)``; a stream of bytes becomes packets in ``Framer`` and nowhere else.
* Between two ends in one process, PUBLISH and its acknowledgements need not become bytes: there they are a ``Value``.
* Whatever the specification forbids raises ``ProtocolError`` with the number of the broken rule; nothing is repaired.
* Nothing here knows a session, a clock or a socket.

Source of every rule: OASIS standard "MQTT Version 3.1.1", 29 October 2014; numbers like [MQTT-3.1.2-3] are its own.
"""

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any

from drycell.sim.broker.messages import Will

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)
PACKET_NAMES = (
    *("reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK"),
    *("UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "reserved"),
)

FLAGS_REQUIRED = {kind: 0 for kind in range(1, 15) if kind != PUBLISH} | dict.fromkeys(
    (PUBREL, SUBSCRIBE, UNSUBSCRIBE), 2
)
"""Value of the lower four bits of the first byte for all packets but PUBLISH [MQTT-2.2.2-2]."""


def first_bytes(kind: int) -> tuple[int, ...]:
    """The first bytes that a packet of this kind may have."""
    flags = range(16) if kind == PUBLISH else (FLAGS_REQUIRED[kind],)
    return tuple(kind << 4 | flag for flag in flags)


LARGEST_REMAINING_LENGTH = 268_435_455
REFUSED = 0x80
"""Return code of SUBACK for a refused filter (section 3.9.3)."""

PINGREQ_BYTES = b"\xc0\x00"
PINGRESP_BYTES = b"\xd0\x00"
DISCONNECT_BYTES = b"\xe0\x00"

Value = tuple[int, Any]
"""A PUBLISH or an acknowledgement: its kind, and what ``decode_publish`` or ``decode_ack`` makes of it."""

_u16 = Struct("!H")
_ack = Struct("!BBH")


class ProtocolError(Exception):
    """The peer broke MQTT 3.1.1; the connection must be closed (section 4.8). The text names the rule."""


class ConnectRefusedError(ProtocolError):
    """A CONNECT that is understood but refused: ``answer`` goes to the client before the connection is closed."""

    def __init__(self, reason: str, answer: bytes, client_id: str = "") -> None:
        super().__init__(reason)
        self.answer = answer
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class Connect:
    """Contents of a CONNECT packet (section 3.1). ``keepalive_s`` 0 means: never supervised."""

    client_id: str
    clean: bool = True
    keepalive_s: int = 0
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None


class Framer:
    """Cuts a stream of bytes into packets; keeps what is incomplete.

    ``error`` is set once the stream can not be followed any more (remaining length of more than four bytes, or a
    packet of more than ``limit`` bytes); packets complete before that point are still returned.
    """

    __slots__ = ("_held", "_needed", "error", "limit")

    def __init__(self, limit: int = LARGEST_REMAINING_LENGTH) -> None:
        self.limit = limit
        self.error: str | None = None
        self._held = bytearray()
        self._needed = 0

    def feed(self, data: bytes, *, first_only: bool = False) -> list[tuple[int, bytes]]:
        """Take ``data`` and return all packets that are complete now, in order; ``first_only``: only one of them.

        What is not returned is kept, and judged by the ``limit`` of the next call.
        """
        if len(data) > 1 and not self._held and self.error is None:
            size, start = data[1], 2
            if size > 127:
                size, start = self._long_size(data, start, len(data), size & 127)
            if start + size == len(data) and size <= self.limit:
                return [(data[0], data[start:])]  # the usual case: one whole packet
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data = bytes(self._held)
            self._held.clear()
        packets: list[tuple[int, bytes]] = []
        position, end = 0, len(data)
        self._needed = 0
        while end - position >= 2 and self.error is None:
            size = data[position + 1]
            start = position + 2
            if size > 127:
                size, start = self._long_size(data, start, end, size & 127)
            if size < 0 or self.error is not None:
                break
            if size > self.limit:
                self.error = f"packet of {size} bytes is larger than the limit of {self.limit}"
                break
            stop = start + size
            if stop > end:
                self._needed = stop - position
                break
            packets.append((data[position], data[start:stop]))
            position = stop
            if first_only:
                break
        if position < end and self.error is None:
            self._held += data[position:] if position else data
        return packets

    @property
    def busy(self) -> bool:
        """Whether part of a packet is held."""
        return bool(self._held)

    def _long_size(self, data: bytes, start: int, end: int, size: int) -> tuple[int, int]:
        """Remaining length of two to four bytes (section 2.2.3); -1 while it is incomplete."""
        for shift in (7, 14, 21):
            if start >= end:
                return -1, start
            byte = data[start]
            start += 1
            size |= (byte & 127) << shift
            if byte < 128:
                return size, start
        self.error = "remaining length of more than four bytes (section 2.2.3)"
        return -1, start


def packet(first: int, body: bytes) -> bytes:
    """The bytes of one packet."""
    size = len(body)
    if size < 128:
        return bytes((first, size)) + body
    if size < 128 << 7:
        return bytes((first, size & 127 | 128, size >> 7)) + body
    head = bytearray((first,))
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def as_bytes(packet: bytes | Value) -> bytes:
    """The bytes of a packet that may be a value."""
    if isinstance(packet, bytes):
        return packet
    kind, content = packet
    return encode_publish(*content) if kind == PUBLISH else encode_ack(kind, content)


# ------------------------------------------------------------------------------------------------------- strings
@lru_cache(maxsize=8192)
def encode_text(text: str) -> bytes:
    """A UTF-8 string with its length (section 1.5.3). Raises ValueError when it is longer than 65,535 bytes."""
    raw = text.encode("utf-8")
    if len(raw) > 65535:
        raise ValueError(f"an MQTT string has at most 65,535 bytes, this one has {len(raw)}")
    return _u16.pack(len(raw)) + raw


@lru_cache(maxsize=8192)
def decode_text(raw: bytes) -> str:
    """Strict UTF-8 without U+0000 and without surrogates [MQTT-1.5.3-1] [MQTT-1.5.3-2]."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("a string is not UTF-8 [MQTT-1.5.3-1]") from None
    if "\0" in text:
        raise ProtocolError("a string contains U+0000 [MQTT-1.5.3-2]")
    return text


@lru_cache(maxsize=8192)
def decode_topic_name(raw: bytes) -> str:
    """A topic name: not empty, no wildcard [MQTT-4.7.3-1] [MQTT-3.3.2-2]."""
    topic = decode_text(raw)
    if not topic:
        raise ProtocolError("a topic name is empty [MQTT-4.7.3-1]")
    if "#" in topic or "+" in topic:
        raise ProtocolError("a topic name contains a wildcard [MQTT-3.3.2-2]")
    return topic


@lru_cache(maxsize=8192)
def is_topic_name(topic: str) -> bool:
    """Whether ``topic`` can be encoded and is taken as the topic name of a PUBLISH."""
    try:
        return decode_topic_name(encode_text(topic)[2:]) == topic
    except (ValueError, ProtocolError):
        return False


class _Body:
    """Reads fields one after the other; reading past the end is a protocol error."""

    __slots__ = ("_at", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int) -> bytes:
        stop = self._at + size
        if stop > len(self._raw):
            raise ProtocolError("packet is shorter than its fields (section 2.2.3)")
        piece = self._raw[self._at : stop]
        self._at = stop
        return piece

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int(_u16.unpack(self.take(2))[0])

    def sized(self) -> bytes:
        return self.take(self.u16())

    @property
    def left(self) -> int:
        return len(self._raw) - self._at

    def end(self) -> None:
        if self.left:
            raise ProtocolError("packet is longer than its fields (section 2.2.3)")


# ------------------------------------------------------------------------------------------------------- CONNECT
CONNACK_V5_UNSUPPORTED = b"\x20\x03\x00\x84\x00"
"""CONNACK of MQTT 5 with reason 0x84 "unsupported protocol version" and no properties."""


def encode_connack(code: int, session_present: bool = False) -> bytes:
    """CONNACK (section 3.2)."""
    return bytes((0x20, 2, session_present, code))


def _check_level(body: _Body) -> None:
    name = body.sized()
    level = body.u8()
    if name == b"MQTT" and level == 4:
        return
    if name == b"MQIsdp" and level == 3:
        raise ConnectRefusedError("MQTT 3.1 is not served, only 3.1.1 [MQTT-3.1.2-2]", encode_connack(1))
    if name != b"MQTT":
        raise ProtocolError("protocol name is not MQTT [MQTT-3.1.2-1]")
    if level == 5:
        raise ConnectRefusedError("MQTT 5 is not served, only 3.1.1 [MQTT-3.1.2-2]", CONNACK_V5_UNSUPPORTED)
    raise ConnectRefusedError(f"protocol level {level} is not served, only 4 [MQTT-3.1.2-2]", encode_connack(1))


def _check_connect_flags(flags: int) -> None:
    if flags & 1:
        raise ProtocolError("reserved flag of CONNECT is set [MQTT-3.1.2-3]")
    if not flags & 4 and flags & 0x38:
        raise ProtocolError("will QoS or will retain without a will [MQTT-3.1.2-11]")
    if flags & 0x18 == 0x18:
        raise ProtocolError("will QoS is 3 [MQTT-3.1.2-14]")
    if flags & 0x40 and not flags & 0x80:
        raise ProtocolError("password without user name [MQTT-3.1.2-22]")


def decode_connect(raw: bytes) -> Connect:
    """CONNECT (section 3.1). Raises ``ConnectRefusedError`` where the specification demands an answer."""
    body = _Body(raw)
    _check_level(body)
    flags = body.u8()
    _check_connect_flags(flags)
    keepalive_s = body.u16()
    client_id = decode_text(body.sized())
    clean = bool(flags & 2)
    will = None
    if flags & 4:
        will_topic = decode_topic_name(body.sized())
        will = Will(will_topic, body.sized(), flags >> 3 & 3, bool(flags & 0x20))
    username = decode_text(body.sized()) if flags & 0x80 else None
    password = body.sized() if flags & 0x40 else None
    body.end()
    if not client_id and not clean:
        raise ConnectRefusedError("empty client id without clean session [MQTT-3.1.3-8]", encode_connack(2))
    return Connect(client_id, clean, keepalive_s, will, username, password)


def encode_connect(connect: Connect) -> bytes:
    """CONNECT of level 4 (section 3.1)."""
    flags = 2 * connect.clean
    body = encode_text(connect.client_id)
    will = connect.will
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        body += encode_text(will.topic) + _u16.pack(len(will.payload)) + will.payload
    if connect.username is not None:
        flags |= 0x80
        body += encode_text(connect.username)
    if connect.password is not None:
        flags |= 0x40
        body += _u16.pack(len(connect.password)) + connect.password
    return packet(0x10, b"\0\x04MQTT\x04" + bytes((flags,)) + _u16.pack(connect.keepalive_s) + body)


# ------------------------------------------------------------------------------------------------------- PUBLISH
def encode_publish(topic: str, payload: bytes, qos: int, retain: bool, packet_id: int, dup: bool = False) -> bytes:
    """PUBLISH (section 3.3); ``packet_id`` is used at QoS 1 and 2 only."""
    first = 0x30 | dup << 3 | qos << 1 | retain
    if qos:
        return packet(first, encode_text(topic) + _u16.pack(packet_id) + payload)
    return packet(first, encode_text(topic) + payload)


def decode_publish(first: int, body: bytes) -> tuple[str, bytes, int, bool, int]:
    """PUBLISH (section 3.3) as (topic, payload, qos, retain, packet id); the id is 0 at QoS 0."""
    qos = first >> 1 & 3
    if qos == 3:
        raise ProtocolError("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
    if qos == 0 and first & 8:
        raise ProtocolError("PUBLISH with QoS 0 and the DUP flag [MQTT-3.3.1-2]")
    if len(body) < 2:
        raise ProtocolError("packet is shorter than its fields (section 2.2.3)")
    stop = 2 + (body[0] << 8 | body[1])
    if stop + (2 if qos else 0) > len(body):
        raise ProtocolError("packet is shorter than its fields (section 2.2.3)")
    topic = decode_topic_name(body[2:stop])
    if not qos:
        return topic, body[stop:], 0, bool(first & 1), 0
    packet_id = body[stop] << 8 | body[stop + 1]
    if not packet_id:
        raise ProtocolError("PUBLISH with packet id 0 [MQTT-2.3.1-1]")
    return topic, body[stop + 2 :], qos, bool(first & 1), packet_id


def encode_ack(kind: int, packet_id: int) -> bytes:
    """PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK."""
    return _ack.pack(kind << 4 | (2 if kind == PUBREL else 0), 2, packet_id)


def decode_ack(body: bytes) -> int:
    """Packet id of PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK."""
    if len(body) != 2:
        raise ProtocolError("an acknowledgement has exactly two bytes after its header (sections 3.4 to 3.7)")
    packet_id = body[0] << 8 | body[1]
    if not packet_id:
        raise ProtocolError("an acknowledgement with packet id 0 [MQTT-2.3.1-1]")
    return packet_id


def acknowledged(_: int, body: bytes) -> int:
    """The same, for tables that hold what decodes a packet of first byte and body."""
    return decode_ack(body)


def undecoded(_: int, body: bytes) -> bytes:
    """The body as it is, for the same tables."""
    return body


# ----------------------------------------------------------------------------------------------------- SUBSCRIBE
def encode_subscribe(packet_id: int, filters: list[tuple[str, int]]) -> bytes:
    """SUBSCRIBE (section 3.8)."""
    return packet(0x82, _u16.pack(packet_id) + b"".join(encode_text(f) + bytes((qos,)) for f, qos in filters))


def _filter(raw: bytes) -> str:
    topic_filter = decode_text(raw)
    if not topic_filter:
        raise ProtocolError("a topic filter is empty [MQTT-4.7.3-1]")
    return topic_filter


def decode_subscribe(raw: bytes) -> tuple[int, list[tuple[str, int]]]:
    """SUBSCRIBE (section 3.8) as (packet id, filters with their QoS)."""
    body = _Body(raw)
    packet_id = body.u16()
    if not packet_id:
        raise ProtocolError("SUBSCRIBE with packet id 0 [MQTT-2.3.1-1]")
    filters: list[tuple[str, int]] = []
    while body.left:
        topic_filter = _filter(body.sized())
        qos = body.u8()
        if qos > 2:
            raise ProtocolError("SUBSCRIBE with a QoS above 2 or reserved bits [MQTT-3-8.3-4]")
        filters.append((topic_filter, qos))
    if not filters:
        raise ProtocolError("SUBSCRIBE without a filter [MQTT-3.8.3-3]")
    return packet_id, filters


def encode_suback(packet_id: int, codes: list[int]) -> bytes:
    """SUBACK (section 3.9)."""
    return packet(0x90, _u16.pack(packet_id) + bytes(codes))


def decode_suback(raw: bytes) -> tuple[int, list[int]]:
    """SUBACK (section 3.9) as (packet id, return codes)."""
    body = _Body(raw)
    return body.u16(), list(body.take(body.left))


def encode_unsubscribe(packet_id: int, filters: list[str]) -> bytes:
    """UNSUBSCRIBE (section 3.10)."""
    return packet(0xA2, _u16.pack(packet_id) + b"".join(encode_text(f) for f in filters))


def decode_unsubscribe(raw: bytes) -> tuple[int, list[str]]:
    """UNSUBSCRIBE (section 3.10) as (packet id, filters)."""
    body = _Body(raw)
    packet_id = body.u16()
    if not packet_id:
        raise ProtocolError("UNSUBSCRIBE with packet id 0 [MQTT-2.3.1-1]")
    filters: list[str] = []
    while body.left:
        filters.append(_filter(body.sized()))
    if not filters:
        raise ProtocolError("UNSUBSCRIBE without a filter [MQTT-3.10.3-2]")
    return packet_id, filters
