"""What is written is read back and what is read is written back, to the byte, for every type and byte order."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdf_values import KNOWN, records

from drycell.runtime.stdf import EXACT, LITTLE, Encoder, Record, read, record
from drycell.runtime.stdf.encode import Order
from drycell.runtime.stdf.table import RecordType

ORDERS = ("<", ">")


def far(order: Order) -> Record:
    return record("FAR", CPU_TYPE=2 if order == LITTLE else 1, STDF_VER=4)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rtype", KNOWN, ids=lambda t: t.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_record_type_survives_writing_and_reading_to_the_byte(
    rtype: RecordType, order: Order, data: st.DataObject
) -> None:
    written = [far(order), data.draw(records(rtype)), record("EPS")]
    encoder = Encoder(order, EXACT)
    raw = encoder.encode_all(written)
    again = list(read(raw))
    assert again == written
    assert encoder.encode_all(again) == raw
    assert [r.offset for r in again] == [0, 6, len(raw) - 4]


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=120), rtype=st.sampled_from(KNOWN))
def test_any_bytes_that_decode_are_written_back_unchanged(body: bytes, rtype: RecordType, order: Order) -> None:
    from drycell.runtime.stdf import StdfError
    from drycell.runtime.stdf.decode import decoder

    try:
        fields = decoder(rtype, order)(body, 0, len(body))
    except StdfError:
        return
    if any(_signalling(v) for v in body_floats(body)):
        return
    assert Encoder(order, EXACT).encode(Record(rtype, fields))[4:] == body


def body_floats(body: bytes) -> list[bytes]:
    return [body[i : i + 4] for i in range(len(body) - 3)]


def _signalling(raw: bytes) -> bool:
    """Whether these four bytes are a signalling NaN in some byte order: Python makes them quiet."""
    return any(
        value & 0x7F800000 == 0x7F800000 and value & 0x007FFFFF and not value & 0x00400000
        for value in (int.from_bytes(raw, "little"), int.from_bytes(raw, "big"))
    )


@pytest.mark.parametrize("order", ORDERS)
def test_a_quiet_nan_keeps_its_bits(order: Order) -> None:
    raw = Encoder(order).encode_all([far(order), record("WCR", WAFR_SIZ=1.0)])
    raw = raw[:-4] + struct.pack(f"{order}I", 0xFFC01234)
    rec = list(read(raw))[1]
    assert math.isnan(rec["WAFR_SIZ"])
    assert Encoder(order, EXACT).encode(rec) == raw[6:]


def test_both_byte_orders_hold_the_same_values() -> None:
    rec = record("PRR", HEAD_NUM=1, SITE_NUM=2, PART_FLG=8, NUM_TEST=300, HARD_BIN=2, SOFT_BIN=12, X_COORD=-5)
    little, big = Encoder("<").encode(rec), Encoder(">").encode(rec)
    assert little[:2] == big[1::-1]
    assert little[4:] == bytes.fromhex("0102082c0102000c00fbff")
    assert big[4:] == bytes.fromhex("010208012c0002000cfffb")


def test_the_generic_record_of_the_standards_example_counts_its_pad() -> None:
    """STDF V4, Generic Data Record, example: "AB", 255, a pad byte and 510 are four fields in twelve bytes."""
    raw = bytes.fromhex("0c00320a04000a02414201ff0005fe01")
    rec = list(read(Encoder().encode(far("<")) + raw))[1]
    assert rec["GEN_DATA"] == [("Cn", "AB"), ("U1", 255), ("B0", None), ("I2", 510)]
    assert Encoder().encode(rec) == raw
