"""The data types of STDF V4 ("Data Type Codes and Representation"): how each is packed and unpacked.

A reader of one value is ``read(data, position, end, count) -> (value, next position)``; it raises ``StdfError`` with
the problem only, the caller knows the place. A writer is ``write(value, count) -> bytes``; it raises any of
``BAD_VALUE`` for a value that does not fit.
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from drycell.runtime.stdf.errors import StdfError

Read = Callable[[bytes, int, int, int], tuple[Any, int]]
Write = Callable[[Any, int], bytes]
BAD_VALUE = (struct.error, OverflowError, TypeError, ValueError, AttributeError, KeyError, IndexError)

FIXED = {
    "U1": "B", "U2": "H", "U4": "I", "U8": "Q", "I1": "b", "I2": "h", "I4": "i", "R4": "f", "R8": "d", "B1": "B",
}  # fmt: skip
FLOATS = ("R4", "R8")
RIGHT = {
    "U1": "an integer from 0 to 255",
    "U2": "an integer from 0 to 65535",
    "U4": "an integer from 0 to 4294967295",
    "U8": "an integer from 0 to 18446744073709551615",
    "I1": "an integer from -128 to 127",
    "I2": "an integer from -32768 to 32767",
    "I4": "an integer from -2147483648 to 2147483647",
    "R4": "a number that fits IEEE single precision (at most 3.4028235e38)",
    "R8": "a number",
    "B1": "flags as an integer from 0 to 255",
    "C1": "one character",
    "Cn": "text of at most 255 ASCII characters",
    "Sn": "text of at most 65535 ASCII characters",
    "Bn": "at most 255 bytes",
    "Dn": "Bits of at most 65535 bits",
    "N1": "integers from 0 to 15",
    "Vn": "a list of (type code, value)",
    "Raw": "bytes",
}
SIZES = {code: struct.calcsize("=" + fmt) for code, fmt in FIXED.items()}
GENERIC = ("B0", "U1", "U2", "U4", "I1", "I2", "I4", "R4", "R8", "", "Cn", "Bn", "Dn", "N1")  # GDR's type codes
LENGTH_BYTE = tuple(bytes((n,)) for n in range(256))


class Bits(NamedTuple):
    """A D*n value: ``length`` bits in ``data``, first bit = lowest bit of the first byte."""

    length: int
    data: bytes

    @classmethod
    def of(cls, *bits: int) -> "Bits":
        """Bits from their values, first bit first."""
        data = bytearray((len(bits) + 7) // 8)
        for i, bit in enumerate(bits):
            data[i >> 3] |= (1 if bit else 0) << (i & 7)
        return cls(len(bits), bytes(data))

    def ones(self) -> list[int]:
        """Positions of the bits that are set."""
        return [i for i in range(self.length) if self.data[i >> 3] >> (i & 7) & 1]


def short(need: int, left: int) -> StdfError:
    """The record ends inside a value."""
    return StdfError(f"needs {need} bytes, but the record has {left} left", right="REC_LEN or the field is wrong")


@cache
def reader(code: str, order: str) -> Read:
    """The reader of one value of this type in this byte order ("<" or ">")."""
    if code.startswith("k"):
        return _array_reader(code[1:], order)
    if code in FIXED:
        return _fixed_reader(struct.Struct(order + FIXED[code]))
    special: dict[str, Callable[[str], Read]] = {
        "C1": lambda _: _read_c1,
        "Cn": lambda _: _read_cn,
        "Bn": lambda _: _read_bn,
        "Sn": _sn_reader,
        "Dn": _dn_reader,
        "Vn": _vn_reader,
        "Raw": lambda _: _read_raw,
        "N1": lambda _: _read_nibble,
        "B0": lambda _: _read_pad,
    }
    return special[code](order)


@cache
def writer(code: str, order: str, charset: str = "ascii") -> Write:
    """The writer of one value of this type in this byte order."""
    if code.startswith("k"):
        return _array_writer(code[1:], order, charset)
    if code in FIXED:
        pack = struct.Struct(order + FIXED[code]).pack
        return lambda value, _: pack(value)
    special: dict[str, Callable[[str, str], Write]] = {
        "C1": _c1_writer,
        "Cn": _cn_writer,
        "Bn": lambda _o, _c: _write_bn,
        "Sn": _sn_writer,
        "Dn": lambda o, _c: _dn_writer(o),
        "Vn": _vn_writer,
        "Raw": lambda _o, _c: lambda value, _: bytes(value),
        "N1": lambda _o, _c: lambda value, _: _write_nibbles([value], 1),
        "B0": lambda _o, _c: lambda value, _: b"",
    }
    return special[code](order, charset)


# -- reading -----------------------------------------------------------------------------------------------------


def _fixed_reader(one: struct.Struct) -> Read:
    size, unpack = one.size, one.unpack_from

    def read(data: bytes, pos: int, end: int, _count: int) -> tuple[Any, int]:
        if pos + size > end:
            raise short(size, end - pos)
        return unpack(data, pos)[0], pos + size

    return read


def _read_c1(data: bytes, pos: int, end: int, _count: int) -> tuple[str, int]:
    if pos >= end:
        raise short(1, 0)
    return chr(data[pos]), pos + 1


def _read_bn(data: bytes, pos: int, end: int, _count: int) -> tuple[bytes, int]:
    stop = pos + 1 + (data[pos] if pos < end else 0)
    if stop > end:
        raise short(stop - pos, end - pos)
    return data[pos + 1 : stop], stop


def _read_cn(data: bytes, pos: int, end: int, count: int) -> tuple[str, int]:
    raw, stop = _read_bn(data, pos, end, count)
    return raw.decode("latin-1"), stop


def _sn_reader(order: str) -> Read:
    length = _fixed_reader(struct.Struct(order + "H"))

    def read(data: bytes, pos: int, end: int, _count: int) -> tuple[str, int]:
        n, start = length(data, pos, end, 0)
        if start + n > end:
            raise short(2 + n, end - pos)
        return data[start : start + n].decode("latin-1"), start + n

    return read


def _dn_reader(order: str) -> Read:
    length = _fixed_reader(struct.Struct(order + "H"))

    def read(data: bytes, pos: int, end: int, _count: int) -> tuple[Bits, int]:
        bits, start = length(data, pos, end, 0)
        stop = start + (bits + 7) // 8
        if stop > end:
            raise short(stop - pos, end - pos)
        return Bits(bits, data[start:stop]), stop

    return read


def _read_raw(data: bytes, pos: int, end: int, _count: int) -> tuple[bytes, int]:
    return data[pos:end], end


def _read_pad(data: bytes, pos: int, end: int, _count: int) -> tuple[None, int]:
    return None, pos


def _read_nibble(data: bytes, pos: int, end: int, _count: int) -> tuple[int, int]:
    values, stop = _read_nibbles(data, pos, end, 1)
    return values[0], stop


def _read_nibbles(data: bytes, pos: int, end: int, count: int) -> tuple[list[int], int]:
    stop = pos + (count + 1) // 2
    if stop > end:
        raise short(stop - pos, end - pos)
    values = [v for byte in data[pos:stop] for v in (byte & 15, byte >> 4)]
    if count & 1 and values.pop():
        raise StdfError(f"the unused half of its last byte is {data[stop - 1] >> 4}", right="it must be 0")
    return values, stop


def _array_reader(element: str, order: str) -> Read:
    if element == "N1":
        return _read_nibbles
    if element in FIXED:
        fmt, size = FIXED[element], SIZES[element]

        def read_fixed(data: bytes, pos: int, end: int, count: int) -> tuple[list[Any], int]:
            stop = pos + count * size
            if stop > end:
                raise short(stop - pos, end - pos)
            return list(struct.unpack_from(f"{order}{count}{fmt}", data, pos)), stop

        return read_fixed
    one = reader(element, order)

    def read(data: bytes, pos: int, end: int, count: int) -> tuple[list[Any], int]:
        values = []
        for _ in range(count):
            value, pos = one(data, pos, end, 0)
            values.append(value)
        return values, pos

    return read


def _vn_reader(order: str) -> Read:
    readers = {i: (code, reader(code, order)) for i, code in enumerate(GENERIC) if code}

    def read(data: bytes, pos: int, end: int, count: int) -> tuple[list[tuple[str, Any]], int]:
        values = []
        for i in range(count):
            if pos >= end:
                raise StdfError(f"holds {i} values", right=f"the count before it says {count}")
            if data[pos] not in readers:
                raise StdfError(f"value {i} has type code {data[pos]}", right="codes are 0 to 8 and 10 to 13")
            code, one = readers[data[pos]]
            value, pos = one(data, pos + 1, end, 0)
            values.append((code, value))
        return values, pos

    return read


# -- writing -----------------------------------------------------------------------------------------------------


def _c1_writer(_order: str, charset: str) -> Write:
    def write(value: Any, _count: int) -> bytes:
        raw: bytes = value.encode(charset)
        if len(raw) != 1:
            raise ValueError
        return raw

    return write


def _cn_writer(_order: str, charset: str) -> Write:
    def write(value: Any, _count: int) -> bytes:
        raw: bytes = value.encode(charset)
        return LENGTH_BYTE[len(raw)] + raw

    return write


def _write_bn(value: Any, _count: int) -> bytes:
    if not isinstance(value, bytes | bytearray):
        raise TypeError
    return LENGTH_BYTE[len(value)] + value


def _sn_writer(order: str, charset: str) -> Write:
    length = struct.Struct(order + "H").pack

    def write(value: Any, _count: int) -> bytes:
        raw: bytes = value.encode(charset)
        return length(len(raw)) + raw

    return write


def _dn_writer(order: str) -> Write:
    length = struct.Struct(order + "H").pack

    def write(value: Any, _count: int) -> bytes:
        count, data = value
        if len(data) != (count + 7) // 8:
            raise ValueError
        return length(count) + bytes(data)

    return write


def _write_nibbles(values: Any, _count: int) -> bytes:
    if any(not 0 <= v <= 15 for v in values):
        raise ValueError
    padded = [*values, 0] if len(values) & 1 else values
    return bytes(padded[i] | padded[i + 1] << 4 for i in range(0, len(padded), 2))


def _array_writer(element: str, order: str, charset: str) -> Write:
    if element == "N1":
        return _write_nibbles
    if element in FIXED:
        fmt = FIXED[element]
        return lambda values, _: struct.pack(f"{order}{len(values)}{fmt}", *values)
    one = writer(element, order, charset)
    return lambda values, _: b"".join([one(value, 0) for value in values])


def _vn_writer(order: str, charset: str) -> Write:
    writers = {code: (bytes((i,)), writer(code, order, charset)) for i, code in enumerate(GENERIC) if code}

    def write(values: Any, _count: int) -> bytes:
        parts = []
        for code, value in values:
            head, one = writers[code]
            parts.append(head + one(value, 0))
        return b"".join(parts)

    return write
