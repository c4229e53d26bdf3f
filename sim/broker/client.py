"""An MQTT 3.1.1 client in callback style, for modelled programs; no task, no thread, no socket of its own.

Rules that hold here:
* It behaves as paho does: the callback of a message runs before the message is acknowledged (QoS 1) or completed
  (QoS 2); it pings when it has sent nothing for ``keepalive_s``; it gives up when a ping stays unanswered that long.
* Callbacks run from the broker's exchange, never from within a method of the client.
* ``on_close`` is called once, with "disconnect", "closed", "keepalive" or "protocol error"; not after
  ``abort``, which models the end of the program itself.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from drycell.sim.broker import codec
from drycell.sim.broker.clock import Clock, Deadline, Exchange
from drycell.sim.broker.messages import Message, Will
from drycell.sim.errors import DrycellError

OnMessage = Callable[[Message], object]
OnConnect = Callable[[int, bool], object]
OnClose = Callable[[str], object]


class ClientLink(Protocol):
    """What a client needs of its link."""

    def to_broker(self, packet: bytes | codec.Value) -> None: ...
    def fin(self) -> None: ...
    def cut(self) -> None: ...


def _nothing(*_: object) -> None:
    pass


class MemoryClient:
    """See the module. Made by ``Broker.connect``; CONNECT is sent at once.

    ``on_connect(code, session_present)`` gets the answer, 0 is accepted. ``on_message(message)`` gets each message
    once (QoS 2), its ``sender`` empty.
    """

    __slots__ = (
        "_acks",
        "_clock",
        "_exchange",
        "_framer",
        "_frozen",
        "_handlers",
        "_held",
        "_keepalive_ns",
        "_last_id",
        "_link",
        "_on_close",
        "_on_connect",
        "_on_message",
        "_open",
        "_ping",
        "_pinged",
        "_sent_ns",
        "client_id",
        "connected",
    )

    def __init__(
        self,
        client_id: str,
        *,
        clock: Clock,
        exchange: Exchange,
        keepalive_s: int,
        on_message: OnMessage | None,
        on_connect: OnConnect | None,
        on_close: OnClose | None,
    ) -> None:
        self.client_id = client_id
        self.connected = False
        self._clock = clock
        self._exchange = exchange
        self._on_message = on_message or _nothing
        self._on_connect = on_connect or _nothing
        self._on_close = on_close or _nothing
        self._framer = codec.Framer()
        self._link: ClientLink | None = None
        self._open = False
        self._last_id = 0
        self._acks: dict[int, tuple[int, Callable[..., object]]] = {}
        self._held: dict[int, Message] = {}
        self._frozen: deque[tuple[Callable[[Any], object], Any]] | None = None
        self._keepalive_ns = keepalive_s * 1_000_000_000
        self._sent_ns = 0
        self._pinged = False
        self._ping = Deadline(clock, self._keep_alive)

    # ------------------------------------------------------------------------------------------------- public
    def start(
        self, link: ClientLink, will: Will | None, clean: bool, username: str | None, password: bytes | None
    ) -> None:
        """Send CONNECT; called by ``Broker.connect``."""
        self._link = link
        self._open = True
        keepalive_s = self._keepalive_ns // 1_000_000_000
        self._send(codec.encode_connect(codec.Connect(self.client_id, clean, keepalive_s, will, username, password)))

    def subscribe(self, filters: list[tuple[str, int]], on_done: Callable[[list[int]], object] | None = None) -> None:
        """SUBSCRIBE; ``on_done(codes)`` after SUBACK, 0x80 marks a refused filter."""
        self._send(codec.encode_subscribe(self._expect(codec.SUBACK, on_done), filters))

    def unsubscribe(self, filters: list[str], on_done: Callable[[], object] | None = None) -> None:
        """UNSUBSCRIBE; ``on_done()`` after UNSUBACK."""
        self._send(codec.encode_unsubscribe(self._expect(codec.UNSUBACK, on_done), filters))

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        on_done: Callable[[], object] | None = None,
        *,
        retain: bool = False,
    ) -> None:
        """PUBLISH; ``on_done()`` after PUBACK or PUBCOMP, at QoS 0 as soon as it is sent."""
        packet_id = self._expect(codec.PUBACK if qos == 1 else codec.PUBREC, on_done) if qos else 0
        content = topic, payload, qos, retain, packet_id
        is_right = qos < 3 and codec.is_topic_name(topic)
        self._send((codec.PUBLISH, content) if is_right else codec.encode_publish(*content))
        if not qos and on_done is not None:
            self._exchange.post(lambda _: on_done())

    def disconnect(self) -> None:
        """Say DISCONNECT and close; the will is discarded."""
        if self._open:
            self._send(codec.DISCONNECT_BYTES)
            assert self._link is not None
            self._link.fin()
            self._exchange.post(self._ended, "disconnect")

    def abort(self) -> None:
        """End without DISCONNECT, as a program that is killed: the system sends FIN, the will is published."""
        if self._open:
            assert self._link is not None
            self._link.fin()
            self._stop()

    def cut(self) -> None:
        """Cut the cable: the link is half open, neither end is told."""
        if self._link is not None:
            self._link.cut()

    def freeze(self) -> None:
        """Stand still, as after SIGSTOP: nothing is handled or sent, no ping either; arriving bytes wait."""
        if self._open and self._frozen is None:
            self._frozen = deque()
            self._ping.clear()

    def thaw(self) -> None:
        """Go on after ``freeze``; what has arrived meanwhile is handled first."""
        if self._frozen is not None:
            waiting, self._frozen = self._frozen, None
            for callback, argument in waiting:
                self._exchange.post(callback, argument)
            if self._open and self.connected:
                self._arm()

    @property
    def unfinished(self) -> int:
        """Requests that are not answered yet."""
        return len(self._acks)

    # --------------------------------------------------------------------------------------- called by the link
    def receive(self, data: bytes | codec.Value) -> None:
        """Bytes from the broker, or one packet as a value."""
        if self._frozen is not None:
            self._frozen.append((self.receive, data))
        elif isinstance(data, bytes):
            self._read(data)
        elif self._open:
            kind, content = data
            _ANSWERS_BY_KIND[kind].take(self, kind, content)

    def _read(self, data: bytes) -> None:
        for first, body in self._framer.feed(data):
            if not self._open:
                return
            answer = _ANSWERS.get(first)
            if answer is None or not answer.least <= len(body) <= answer.most:
                self._give_up("protocol error")
                continue
            try:
                answer.take(self, first >> 4, answer.decode(first, body))
            except codec.ProtocolError:
                self._give_up("protocol error")
        if self._framer.error is not None and self._open:
            self._give_up("protocol error")

    def ended(self, cause: str) -> None:
        """The broker or the network closed the link."""
        if self._frozen is None:
            self._ended(cause)
        else:
            self._frozen.append((self._ended, cause))

    # ------------------------------------------------------------------------------------------------ packets
    def _connack(self, _: int, body: bytes) -> None:
        code = body[1]
        self.connected = code == 0
        if self.connected:
            self._arm()
        self._on_connect(code, bool(body[0]))

    def _publish(self, _: int, content: tuple[str, bytes, int, bool, int]) -> None:
        topic, payload, qos, retain, packet_id = content
        message = Message(topic, payload, qos, retain)
        if qos == 2:
            self._held[packet_id] = message
            self._send((codec.PUBREC, packet_id))
            return
        self._on_message(message)
        if qos and self._open:
            self._send((codec.PUBACK, packet_id))

    def _pubrel(self, _: int, packet_id: int) -> None:
        message = self._held.pop(packet_id, None)
        if message is not None:
            self._on_message(message)
        if self._open:
            self._send((codec.PUBCOMP, packet_id))

    def _pubrec(self, _: int, packet_id: int) -> None:
        kind, done = self._acks.get(packet_id, (0, _nothing))
        if kind == codec.PUBREC:
            self._acks[packet_id] = (codec.PUBCOMP, done)
        self._send((codec.PUBREL, packet_id))

    def _finish(self, answer: int, packet_id: int) -> None:
        kind, done = self._acks.get(packet_id, (0, _nothing))
        if kind == answer:
            del self._acks[packet_id]
            done()

    def _suback(self, _: int, content: tuple[int, list[int]]) -> None:
        packet_id, codes = content
        kind, done = self._acks.get(packet_id, (0, _nothing))
        if kind == codec.SUBACK:
            del self._acks[packet_id]
            done(codes)

    def _pingresp(self, _: int, body: bytes) -> None:
        self._pinged = False

    # ------------------------------------------------------------------------------------------------- inside
    def _send(self, packet: bytes | codec.Value) -> None:
        if not self._open:
            raise DrycellError(f"the MQTT client {self.client_id} is not connected, so it can not send")
        if self._frozen is not None:
            raise DrycellError(f"the MQTT client {self.client_id} is frozen, so it can not send")
        assert self._link is not None
        self._sent_ns = self._clock.now_ns()
        self._link.to_broker(packet)

    def _expect(self, kind: int, on_done: Callable[..., object] | None) -> int:
        packet_id = self._last_id % 65535 + 1
        while packet_id in self._acks:
            packet_id = packet_id % 65535 + 1
        self._last_id = packet_id
        self._acks[packet_id] = (kind, on_done or _nothing)
        return packet_id

    def _arm(self) -> None:
        if self._keepalive_ns:
            self._ping.set(self._clock.now_ns() + self._keepalive_ns)

    def _keep_alive(self) -> None:
        due_ns = self._sent_ns + self._keepalive_ns
        if self._clock.now_ns() < due_ns:
            self._ping.set(due_ns)
        elif self._pinged:
            self._give_up("keepalive")
        else:
            self._pinged = True
            self._send(codec.PINGREQ_BYTES)
            self._arm()

    def _give_up(self, cause: str) -> None:
        if self._open:
            assert self._link is not None
            self._link.fin()
            self._ended(cause)

    def _stop(self) -> None:
        self._open = self.connected = False
        self._ping.clear()
        self._acks.clear()
        self._held.clear()

    def _ended(self, cause: str) -> None:
        if self._open:
            self._stop()
            self._on_close(cause)


class _Answer(NamedTuple):
    """A packet that a server may send: what it is for, how it is read, and the sizes that its body may have."""

    take: Callable[[MemoryClient, int, Any], None]
    decode: Callable[[int, bytes], Any]
    least: int
    most: int


def _number(_: int, body: bytes) -> int:
    return body[0] << 8 | body[1]


def _codes(_: int, body: bytes) -> tuple[int, list[int]]:
    return codec.decode_suback(body)


_ANSWERS_BY_KIND = {
    codec.CONNACK: _Answer(MemoryClient._connack, codec.undecoded, 2, 2),
    codec.PUBLISH: _Answer(MemoryClient._publish, codec.decode_publish, 2, codec.LARGEST_REMAINING_LENGTH),
    codec.PUBACK: _Answer(MemoryClient._finish, _number, 2, 2),
    codec.PUBREC: _Answer(MemoryClient._pubrec, codec.acknowledged, 2, 2),
    codec.PUBREL: _Answer(MemoryClient._pubrel, codec.acknowledged, 2, 2),
    codec.PUBCOMP: _Answer(MemoryClient._finish, _number, 2, 2),
    codec.SUBACK: _Answer(MemoryClient._suback, _codes, 2, codec.LARGEST_REMAINING_LENGTH),
    codec.UNSUBACK: _Answer(MemoryClient._finish, _number, 2, 2),
    codec.PINGRESP: _Answer(MemoryClient._pingresp, codec.undecoded, 0, 0),
}
_ANSWERS = {first: answer for kind, answer in _ANSWERS_BY_KIND.items() for first in codec.first_bytes(kind)}
