"""The MQTT packets of a recording: each message of it as MQTT 3.1.1 carries it, from publisher to every subscriber.

Rules
- A recording of messages holds neither acknowledgements nor deliveries. They follow: the handshake of the message's
  QoS, and a delivery to every client whose filter fits, at the lower of both QoS, in order of subscription.
- A client that never connected (a party inside the simulator) connects with its first message.
- What a recording does not tell is left out: pings, repetitions, packets that a fault destroyed, and who hears a
  message inside the simulator. A will comes from the broker.
- All packets of a message share its instant.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from drycell.sim.broker import codec
from drycell.sim.broker.messages import Will
from drycell.sim.broker.topics import FilterIndex, matches
from drycell.sim.errors import DrycellError
from drycell.sim.replay.recording import Direction, Entry, Recording
from drycell.sim.replay.stored import payload_in

_KEEPALIVE_S = 60


class Packet(NamedTuple):
    """One packet on the connection ``number`` of ``client``; without ``raw`` the connection ends here."""

    t_ns: int
    client: str
    number: int
    direction: Direction
    raw: bytes


@dataclass(slots=True, eq=False)
class _Client:
    name: str
    number: int
    filters: dict[str, int] = field(default_factory=dict)
    to_broker: int = 0
    from_broker: int = 0


def packets(recording: Recording) -> Iterator[Packet]:
    """The packets, in order; every connection that is open at the end ends there.

    Raises DrycellError when MQTT cannot carry what an entry holds.
    """
    return _Floor().packets(recording)


class _Floor:
    def __init__(self) -> None:
        self._open: dict[str, _Client] = {}
        self._count = 0
        self._index: FilterIndex[_Client] = FilterIndex()
        self._retained: dict[str, tuple[bytes, int]] = {}

    def packets(self, recording: Recording) -> Iterator[Packet]:
        t_ns = 0
        for entry in recording:
            t_ns = entry.t_ns
            act = _ACTS.get(entry.kind)
            if act is not None:
                try:
                    yield from act(self, entry)
                except ValueError as error:
                    raise DrycellError(f"the {entry.kind} at {t_ns / 1e9:.9f} s is no MQTT packet: {error}") from None
        for client in list(self._open.values()):
            yield from self._end(client, t_ns)

    def connect(self, entry: Entry) -> Iterator[Packet]:
        name = entry.client or ""
        before = self._open.get(name)
        if before is not None:
            yield from self._end(before, entry.t_ns)
        yield from self._connected(name, entry)

    def disconnect(self, entry: Entry) -> Iterator[Packet]:
        client = self._open.get(entry.client or "")
        if client is not None:
            if entry.detail.get("cause") == "disconnect":
                yield Packet(entry.t_ns, client.name, client.number, "in", codec.DISCONNECT_BYTES)
            yield from self._end(client, entry.t_ns)

    def subscribe(self, entry: Entry) -> Iterator[Packet]:
        client = yield from self._known(entry)
        pairs = [(name, qos) for name, qos in entry.detail.get("filters", ())]
        client.to_broker = packet_id = _after(client.to_broker)
        yield self._in(client, entry, codec.encode_subscribe(packet_id, pairs))
        yield self._out(client, entry, codec.encode_suback(packet_id, [qos for _, qos in pairs]))
        for name, qos in pairs:
            client.filters[name] = qos
            self._index.add(name, client, qos)
            for topic, (payload, kept_qos) in self._retained.items():
                if matches(topic, name):
                    yield from self._deliver(
                        client, replace(entry, topic=topic, payload=payload, retain=True), min(qos, kept_qos)
                    )

    def unsubscribe(self, entry: Entry) -> Iterator[Packet]:
        client = yield from self._known(entry)
        names = list(entry.detail.get("filters", ()))
        client.to_broker = packet_id = _after(client.to_broker)
        yield self._in(client, entry, codec.encode_unsubscribe(packet_id, names))
        yield self._out(client, entry, codec.encode_ack(codec.UNSUBACK, packet_id))
        for name in names:
            if client.filters.pop(name, None) is not None:
                self._index.remove(name, client)

    def publish(self, entry: Entry) -> Iterator[Packet]:
        qos = entry.qos or 0
        if not entry.detail.get("will"):
            client = yield from self._known(entry)
            client.to_broker = packet_id = _after(client.to_broker) if qos else client.to_broker
            raw = codec.encode_publish(entry.topic, entry.payload, qos, entry.retain, packet_id)
            yield self._in(client, entry, raw)
            for kind, back in _HANDSHAKES[qos]:
                told = self._out if back else self._in
                yield told(client, entry, codec.encode_ack(kind, packet_id))
        if entry.retain:
            self._retained[entry.topic] = entry.payload, qos
            if not entry.payload:
                del self._retained[entry.topic]
        for client, granted in list(self._index.match(entry.topic)):
            yield from self._deliver(client, replace(entry, retain=False), min(qos, granted))

    def _deliver(self, client: _Client, entry: Entry, qos: int) -> Iterator[Packet]:
        client.from_broker = packet_id = _after(client.from_broker) if qos else client.from_broker
        yield self._out(client, entry, codec.encode_publish(entry.topic, entry.payload, qos, entry.retain, packet_id))
        for kind, back in _HANDSHAKES[qos]:
            told = self._in if back else self._out
            yield told(client, entry, codec.encode_ack(kind, packet_id))

    def _known(self, entry: Entry) -> Generator[Packet, None, _Client]:
        """The client of an entry; connects it when it never did."""
        name = entry.client if entry.client is not None else "unknown"
        if name not in self._open:
            yield from self._connected(name, entry)
        return self._open[name]

    def _connected(self, name: str, entry: Entry) -> Iterator[Packet]:
        self._count += 1
        client = self._open[name] = _Client(name, self._count)
        detail = entry.detail if entry.kind == "connect" else {}
        will = detail.get("will")
        connect = codec.Connect(
            name,
            detail.get("clean", True),
            detail.get("keepalive_s", _KEEPALIVE_S),
            None if will is None else Will(will["topic"], payload_in(will), will["qos"], will["retain"]),
        )
        yield self._in(client, entry, codec.encode_connect(connect))
        yield self._out(client, entry, codec.encode_connack(0, detail.get("session_present", False)))

    def _end(self, client: _Client, t_ns: int) -> Iterator[Packet]:
        for name in client.filters:
            self._index.remove(name, client)
        del self._open[client.name]
        yield Packet(t_ns, client.name, client.number, "in", b"")

    def _in(self, client: _Client, entry: Entry, raw: bytes) -> Packet:
        return Packet(entry.t_ns, client.name, client.number, "in", raw)

    def _out(self, client: _Client, entry: Entry, raw: bytes) -> Packet:
        return Packet(entry.t_ns, client.name, client.number, "out", raw)


_HANDSHAKES: Mapping[int, tuple[tuple[int, bool], ...]] = {
    0: (),
    1: ((codec.PUBACK, True),),
    2: ((codec.PUBREC, True), (codec.PUBREL, False), (codec.PUBCOMP, True)),
}
"""What follows a PUBLISH, and whether it goes back to its sender's side."""

_ACTS: Mapping[str, Callable[[_Floor, Entry], Iterator[Packet]]] = {
    "connect": _Floor.connect,
    "disconnect": _Floor.disconnect,
    "subscribe": _Floor.subscribe,
    "unsubscribe": _Floor.unsubscribe,
    "publish": _Floor.publish,
}


def _after(packet_id: int) -> int:
    return packet_id % 65_535 + 1
