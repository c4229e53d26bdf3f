"""The seams where faults strike messages, packets and answers: rules in order, installed when there are any."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from drycell.sim.broker import AnyBroker, LinkInfo, Message, codec
from drycell.sim.faults import MessageRule, Packet, PacketRule, ReplyRule, chain

WhenLate = Callable[[Message, int], None]
_Told = tuple[Message, WhenLate | None]
"""A message, and who is told that it comes late."""
_BELONGS_TO_INBOUND = {("PUBREL", True), ("PUBACK", False), ("PUBREC", False), ("PUBCOMP", False)}
"""(packet, inbound): acknowledgements of what a client has published; the other way round, of what it was sent."""


class Seams:
    """All rules of a cell. ``reply`` is the seam of instruments; those of messages and packets are the broker's."""

    def __init__(self, broker: AnyBroker) -> None:
        self._broker = broker
        self._messages: list[Callable[[_Told], Sequence[tuple[int, _Told]] | None]] = []
        self._packets: list[PacketRule] = []
        self._replies: list[ReplyRule] = []
        self._topics: dict[tuple[str, bool, int], str] = {}

    def on_messages(self, rule: MessageRule, when_late: WhenLate) -> None:
        """Ask ``rule`` about every message. ``when_late`` is told of those that it was the last to delay, and by how
        many nanoseconds they are late in all."""
        self._messages.append(partial(_told, rule, when_late))
        self._broker.message_fault = self._message

    def on_packets(self, rule: PacketRule) -> None:
        """Ask ``rule`` about every packet."""
        self._packets.append(rule)
        self._broker.packet_fault = self._packet

    def on_replies(self, rule: ReplyRule) -> None:
        """Ask ``rule`` about every answer of an instrument."""
        self._replies.append(rule)

    def reply(self, instrument: str, question: str, answer: str) -> Sequence[tuple[int, str]] | None:
        """What is answered in place of ``answer``; None without rules."""
        if not self._replies:
            return None
        return chain([partial(rule, instrument, question) for rule in self._replies], answer)

    def _message(self, message: Message) -> Sequence[tuple[int, Message]]:
        subject: _Told = (message, None)
        found = chain(self._messages, subject)
        for delay_ns, (one, teller) in found:
            if teller is not None:
                teller(one, delay_ns)
        return [(delay_ns, one) for delay_ns, (one, _) in found]

    def _packet(self, link: LinkInfo, direction: str, raw: bytes) -> Sequence[tuple[int, bytes]]:
        packet = self._named(link, direction == "in", raw)
        if packet is None:
            return [(0, raw)]
        return chain([partial(_ask, rule, packet) for rule in self._packets], raw)

    def _named(self, link: LinkInfo, inbound: bool, raw: bytes) -> Packet | None:
        """The packet with its name and the topic it belongs to; None for what is no packet."""
        whole = codec.Framer().feed(raw)
        if len(whole) != 1:
            return None
        first, body = whole[0]
        kind, topic = codec.PACKET_NAMES[first >> 4], ""
        try:
            if kind == "PUBLISH":
                topic, _, qos, _, packet_id = codec.decode_publish(first, body)
                if qos:
                    self._topics[link.client_id, inbound, packet_id] = topic
            elif kind.startswith("PUB"):
                of_inbound = (kind, inbound) in _BELONGS_TO_INBOUND
                topic = self._topics.get((link.client_id, of_inbound, codec.decode_ack(body)), "")
        except codec.ProtocolError:
            pass  # the connection will refuse it; it has no topic
        return Packet(link.client_id, kind, inbound, topic, raw)


def _told(rule: MessageRule, when_late: WhenLate, pair: _Told) -> Sequence[tuple[int, _Told]] | None:
    message, teller = pair
    outcome = rule(message)
    if outcome is None:
        return None
    return [(late_ns, (new, when_late if late_ns else teller)) for late_ns, new in outcome]


def _ask(rule: PacketRule, packet: Packet, raw: bytes) -> Sequence[tuple[int, bytes]] | None:
    return rule(replace(packet, raw=raw))
