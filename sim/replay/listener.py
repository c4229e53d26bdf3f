"""The MQTT 3.1.1 session of a capture: it subscribes and acknowledges, and knows no packet that publishes.

Rules
- Pure: bytes in, entries and answers out. Whoever drives it stores the entries before it sends the answers; so the
  broker keeps every message of QoS 1 and 2 that is not on disk.
- A client library would not do: paho 2.2 sends PUBREC before anybody has seen the message, so a killed capture would
  lose it.
- It subscribes again to a session that the broker kept, since nobody knows whether the last capture still could end
  its subscriptions; the broker then repeats retained messages.
- A message that is repeated (DUP) is recorded again; the stored form's reader knows repetitions by ``detail.id``.
"""

from collections.abc import Sequence

from drycell.sim.broker import codec
from drycell.sim.errors import DrycellError
from drycell.sim.replay.recording import Entry

_REFUSALS = {
    1: "does not speak MQTT 3.1.1",
    2: "refuses the client id; name another with --client-id",
    3: "is not available",
    4: "refuses user name or password",
    5: "does not let this client in; it wants other credentials",
}


DROPPED = "$SYS/broker/publish/messages/dropped"
"""Where mosquitto counts the messages that it had no room for; other brokers leave it silent."""


class Listener:
    """One connection. Send :meth:`hello`, then feed :meth:`receive`; ``keepalive_s``: ping at least so often.

    Raises ``codec.ProtocolError`` when the broker breaks the protocol, DrycellError when it refuses us for good.
    """

    def __init__(
        self,
        client_id: str,
        filters: Sequence[str],
        *,
        qos: int = 2,
        username: str | None = None,
        password: bytes | None = None,
        keepalive_s: int = 30,
        clean: bool = False,
    ) -> None:
        self._connect = codec.Connect(client_id, clean, keepalive_s, None, username, password)
        self._filters = [*((topic_filter, qos) for topic_filter in filters), (DROPPED, 0)]
        self._framer = codec.Framer()
        self._answers: list[bytes] = []
        self._pings = 0
        self._stirred = False
        self.session_present: bool | None = None
        self.subscribed = False

    def hello(self) -> bytes:
        """CONNECT; unless ``clean`` with a persistent session."""
        return codec.encode_connect(self._connect)

    def ping(self) -> None:
        """Ask for a sign of life with the next answers."""
        self._answers.append(codec.PINGREQ_BYTES)
        self._pings += 1
        self._stirred = False

    def leave(self) -> None:
        """Ask for nothing new; what waits in the broker still comes."""
        self._answers.append(codec.encode_unsubscribe(2, [name for name, _ in self._filters]))

    @property
    def answered(self) -> bool:
        """Whether every ping was answered; then all that the broker had sent before is here."""
        return self._pings <= 0

    @property
    def quiet(self) -> bool:
        """Whether the last ping was answered with no message before the answer; then none waits in the broker."""
        return self.answered and not self._stirred

    def answers(self) -> bytes:
        """What to send now that everything is stored."""
        raw = b"".join(self._answers)
        self._answers.clear()
        return raw

    def receive(self, data: bytes, t_ns: int) -> list[Entry]:
        """The messages in ``data``, which arrived at ``t_ns``."""
        entries: list[Entry] = []
        for first, body in self._framer.feed(data):
            kind = first >> 4
            self._stirred |= kind in (codec.PUBLISH, codec.PUBREL)
            if kind == codec.PUBLISH:
                entries.append(self._publish(first, body, t_ns))
            elif kind == codec.PUBREL:
                self._answers.append(codec.encode_ack(codec.PUBCOMP, codec.decode_ack(body)))
            elif kind == codec.CONNACK:
                self._accepted(body)
            elif kind == codec.SUBACK:
                self._granted(body)
            elif kind == codec.PINGRESP:
                self._pings -= 1
            elif kind == codec.UNSUBACK:
                codec.decode_ack(body)
            else:
                raise codec.ProtocolError(f"{codec.PACKET_NAMES[kind]} from a broker to a client that only listens")
        if self._framer.error is not None:
            raise codec.ProtocolError(self._framer.error)
        return entries

    def _publish(self, first: int, body: bytes, t_ns: int) -> Entry:
        topic, payload, qos, retain, packet_id = codec.decode_publish(first, body)
        if qos:
            self._answers.append(codec.encode_ack(codec.PUBACK if qos == 1 else codec.PUBREC, packet_id))
        detail = {"id": packet_id} if qos else {}
        return Entry(t_ns, "publish", None, topic, payload, qos, retain, bool(first & 8), detail=detail)

    def _accepted(self, body: bytes) -> None:
        if len(body) != 2:
            raise codec.ProtocolError("CONNACK of a wrong length (section 3.2)")
        if body[1]:
            raise DrycellError(f"the broker {_REFUSALS.get(body[1], f'refuses the connection with code {body[1]}')}")
        self.session_present = bool(body[0] & 1)
        self._answers.append(codec.encode_subscribe(1, self._filters))

    def _granted(self, body: bytes) -> None:
        _, codes = codec.decode_suback(body)
        pairs = zip(self._filters, codes, strict=False)
        refused = [name for (name, _), code in pairs if code == codec.REFUSED and name != DROPPED]
        if refused:
            raise DrycellError(
                f"the broker refuses the topic filter {refused[0]!r}; name what is allowed with --topic"
            )
        self.subscribed = True
