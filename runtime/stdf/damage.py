"""Where a file is damaged and where it goes on: judged by trying, with bounded effort.

Rules: a place is believed to be a record if it and the next records (``CHAIN`` in all, or up to the end of the file)
are of known types and decode strictly; where the length of a bad record leads, one right record is enough. If the
record before the bad place would be right with another length, that record is blamed (its REC_LEN is wrong), else the
record at the bad place. Bytes that form believable records in the other byte order are a change of byte order.
"""

import re
import struct
from dataclasses import dataclass

from drycell.runtime.stdf.decode import decoders
from drycell.runtime.stdf.encode import BIG, LITTLE, Order
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.records import OPAQUE, TYPES
from drycell.runtime.stdf.window import CHUNK, Window

CHAIN = 3
_LONGEST = 4 + 65535
_HEADERS = {order: struct.Struct(order + "HBB") for order in (LITTLE, BIG)}
_CLEAR = [t for t in TYPES.values() if t not in OPAQUE]  # opaque types accept any bytes: no proof of a record
_CODES = re.compile(b"(?=(?:" + b"|".join(re.escape(bytes((t.typ, t.sub))) for t in _CLEAR) + b"))", re.DOTALL)
_CLEAR_CODES = frozenset(t.code for t in _CLEAR)


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that are not (believable) STDF: ``length`` bytes from ``offset``, where record ``number`` stood or began.

    ``error`` says what is wrong. Its offset is that of the gap. A length of 0 is a change of byte order.
    """

    number: int
    offset: int
    length: int
    error: StdfError


@dataclass(frozen=True, slots=True)
class Finding:
    """What ``diagnose`` found: the blamed place, where reading goes on (indices of the window) and in which order."""

    blamed: int
    resume: int
    order: Order
    problem: str
    right: str
    record: str = ""
    field: str = ""


def other(order: Order) -> Order:
    """The other byte order."""
    return BIG if order == LITTLE else LITTLE


def whole(window: Window, pos: int, order: Order) -> int:
    """Index after the record at ``pos`` if it is of a known type and decodes strictly; else -1."""
    if not window.want(pos, 4):
        return -1
    length, typ, sub = _HEADERS[order].unpack_from(window.data, pos)
    entry = decoders(order).get(typ << 8 | sub)
    if entry is None or not window.want(pos + 4, length):
        return -1
    return pos + 4 + length if _decodes(window, pos, pos + 4 + length, order) else -1


def _decodes(window: Window, pos: int, end: int, order: Order) -> bool:
    """Whether the record with its header at ``pos`` would be right if it ended at ``end``."""
    code = window.data[pos + 2] << 8 | window.data[pos + 3]
    entry = decoders(order).get(code)
    if entry is None or not 4 <= end - pos <= _LONGEST or end > len(window.data):
        return False
    try:
        entry[1](window.data, pos + 4, end)
    except StdfError:
        return False
    return True


def believable(window: Window, pos: int, order: Order, chain: int = CHAIN) -> bool:
    """Whether a chain of right records begins at ``pos``; at least one of them must be of a type with a layout."""
    proof = 0
    for _ in range(chain):
        code_at = pos + 2
        stop = whole(window, pos, order)
        if stop < 0:
            return proof > 0 and _cut_short(window, pos, order)
        proof += (window.data[code_at] << 8 | window.data[code_at + 1]) in _CLEAR_CODES
        pos = stop
        if pos == len(window.data) and not window.want(pos, 1):
            break
    return proof > 0


def _cut_short(window: Window, pos: int, order: Order) -> bool:
    """Whether the file merely ends inside the record at ``pos``."""
    if not window.want(pos, 4):
        return window.ended
    length, typ, sub = _HEADERS[order].unpack_from(window.data, pos)
    return (typ << 8 | sub) in _CLEAR_CODES and window.ended and pos + 4 + length > len(window.data)


def search(window: Window, start: int, order: Order) -> tuple[bool, int]:
    """The first believable place from index ``start`` on: (True, index), or (False, index up to which there is none).

    Looks at about one chunk; if that is not the end of the file, the caller lets go of it and searches on.
    """
    window.want(start, CHUNK)
    limit = len(window.data)
    pos = start
    while (found := _CODES.search(window.data, pos + 2)) is not None and found.start() - 2 < limit:
        pos = found.start() - 2
        if believable(window, pos, order):
            return True, pos
        pos += 1
    if window.ended and limit == len(window.data):
        return False, limit
    return False, max(start, limit - 3)


def diagnose(window: Window, before: int, bad: int, order: Order, error: StdfError) -> Finding | None:
    """What to make of an unreadable record at ``bad`` after the record at ``before`` (-1 if there is none).

    None means that no right record follows within a chunk: the caller goes on searching.
    """
    if believable(window, bad, other(order)):
        words = {LITTLE: "little-endian", BIG: "big-endian"}
        return Finding(
            bad, bad, other(order), f"the byte order changes to {words[other(order)]} here",
            f"the file began as {words[order]}", error.record, error.field,
        )  # fmt: skip
    after = _skipped(window, bad, order)
    if after is not None:
        return Finding(bad, after, order, error.problem, error.right, error.record, error.field)
    there, found = search(window, before + 5 if before >= 0 else bad + 1, order)
    if not there:
        return None
    blame = _wrong_length(window, bad, found, order) if found > bad else None
    if blame is None and before >= 0 and (found < bad or window.data[bad : bad + 4] != bytes(4)):
        blame = _wrong_length(window, before, found, order)
    if blame is not None:
        return blame
    if found <= bad:
        there, found = search(window, bad + 1, order)
        if not there:
            return None
        blame = _wrong_length(window, bad, found, order)
    return blame or Finding(bad, found, order, error.problem, error.right, error.record, error.field)


def _skipped(window: Window, bad: int, order: Order) -> int | None:
    """The index after the bad record if its length leads to a believable place or exactly to the end."""
    if not window.want(bad, 4):
        return None
    length: int = _HEADERS[order].unpack_from(window.data, bad)[0]
    end = bad + 4 + length
    if not window.want(bad + 4, length) or (not length and window.data[bad : bad + 4] == bytes(4)):
        return None
    if not window.want(end, 1):
        return end
    return end if believable(window, end, order, chain=1) else None


def _wrong_length(window: Window, pos: int, found: int, order: Order) -> Finding | None:
    """Blames the REC_LEN of the record at ``pos``, if that record is right when it ends at ``found``."""
    length, typ, sub = _HEADERS[order].unpack_from(window.data, pos)
    if length == found - pos - 4 or not _decodes(window, pos, found, order):
        return None
    rtype = decoders(order)[typ << 8 | sub][0]
    return Finding(
        pos, found, order, f"REC_LEN is {length}", f"{found - pos - 4} fits this record and the next", rtype.name
    )
