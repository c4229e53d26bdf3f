"""Damaged files: each damage is reported where it is, reading goes on behind it, nothing hangs or grows."""

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdf_damage import Damaged, base, corpus

from drycell.runtime.stdf import Encoder, Gap, StdfError, read, read_tolerant, record
from drycell.runtime.stdf.checks import check

CORPUS = list(corpus())


def test_the_corpus_is_large_and_its_undamaged_files_are_fine() -> None:
    assert len(CORPUS) >= 500
    assert len({d.data for d in CORPUS}) >= 500
    for order in ("<", ">"):
        assert check(base(order).data).findings == []  # type: ignore[arg-type]


@pytest.mark.parametrize("part", range(8))
def test_each_damaged_file_is_reported_at_the_right_offset(part: int) -> None:
    wrong = [f"{d.title}: {d.rule} at {d.offset}" for d in CORPUS[part::8] if not _reported(d)]
    assert wrong == []


def _reported(d: Damaged) -> bool:
    return any((f.rule, f.offset, f.severity) == (d.rule, d.offset, "error") for f in check(d.data).findings)


@pytest.mark.parametrize("part", range(4))
def test_strict_reading_stops_at_the_same_place(part: int) -> None:
    for d in CORPUS[part::4]:
        if d.rule != "damage":
            continue
        with pytest.raises(StdfError) as caught:
            list(read(d.data))
        assert caught.value.offset == d.offset, d.title
        assert caught.value.number is not None


def test_reading_goes_on_behind_the_damage_and_loses_only_the_damaged_record() -> None:
    good = base("<")
    data = bytearray(good.data)
    for i in (4, 20, 40):
        data[good.starts[i] + 2] = 99
    items = list(read_tolerant(bytes(data)))
    gaps = [item for item in items if isinstance(item, Gap)]
    assert [(g.number, g.offset, g.length) for g in gaps] == [
        (i + 1, good.starts[i], good.body(i) + 4) for i in (4, 20, 40)
    ]
    assert [item for item in items if not isinstance(item, Gap)] == [
        r for i, r in enumerate(good.records) if i not in (4, 20, 40)
    ]


def test_records_between_frequent_damage_are_not_lost() -> None:
    good = base("<")
    data = bytearray(good.data)
    bad = range(1, len(good.records) - 1, 3)
    for i in bad:
        data[good.starts[i] + 2] = 99
    names = [item.name for item in read_tolerant(bytes(data)) if not isinstance(item, Gap)]
    assert names == [r.name for i, r in enumerate(good.records) if i not in bad]


def test_a_change_of_byte_order_is_named_and_read_through() -> None:
    little, big = base("<"), base(">")
    data = little.data[: little.starts[30]] + big.data[big.starts[30] :]
    items = list(read_tolerant(data))
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert str(gap.error) == (
        f"record 31 ({little.records[30].name}) at byte {little.starts[30]}: "
        "the byte order changes to big-endian here; the file began as little-endian"
    )
    assert [i.name for i in items if not isinstance(i, Gap)] == [r.name for r in little.records]


FAR = b"\x02\x00\x00\x0a\x02\x04"
ERRORS = {
    "empty": (b"", "record 1 at byte 0: the file is empty"),
    "text": (b"hello world", "the file does not begin with a FAR record; an STDF V4 file begins with the bytes"),
    "version": (b"\x02\x00\x00\x0a\x02\x03", "(FAR) at byte 0, field STDF_VER: is 3; only version 4 is known"),
    "vax": (b"\x02\x00\x00\x0a\x00\x04", "field CPU_TYPE: is 0 (DEC PDP-11 and VAX)"),
    "cpu": (b"\x02\x00\x00\x0a\x01\x04", "field CPU_TYPE: is 1, but REC_LEN is little endian"),
    "header": (FAR + b"\x02\x00", "record 2 at byte 6: the file ends after 2 of the 4 bytes"),
    "body": (FAR + b"\x02\x00\x05\x0a\x01", "(PIR) at byte 6: REC_LEN is 2, but the file ends"),
    "field": (
        FAR + b"\x03\x00\x32\x1e\x05ab",
        "(DTR) at byte 6, field TEXT_DAT: its length byte says 5 characters, but the record has 2 bytes left",
    ),
    "required": (FAR + b"\x01\x00\x05\x0a\x01", "field SITE_NUM: the record ends before"),
    "too long": (FAR + b"\x03\x00\x05\x0a\1\1\1", "(PIR) at byte 6: 1 bytes follow its last field"),
    "unknown": (FAR + b"\x00\x00\x07\x07", "record 2 at byte 6: there is no record type 7,7"),
    "nibble": (
        FAR + b"\x0d\x00\x0f\x0f" + bytes(8) + b"\x01\x00\x00\x00\x21",
        "record 2 (MPR) at byte 6, field RTN_STAT: the unused half of its last byte is 2; it must be 0",
    ),
    "generic": (
        FAR + b"\x03\x00\x32\x0a" + b"\x01\x00\x09",
        "record 2 (GDR) at byte 6, field GEN_DATA: value 0 has type code 9; codes are 0 to 8 and 10 to 13",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_says_where_and_what_would_be_right(name: str) -> None:
    data, words = ERRORS[name]
    with pytest.raises(StdfError) as caught:
        list(read(data))
    assert words in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_records_and_gaps_tile_any_file_whatever_was_done_to_it(data: st.DataObject) -> None:
    raw = bytearray(base("<").data)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 60))
        raw[at : at + cut] = data.draw(st.binary(max_size=60))
    where = 0
    for item in read_tolerant(bytes(raw)):
        assert item.offset == where
        if isinstance(item, Gap):
            where += item.length
        else:
            order = "little" if raw[where + 1] == 0 else "big"
            where += 4 + int.from_bytes(raw[where : where + 2], order)  # type: ignore[arg-type]
    assert where == len(raw)


class Endless:
    """A stream of generated bytes, so that only the reader's own memory counts."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def test_memory_stays_bounded_on_a_long_stretch_of_rubbish() -> None:
    good = base("<").data
    rubbish = random.Random(1).randbytes(1 << 19)

    def pieces() -> Iterator[bytes]:
        yield good
        for _ in range(8):
            yield bytes(1 << 20)
        for _ in range(2):
            yield rubbish
        yield good

    count, last, peak = _measured(pieces())
    assert count > 150 and last > 9 << 20
    assert peak < 8 << 20


def test_memory_stays_bounded_in_a_file_with_thousands_of_wrong_lengths() -> None:
    text = Encoder().encode(record("DTR", TEXT_DAT="x" * 240))
    piece = text * 20 + bytes((text[0] + 5,)) + text[1:] + text * 3

    def pieces() -> Iterator[bytes]:
        yield base("<").piece(0)
        for _ in range(20):
            yield piece * 100

    count, last, peak = _measured(pieces())
    assert count == 1 + 2000 * 24 and last > 11 << 20
    assert peak < 8 << 20


def _measured(pieces: Iterator[bytes]) -> tuple[int, int, int]:
    """Number of items, offset of the last, and the most memory that reading them took at once."""
    count = last = 0
    tracemalloc.start()
    try:
        for item in read_tolerant(Endless(pieces)):  # type: ignore[arg-type]
            count, last = count + 1, item.offset
        return count, last, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
