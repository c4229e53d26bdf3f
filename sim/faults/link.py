"""Faults of the network: messages late, lost, twice, out of order; links cut, half open, slow, taken over; no broker.

Rule: what strikes a message strikes it between sender and everybody else, when the broker has it; what strikes a
packet strikes one program's link. A QoS 2 handshake is repaired by nobody here but MQTT itself.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.rules import Outcome
from drycell.sim.faults.select import Chosen, MessageFault, MessageName, kind_of
from drycell.sim.faults.stage import Packet, Stage
from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import Number, Seconds, Share, Site, Whole

if TYPE_CHECKING:
    from drycell.sim.broker import Message

PacketKind = Literal[
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
]


class _LinkMessage(MessageFault):
    layer: ClassVar[Layer] = "link"
    main: ClassVar[str | None] = "message"


class Delay(_LinkMessage):
    """A message comes late."""

    draws: ClassVar[bool] = True
    by_s: Seconds = Field(default=1.0, alias="by")
    """How late."""
    jitter_s: Seconds = Field(default=0.0, alias="jitter")
    """At most so much later still, drawn for each message."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The same message, later."""
        more_s = self.jitter_s * float(stage.random.random()) if self.jitter_s else 0.0
        return [(ns(self.by_s + more_s), message)]


class Lose(_LinkMessage):
    """A message is lost."""

    draws: ClassVar[bool] = True
    share: Share = 1.0
    """How many of those that are meant are lost; which ones is drawn."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """Nothing, or the message after all."""
        lost = self.share >= 1 or float(stage.random.random()) < self.share
        return [] if lost else [(0, message)]


class Duplicate(_LinkMessage):
    """A message comes more than once."""

    copies: Whole = Field(default=1, ge=1, le=100)
    """How many more."""
    after_s: Seconds = Field(default=0.0, alias="after")
    """Time from one to the next."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The message and its copies."""
        return [(ns(self.after_s) * index, message) for index in range(self.copies + 1)]


class Reorder(_LinkMessage):
    """A message comes after another one that was sent later, on any topic."""

    behind: MessageName
    """Kind of message that overtakes it."""

    def inject(self, stage: Stage) -> None:
        """Hold the chosen messages until the other has passed."""
        chosen, held = Chosen(self, stage), list["Message"]()

        def rule(message: "Message") -> "Outcome[Message]":
            if chosen.takes(message):
                stage.note(topic=message.topic)
                held.append(message)
                return []
            if not held or kind_of(stage.topics, message.topic) != self.behind:
                return None
            released = [(0, message), *((0, late) for late in held)]
            for late in held:
                stage.note(topic=late.topic, behind=message.topic)
            held.clear()
            return released

        stage.on_messages(rule)


class _SiteLink(Fault):
    layer: ClassVar[Layer] = "link"
    main: ClassVar[str | None] = "site"
    site: Site
    """Site of the program whose link is meant."""


class Cut(_SiteLink):
    """The program's connection breaks, and both ends are told (FIN): the broker publishes the will."""

    def inject(self, stage: Stage) -> None:
        """Break it."""
        stage.links.cut(self.site)


class HalfOpen(_SiteLink):
    """The cable is pulled: nothing passes any more and nobody is told, until keepalive notices."""

    def inject(self, stage: Stage) -> None:
        """Pull it."""
        stage.links.half_open(self.site)
        stage.lasts(self.site)


class TakeOver(_SiteLink):
    """Somebody else connects with the program's client id: a second start by hand, a copied configuration."""

    times: Whole = Field(default=1, ge=1, le=1000)
    """How often, when the program takes its place back."""

    def inject(self, stage: Stage) -> None:
        """Connect."""
        stage.links.take_over(self.site, self.times, lambda: stage.note(site=self.site))


class BrokerOutage(Fault):
    """The broker is gone for a while and comes back with nothing in its memory: a restart."""

    layer: ClassVar[Layer] = "link"
    main: ClassVar[str | None] = "for_s"
    for_s: Seconds = Field(default=1.0, alias="for")
    """How long."""

    def inject(self, stage: Stage) -> None:
        """Stop it."""
        stage.links.outage(self.for_s)


class Slow(_SiteLink):
    """The program's link is slow: each packet takes time, by its size and in any case."""

    bytes_per_s: Number | None = Field(default=None, gt=0)
    """Bandwidth in bytes per second; null for unlimited."""
    latency_s: Seconds = Field(default=0.0, alias="latency")
    """Time that each packet takes in any case."""
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long this lasts; null for good."""

    def inject(self, stage: Stage) -> None:
        """Hold each packet until the line has carried those before it."""
        client, until_ns = client_of(stage, self.site), None if self.for_s is None else stage.now_ns + ns(self.for_s)
        free_ns = {True: 0, False: 0}

        def rule(packet: Packet) -> Outcome[bytes]:
            now_ns = stage.now_ns
            if packet.client_id != client or (until_ns is not None and now_ns >= until_ns):
                return None
            carried_ns = 0 if self.bytes_per_s is None else ns(len(packet.raw) / self.bytes_per_s)
            free_ns[packet.inbound] = max(now_ns, free_ns[packet.inbound]) + carried_ns
            return [(free_ns[packet.inbound] - now_ns + ns(self.latency_s), packet.raw)]

        stage.on_packets(rule)
        stage.lasts(self.site, self.for_s, until_exit=False)


class OnePacket(_SiteLink):
    """One named packet of the program's link is lost, late, or comes twice: the PUBREL of its third result."""

    draws: ClassVar[bool] = True
    packet: PacketKind
    """Kind of packet; an acknowledgement is named after the message it belongs to."""
    towards: Literal["broker", "program"] = "broker"
    """Its direction."""
    message: MessageName | None = None
    """Kind of message it carries or belongs to; null for any."""
    nth: Whole = Field(default=1, ge=1)
    """Which one, counting from 1 since the fault was armed."""
    what: Literal["lost", "late", "twice", "damaged"] = "lost"
    """What happens to it. A damaged packet has one byte changed."""
    by_s: Seconds = Field(default=1.0, alias="by")
    """How late, when it is late; those behind it are held back as well."""

    def inject(self, stage: Stage) -> None:
        """Wait for that packet."""
        client, seen = client_of(stage, self.site), [0]

        def rule(packet: Packet) -> Outcome[bytes]:
            if packet.client_id != client or not self._fits(packet, stage):
                return None
            seen[0] += 1
            if seen[0] != self.nth:
                return None
            stage.note(packet=packet.kind, topic=packet.topic)
            return _WHAT[self.what](self, packet, stage)

        stage.on_packets(rule)

    def _fits(self, packet: Packet, stage: Stage) -> bool:
        if packet.kind != self.packet or packet.inbound != (self.towards == "broker"):
            return False
        return self.message is None or kind_of(stage.topics, packet.topic) == self.message


def _damaged(fault: OnePacket, packet: Packet, stage: Stage) -> Outcome[bytes]:
    at = int(stage.random.integers(len(packet.raw)))
    changed = bytearray(packet.raw)
    changed[at] ^= 1 + int(stage.random.integers(255))
    return [(0, bytes(changed))]


_WHAT = {
    "lost": lambda fault, packet, stage: [],
    "late": lambda fault, packet, stage: [(ns(fault.by_s), packet.raw)],
    "twice": lambda fault, packet, stage: [(0, packet.raw), (0, packet.raw)],
    "damaged": _damaged,
}


def client_of(stage: Stage, site: int) -> str:
    """The client id of a site's program (``testapp.<device>.<site>``)."""
    return f"testapp.{stage.topics.device}.{site}"
