"""From frames to the byte streams of TCP: out of order, repeated and lost segments.

Rules
- A hole is waited for; it is given up, as a gap, when too much or too long waits behind it, or the stream ends.
- Memory is bounded: so many streams, so many bytes in each.
- Sources: RFC 791, 8200 (IP), 9293 (TCP); link headers by their LINKTYPE_ page at tcpdump.org.
"""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from drycell.plugins_sim.importers.pcap import Frame

PATIENCE_NS = 5 * 10**9
WAITING_LIMIT_BYTES = 4 * 1024 * 1024
WAITING_LIMIT = 512
_FIN, _SYN, _RST = 1, 2, 4
_HEADERS = {0: 4, 108: 4, 1: 14, 113: 16, 276: 20, 101: 0, 228: 0, 229: 0, 12: 0, 14: 0}
"""Bytes before the IP header by LINKTYPE_: null, loop, Ethernet, Linux cooked 1 and 2, raw IP."""
_VLAN = (b"\x81\x00", b"\x88\xa8")


class Segment(NamedTuple):
    """One TCP segment. ``missing``: bytes of its payload that are not in the file."""

    source: str
    target: str
    sequence: int
    flags: int
    data: bytes
    missing: int

    @property
    def opens(self) -> bool:
        """SYN is set."""
        return bool(self.flags & _SYN)

    @property
    def ends(self) -> bool:
        """FIN or RST is set."""
        return bool(self.flags & (_FIN | _RST))


def segment_of(frame: Frame) -> Segment | None:
    """The TCP segment in a frame; None when it is of another kind, or a fragment, or too short to tell."""
    start = _HEADERS.get(frame.linktype)
    if start is None:
        return None
    data = frame.data
    if frame.linktype == 1:
        while data[start - 2 : start] in _VLAN:
            start += 4
    ip = data[start:]
    try:
        if ip[0] >> 4 == 4:
            return _ipv4(ip, frame.cut)
        return _ipv6(ip, frame.cut) if ip[0] >> 4 == 6 else None
    except (IndexError, struct.error):
        return None


def _ipv4(ip: bytes, cut: int) -> Segment | None:
    size, fragment = struct.unpack_from("!H2xH", ip, 2)
    if ip[9] != 6 or fragment & 0x3FFF:
        return None
    return _tcp(ip[12:16], ip[16:20], ip, (ip[0] & 15) * 4, size or len(ip) + cut)


def _ipv6(ip: bytes, cut: int) -> Segment | None:
    if ip[6] != 6:
        return None
    return _tcp(ip[8:24], ip[24:40], ip, 40, 40 + (struct.unpack_from("!H", ip, 4)[0] or len(ip) + cut - 40))


def _tcp(source: bytes, target: bytes, ip: bytes, at: int, end: int) -> Segment:
    from_port, to_port, sequence = struct.unpack_from("!HHI", ip, at)
    begin = at + (ip[at + 12] >> 4) * 4
    data = ip[begin:end]
    missing = max(0, end - begin) - len(data)
    return Segment(_place(source, from_port), _place(target, to_port), sequence, ip[at + 13], data, missing)


def _place(address: bytes, port: int) -> str:
    text = str(ipaddress.ip_address(address))
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


class Hole(NamedTuple):
    """So many bytes of a stream that never came."""

    size: int


@dataclass(slots=True)
class Stream:
    """One direction of a connection. Segments in, bytes in order and holes out.

    Places are counted in bytes from the first one, so that sequence numbers may wrap.
    """

    first: int | None = None
    _next: int | None = None
    _told: int = 0
    _waiting: list[tuple[int, bytes]] = field(default_factory=list)
    _bytes: int = 0
    _since_ns: int = 0

    @property
    def waits(self) -> bool:
        """Whether bytes wait behind a hole."""
        return bool(self._waiting)

    def open(self, sequence: int) -> None:
        """The sequence number of SYN, which is ``first``; a second SYN changes nothing."""
        if self._next is None:
            self.first, self._next = sequence, sequence + 1 & 0xFFFFFFFF

    def take(self, segment: Segment, at_ns: int) -> Iterator[bytes | Hole]:
        """What can be told now. A stream without SYN begins with its first segment."""
        if segment.data or segment.missing:
            self.open(segment.sequence - 1 & 0xFFFFFFFF)
            if not self._waiting:
                self._since_ns = at_ns
            place = self._told + _distance(segment.sequence, self._next or 0)
            heappush(self._waiting, (place, segment.data))
            self._bytes += len(segment.data)
            yield from self._ready()
            if segment.missing and self._told == place + len(segment.data):
                yield self._hole(segment.missing)
        late = at_ns - self._since_ns > PATIENCE_NS
        while self._waiting and (late or self._bytes > WAITING_LIMIT_BYTES or len(self._waiting) > WAITING_LIMIT):
            yield from self._skip()

    def rest(self) -> Iterator[bytes | Hole]:
        """What still waits, since nothing more will come."""
        while self._waiting:
            yield from self._skip()

    def _ready(self) -> Iterator[bytes]:
        while self._waiting and self._waiting[0][0] <= self._told:
            place, data = heappop(self._waiting)
            self._bytes -= len(data)
            fresh = data[self._told - place :]
            if fresh:
                self._move(len(fresh))
                yield fresh

    def _skip(self) -> Iterator[bytes | Hole]:
        yield self._hole(self._waiting[0][0] - self._told)
        yield from self._ready()

    def _hole(self, size: int) -> Hole:
        self._move(size)
        return Hole(size)

    def _move(self, size: int) -> None:
        self._told += size
        self._next = (self._next or 0) + size & 0xFFFFFFFF


def _distance(sequence: int, from_: int) -> int:
    """How far ``sequence`` is ahead, in the arithmetic of RFC 9293 section 3.4."""
    distance = sequence - from_ & 0xFFFFFFFF
    return distance - (1 << 32) if distance >= 1 << 31 else distance
