"""Reading STDF files: strictly (the first fault is an error) or tolerantly (faults become gaps, reading goes on).

Rules: the first record is FAR; the byte order is that in which its REC_LEN is 2, and CPU_TYPE must agree (1 = big
endian, 2 = little endian; 0, the VAX formats, is refused); STDF_VER is 4. Text is read as Latin-1, which loses
nothing. Memory is bounded by a chunk of 1 MB and a few records, whatever the file holds.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from drycell.runtime.stdf.damage import Gap, diagnose, search
from drycell.runtime.stdf.decode import decoders
from drycell.runtime.stdf.encode import BIG, LITTLE, Order
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.records import BY_CODE
from drycell.runtime.stdf.table import Record
from drycell.runtime.stdf.window import CHUNK, Source, Window

_CPU_ORDER = {1: BIG, 2: LITTLE}
_FAR_HEADER = {b"\x02\x00\x00\x0a": LITTLE, b"\x00\x02\x00\x0a": BIG}


def read(source: Source) -> Iterator[Record]:
    """The records of a file (path, binary stream or bytes), strictly, one at a time.

    Raises ``StdfError`` with number and offset at the first fault. When the record before the fault turns out to be
    the wrong one (its REC_LEN), the error names that one, although it was already given.
    """
    for item in _items(source, tolerant=False):
        assert isinstance(item, Record)
        yield item


def read_tolerant(source: Source) -> Iterator[Record | Gap]:
    """The records of a file and, in their places, the gaps between them; raises nothing for bad bytes."""
    return _items(source, tolerant=True)


class _Fault(NamedTuple):
    """A fault at an index of the window; the error still lacks its place."""

    pos: int
    error: StdfError


def _items(source: Source, tolerant: bool) -> Iterator[Record | Gap]:
    window = Window(source)
    try:
        yield from (_Reading(window, tolerant)).items()
    finally:
        window.close()


class _Reading:
    """One pass over one file. ``held`` is the last record, kept back while it may still be blamed (tolerant only)."""

    def __init__(self, window: Window, tolerant: bool) -> None:
        self.window = window
        self.tolerant = tolerant
        self.order: Order = LITTLE
        self.pos = 0
        self.before = -1  # index of the last record's header, -1 if it cannot be blamed
        self.number = 0  # of the last record

    def items(self) -> Iterator[Record | Gap]:
        """Records and, if tolerant, gaps."""
        gap = self._first()
        if gap is not None:
            yield gap
        while True:
            held: Record | None = None
            fault: _Fault | None = None
            for step in self._run():
                if isinstance(step, Record):
                    if not self.tolerant:
                        yield step
                        continue
                    if held is not None:
                        yield held
                    held = step
                else:
                    fault = step
            if fault is None:
                if held is not None:
                    yield held
                return
            gap, blames_held = self._judge(fault)
            if held is not None and not blames_held:
                yield held
            if not self.tolerant:
                raise gap.error
            yield gap

    def _first(self) -> Gap | None:
        """Finds the byte order by FAR; a gap or an error if the file does not begin with a right FAR."""
        window = self.window
        window.want(0, 6)
        order = _FAR_HEADER.get(window.data[:4])
        if order is None:
            error = StdfError(
                "the file is empty" if not window.data else "the file does not begin with a FAR record",
                right="an STDF V4 file begins with the bytes 02 00 00 0A or 00 02 00 0A",
                number=1,
                offset=0,
            )
            return self._no_far(error)
        self.order = order
        if len(window.data) < 6:
            return None
        cpu, version = window.data[4], window.data[5]
        error_ = None
        if version != 4:
            error_ = ("STDF_VER", f"is {version}", "only version 4 is known")
        elif cpu == 0:
            error_ = ("CPU_TYPE", "is 0 (DEC PDP-11 and VAX)", "its number formats are not supported, only 1 and 2")
        elif _CPU_ORDER.get(cpu) != order:
            error_ = (
                "CPU_TYPE",
                f"is {cpu}, but REC_LEN is {_words(order)}",
                "1 = big endian, 2 = little endian",
            )
        if error_ is None:
            return None
        field, problem, right = error_
        error = StdfError(problem, right=right, record="FAR", field=field, number=1, offset=0)
        if not self.tolerant:
            raise error
        return Gap(1, 0, 0, error)

    def _no_far(self, error: StdfError) -> Gap:
        if not self.tolerant:
            raise error
        if not self.window.data:
            return Gap(1, 0, 0, error)
        starts = {order: search(self.window, 0, order) for order in (LITTLE, BIG)}
        good = {order: at for order, (there, at) in starts.items() if there}
        if good:
            self.order = min(good, key=lambda order: good[order])
            self.pos = good[self.order]
            return Gap(1, 0, self.pos, error)
        return self._gap(0, self._next(0), error)

    def _next(self, start: int) -> int:
        """Index of the next believable place from ``start`` on, or of the end of the file, chunk by chunk."""
        window = self.window
        there, stop = search(window, start, self.order)
        while not there and not (window.ended and stop == len(window.data)):
            window.forget(stop)
            there, stop = search(window, 0, self.order)
        return stop

    def _run(self) -> Iterator[Record | _Fault]:
        """Records from here on; at last a fault, or nothing more at the end of the file."""
        window, table = self.window, decoders(self.order)
        header = struct.Struct(self.order + "HBB").unpack_from
        data, base, pos, before, number = window.data, window.base, self.pos, self.before, self.number
        size = len(data)
        make = Record
        while True:
            if pos + 4 > size or pos + 4 + header(data, pos)[0] > size:
                keep = before if before >= 0 else pos
                window.forget(keep)
                pos, before = pos - keep, (0 if before >= 0 else -1)
                problem = _more(window, pos, self.order)
                data, base, size = window.data, window.base, len(window.data)
                if problem is not None or pos == size:
                    self.pos, self.before, self.number = pos, before, number
                    if problem is not None:
                        yield _Fault(pos, problem)
                    return
            length, typ, sub = header(data, pos)
            end = pos + 4 + length
            try:
                rtype, decode = table[typ << 8 | sub]
                record = make(rtype, decode(data, pos + 4, end), number + 1, base + pos)
            except (KeyError, StdfError) as error:
                self.pos, self.before, self.number = pos, before, number
                yield _Fault(pos, error if isinstance(error, StdfError) else _unknown(typ, sub))
                return
            number += 1
            before, pos = pos, end
            yield record

    def _judge(self, fault: _Fault) -> tuple[Gap, bool]:
        """The gap for a fault, and whether it swallows the last record; reading goes on after it."""
        fault = self._let_go(fault)
        found = diagnose(self.window, self.before, fault.pos, self.order, fault.error)
        if found is None:
            offset = self.window.base + fault.pos
            return self._gap(offset, self._next(fault.pos + 1), fault.error), False
        blames_last = found.blamed == self.before and found.blamed != fault.pos
        if blames_last:
            self.number -= 1
        self.order = found.order
        error = StdfError(found.problem, right=found.right, record=found.record, field=found.field)
        return self._gap(self.window.base + found.blamed, found.resume, error), blames_last

    def _let_go(self, fault: _Fault) -> _Fault:
        """Drops what lies before the records to be judged, now and then: many faults must not keep the whole file."""
        keep = self.before if self.before >= 0 else fault.pos
        if keep < CHUNK:
            return fault
        self.window.forget(keep)
        self.before = 0 if self.before >= 0 else -1
        return _Fault(fault.pos - keep, fault.error)

    def _gap(self, offset: int, stop: int, error: StdfError) -> Gap:
        """The gap from a byte offset to an index of the window, where reading goes on."""
        number, length = self.number + 1, self.window.base + stop - offset
        if length:
            self.number = number  # what stood there counts as one record
        self.pos, self.before = stop, -1
        return Gap(number, offset, length, error.at(number=number, offset=offset))


def _more(window: Window, pos: int, order: Order) -> StdfError | None:
    """Reads on until the record at ``pos`` is in the window; the error if the file ends before its end."""
    if not window.want(pos, 4):
        left = len(window.data) - pos
        if not left:
            return None
        return StdfError(f"the file ends after {left} of the 4 bytes of a record header", right="the file is cut")
    length, typ, sub = struct.unpack_from(order + "HBB", window.data, pos)
    if window.want(pos + 4, length):
        return None
    left = len(window.data) - pos - 4
    rtype = BY_CODE.get(typ << 8 | sub)
    return StdfError(
        f"REC_LEN is {length}, but the file ends after {left} bytes",
        right="the file is cut or REC_LEN is wrong",
        record=rtype.name if rtype else "",
    )


def _unknown(typ: int, sub: int) -> StdfError:
    return StdfError(f"there is no record type {typ},{sub}", right="REC_TYP and REC_SUB of a known type")


def _words(order: Order) -> str:
    return "little endian" if order == LITTLE else "big endian"
