"""The values that travel through the broker: messages, wills, options.

Nothing here does anything; every class is a value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drycell.sim.broker.access import AccessRules


@dataclass(slots=True, unsafe_hash=True)
class Message:
    """One application message, not to be changed (a frozen one would take four times as long to make).

    ``sender`` is an MQTT client id, or the actor name of an in-process peer.

    ``retain`` is the flag as published; for a message handed to an MQTT client it is the flag as received, and
    ``sender`` is empty there, because MQTT does not tell it. ``will`` marks a will.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    sender: str = ""
    will: bool = False


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when a client goes without DISCONNECT (MQTT 3.1.1 section 3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


MessageFault = Callable[[Message], Sequence[tuple[int, Message]]]
"""Message seam: what becomes of a message, as (delay in ns, message) pairs; an empty sequence drops it."""


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """Which connection a packet is on: client id (empty before CONNECT), running number, ``tcp`` or ``memory``."""

    client_id: str
    number: int
    kind: str


PacketFault = Callable[[LinkInfo, str, bytes], Sequence[tuple[int, bytes]]]
"""Packet seam: ``(link, "in" or "out", packet)`` -> (delay in ns, bytes) pairs, in order of sending.

"in" is from the client to the broker. The order of a direction is kept: a delayed packet holds back those behind it,
as a slow link does.
"""


@dataclass(frozen=True, slots=True)
class Tls:
    """Server certificate of a TLS listener, PEM files. With ``client_ca`` clients must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Limits and policies. All times are simulated.

    * ``max_packet_bytes``: a larger packet closes the connection.
    * ``max_queued_messages``, ``max_queued_bytes``: what may wait for one consumer that is slow or away. Beyond it
      the newest message is dropped for this consumer, and the journal says so ("dropped").
    * ``max_inflight``: QoS 1 and 2 messages that one consumer may leave unacknowledged before others wait.
    * ``max_sessions``, ``max_filters`` (per client), ``max_retained``: beyond them a client is refused (CONNACK 3), a
      filter is refused (0x80), a message is delivered but not retained ("dropped" in the journal).
    * ``connect_timeout_s``: time for CONNECT after the connection was made.
    * ``session_expiry_s``: a persistent session is forgotten this long after its connection ended; None: never.
    * ``overlap_copies``: one copy per matching filter (as plain amqtt) in place of one copy at the highest QoS.
    * ``quick_ack``: acknowledge TCP segments at once, where the platform can (Linux); spares clients that leave
      Nagle's algorithm on 44 ms per exchange.
    * ``access``: who may do what, see ``drycell.sim.broker.access``.
    * ``tls``, ``expose``: an address other than loopback needs ``tls``, credentials in ``access`` and
      ``expose=True``.
    * ``plugins``: amqtt plugins by dotted path, with their options, beside our own.
    """

    max_packet_bytes: int = 16 * 1024 * 1024
    max_queued_messages: int = 10_000
    max_queued_bytes: int = 64 * 1024 * 1024
    max_inflight: int = 1000
    max_sessions: int = 10_000
    max_filters: int = 50_000
    max_retained: int = 100_000
    connect_timeout_s: float = 10.0
    session_expiry_s: float | None = None
    overlap_copies: bool = False
    quick_ack: bool = True
    access: "AccessRules | None" = None
    tls: Tls | None = None
    expose: bool = False
    plugins: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
