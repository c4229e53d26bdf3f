"""MQTT packets as a network capture: pcapng, Ethernet, IPv4 and TCP around each, for Wireshark and tshark.

The addresses are made up: the broker is 10.0.0.1:1883, the clients follow. A comment at the first segment of a
connection names its client. Sources: draft-ietf-opsawg-pcapng; RFC 791, 1071 (checksums), 9293.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from drycell.sim.replay.packets import Packet
from drycell.sim.replay.recording import Direction

_BROKER, _PORT, _FIRST_CLIENT_PORT = 0x0A000001, 1883, 49152
_PAYLOAD_BYTES = 1460
_LAST_NS = (1 << 64) - 1
_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16
_ETHERNET = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
_COMMENT, _TSRESOL = 1, 9
_other: dict[Direction, Direction] = {"in": "out", "out": "in"}


def write_pcapng(packets: Iterable[Packet], path: Path, epoch_ns: int) -> int:
    """Write the packets to ``path``, time 0 of theirs at ``epoch_ns`` since 1970; returns how many there were."""
    count = 0
    with path.open("wb") as file:
        capture = _Capture(file, epoch_ns)
        for packet in packets:
            capture.write(packet)
            count += bool(packet.raw)
    return count


@dataclass(slots=True)
class _Line:
    """One TCP connection: the client's address, and what each side sends next."""

    address: int
    port: int
    next: dict[Direction, int]


class _Capture:
    def __init__(self, file: BinaryIO, epoch_ns: int) -> None:
        self._file = file
        self._epoch_ns = epoch_ns
        self._lines: dict[int, _Line] = {}
        self._addresses: dict[str, int] = {}
        self._ident = 0
        self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        self._block(1, struct.pack("<HHI", 1, 0, 0) + _option(_TSRESOL, b"\x09") + b"\0\0\0\0")

    def write(self, packet: Packet) -> None:
        """One packet in as many segments as it needs; the end of the connection when it is empty."""
        line = self._lines.get(packet.number)
        if line is None:
            line = self._lines[packet.number] = self._opened(packet)
        if not packet.raw:
            del self._lines[packet.number]
            for direction in ("in", "out"):
                self._segment(packet.t_ns, line, direction, _FIN | _ACK)
            self._segment(packet.t_ns, line, "in", _ACK)
        for begin in range(0, len(packet.raw), _PAYLOAD_BYTES):
            data = packet.raw[begin : begin + _PAYLOAD_BYTES]
            self._segment(packet.t_ns, line, packet.direction, _PSH | _ACK, data)

    def _opened(self, packet: Packet) -> _Line:
        address = self._addresses.setdefault(packet.client, _BROKER + 1 + len(self._addresses))
        port = _FIRST_CLIENT_PORT + packet.number % (65_536 - _FIRST_CLIENT_PORT)
        line = _Line(address, port, {"in": 1000 * packet.number, "out": 5000 * packet.number})
        self._segment(packet.t_ns, line, "in", _SYN, comment=packet.client)
        self._segment(packet.t_ns, line, "out", _SYN | _ACK)
        self._segment(packet.t_ns, line, "in", _ACK)
        return line

    def _segment(
        self, t_ns: int, line: _Line, direction: Direction, flags: int, data: bytes = b"", comment: str = ""
    ) -> None:
        here, there = (line.address, line.port), (_BROKER, _PORT)
        source, target = (here, there) if direction == "in" else (there, here)
        acknowledged = line.next[_other[direction]] if flags & _ACK else 0
        head = struct.pack(
            "!HHIIBBHHH", source[1], target[1], line.next[direction], acknowledged, 5 << 4, flags, 65_535, 0, 0
        )
        pseudo = struct.pack("!IIBBH", source[0], target[0], 0, 6, len(head) + len(data))
        tcp = head[:16] + _checksum(pseudo + head + data) + head[18:] + data
        self._ident = self._ident + 1 & 0xFFFF
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(tcp), self._ident, 0x4000, 64, 6, 0, source[0], target[0])
        frame = _ETHERNET + ip[:10] + _checksum(ip) + ip[12:] + tcp
        line.next[direction] = line.next[direction] + len(data) + bool(flags & (_SYN | _FIN)) & 0xFFFFFFFF
        at_ns = min(max(self._epoch_ns + t_ns, 0), _LAST_NS)
        body = struct.pack("<IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, len(frame), len(frame)) + _padded(frame)
        if comment:
            body += _option(_COMMENT, comment.encode()[:1000]) + b"\0\0\0\0"
        self._block(6, body)

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", 12 + len(body))
        self._file.write(struct.pack("<I", kind) + size + body + size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071): the sum of 16-bit words in one's complement is the remainder by 65,535."""
    whole = data + b"\0" * (len(data) % 2)
    return struct.pack("!H", 65_535 - int.from_bytes(whole, "big") % 65_535)
