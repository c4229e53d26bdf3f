"""Files of network captures, pcap and pcapng, as packets: bytes in, frames out; no network protocol is known here.

Sources: draft-ietf-opsawg-pcap (pcap, magic numbers and record header) and draft-ietf-opsawg-pcapng (blocks SHB
0x0A0D0D0A, IDB 1, SPB 3, EPB 6). The maintained readers that exist are either GPL or unmaintained; this part of the
formats is small.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from drycell.sim.replay.lines import unreadable
from drycell.sim.replay.recording import Gap

_FRAME_LIMIT_BYTES = 1024 * 1024
_BLOCK_LIMIT_BYTES = 16 * 1024 * 1024
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}  # fmt: skip
_SECTION = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_IDB, _SPB, _EPB = 1, 3, 6
_IF_TSRESOL = 9
MAGICS = (*_PCAP, _SECTION)


class Frame(NamedTuple):
    """One captured frame. ``linktype``: LINKTYPE_ value; ``at_ns`` since 1970; ``cut``: bytes not captured."""

    number: int
    at_ns: int
    linktype: int
    data: bytes
    cut: int


def frames(path: Path) -> Iterator[Frame | Gap]:
    """The frames of a capture file, and a gap where it is damaged. Raises DrycellError when it cannot be read."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic in _PCAP:
                yield from _pcap(file, *_PCAP[magic])
            elif magic == _SECTION:
                file.seek(0)
                yield from _Blocks(file).frames()
            else:
                yield Gap("byte 0", "neither pcap nor pcapng", len(magic))
    except OSError as error:
        raise unreadable(path, error) from None


def _pcap(file: BinaryIO, order: str, unit_ns: int) -> Iterator[Frame | Gap]:
    head = file.read(20)
    if len(head) < 20:
        yield Gap("byte 4", "the file ends within its header", len(head))
        return
    linktype = struct.unpack(order + "HHiIII", head)[5] & 0xFFFF
    record = struct.Struct(order + "IIII")
    number = 0
    while head := file.read(16):
        number += 1
        if len(head) < 16:
            yield Gap(f"frame {number}", "the file ends within it", len(head))
            return
        seconds, fraction, kept, size = record.unpack(head)
        if kept > _FRAME_LIMIT_BYTES:
            yield Gap(f"frame {number}", f"{kept} bytes are no frame; nothing behind it can be read")
            return
        data = file.read(kept)
        if len(data) < kept:
            yield Gap(f"frame {number}", "the file ends within it", len(data))
        if data:
            yield Frame(number, seconds * 10**9 + fraction * unit_ns, linktype, data, max(0, size - len(data)))


class _Blocks:
    """One pass over a pcapng file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._order = "<"
        self._interfaces: list[tuple[int, int]] = []
        self._number = 0

    def frames(self) -> Iterator[Frame | Gap]:
        while head := self._file.read(8):
            offset = self._file.tell() - len(head)
            if len(head) == 8 and head[:4] == _SECTION:
                magic = self._file.read(4)
                self._order = _ORDERS.get(magic, self._order)
                self._file.seek(-len(magic), 1)
                self._interfaces = []
            size = struct.unpack(self._order + "I", head[4:])[0] if len(head) == 8 else 0
            if not 12 <= size <= _BLOCK_LIMIT_BYTES or size % 4:
                yield Gap(f"byte {offset}", f"{size} bytes are no block; nothing behind it can be read")
                return
            body = self._file.read(size - 8)
            if len(body) < size - 8:
                yield Gap(f"byte {offset}", "the file ends within a block", len(body) + 8)
                return
            yield from self._block(struct.unpack(self._order + "I", head[:4])[0], body[:-4], offset)

    def _block(self, kind: int, body: bytes, offset: int) -> Iterator[Frame | Gap]:
        if kind == _IDB and len(body) >= 8:
            self._interfaces.append((struct.unpack_from(self._order + "H", body)[0], self._units_per_s(body[8:])))
        elif kind == _EPB:
            self._number += 1
            frame = self._enhanced(body)
            yield frame or Gap(f"byte {offset}", "a packet block that contradicts itself", len(body))
        elif kind == _SPB:
            self._number += 1
            yield Gap(f"frame {self._number}", "a packet without time", 1, "packets")

    def _enhanced(self, body: bytes) -> Frame | None:
        if len(body) < 20:
            return None
        interface, high, low, kept, size = struct.unpack_from(self._order + "IIIII", body)
        if interface >= len(self._interfaces) or kept > len(body) - 20:
            return None
        linktype, units_per_s = self._interfaces[interface]
        at_ns = (high << 32 | low) * 10**9 // units_per_s
        return Frame(self._number, at_ns, linktype, body[20 : 20 + kept], max(0, size - kept))

    def _units_per_s(self, options: bytes) -> int:
        """Resolution of the time stamps (option if_tsresol); microseconds when it does not say."""
        at = 0
        while at + 4 <= len(options):
            code, size = struct.unpack_from(self._order + "HH", options, at)
            if code == _IF_TSRESOL and size == 1 and at + 4 < len(options):
                value = options[at + 4]
                return int(2 ** (value & 127) if value & 128 else 10 ** min(value, 18))
            if code == 0:
                break
            at += 4 + (size + 3 & ~3)
        return 10**6
