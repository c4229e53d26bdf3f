"""Writing is strict: what is absent, filled, refused or changed follows from stated rules."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdf_material import part
from stdf_values import KNOWN, records

from drycell.runtime.stdf import (
    LENIENT,
    Bits,
    Encoder,
    Record,
    Rules,
    StdfError,
    epoch_s,
    from_json,
    json_records,
    read,
    record,
)
from drycell.runtime.stdf.records import TYPES
from drycell.runtime.stdf.table import RecordType

PTR: dict[str, Any] = {"TEST_NUM": 1, "HEAD_NUM": 1, "SITE_NUM": 0, "TEST_FLG": 0, "PARM_FLG": 0, "RESULT": 1.0}


def again(rec: Record, rules: Rules = Rules()) -> Record:  # noqa: B008 - frozen
    raw = Encoder("<", rules).encode_all([record("FAR", CPU_TYPE=2, STDF_VER=4), rec])
    return list(read(raw))[1]


def test_trailing_optional_fields_are_left_out_and_stay_absent() -> None:
    rec = record("PTR", **PTR)
    assert len(Encoder().encode(rec)) == 4 + 12
    assert again(rec).fields == PTR
    assert again(record("PTR", **PTR, UNITS=None)).fields == PTR


def test_absent_fields_before_a_present_one_get_their_missing_value() -> None:
    rec = again(record("MIR", SETUP_T=1, START_T=2, STAT_NUM=3, LOT_ID="L", PART_TYP="", NODE_NAM="", TSTR_TYP="",
                       JOB_NAM="", SUPR_NAM="S"))  # fmt: skip
    assert (rec["MODE_COD"], rec["BURN_TIM"], rec["FLOOR_ID"], rec["SUPR_NAM"]) == (" ", 65535, "", "S")


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"HI_SPEC": 5.0}, 0x02 | 1 | 4 | 64 | 128),
        ({"LO_LIMIT": 0.0, "HI_LIMIT": 5.0, "UNITS": "V"}, 0x02 | 1 | 4 | 8),
        ({"RES_SCAL": 3, "HI_LIMIT": 5.0}, 0x02 | 4 | 8 | 64),
    ],
)
def test_an_absent_opt_flag_says_exactly_which_fields_are_absent(given: dict[str, Any], flag: int) -> None:
    assert again(record("PTR", **PTR, **given))["OPT_FLAG"] == flag


def test_counts_are_computed_from_their_arrays() -> None:
    rec = again(record("MPR", TEST_NUM=1, HEAD_NUM=1, SITE_NUM=0, TEST_FLG=0, PARM_FLG=0, RTN_STAT=[1, 15, 0],
                       RTN_RSLT=[1.5, 2.5], TEST_TXT="sweep"))  # fmt: skip
    assert (rec["RTN_ICNT"], rec["RSLT_CNT"], rec["RTN_STAT"], rec["RTN_RSLT"]) == (3, 2, [1, 15, 0], [1.5, 2.5])
    assert again(record("PLR", GRP_INDX=[1, 2], RTN_CHAL=["a", ""]))["PGM_CHAR"] == ["", ""]


def test_bit_fields_keep_their_length() -> None:
    base = {"TEST_NUM": 1, "HEAD_NUM": 1, "SITE_NUM": 0, "TEST_FLG": 0, "OPT_FLAG": 255}
    pins = Bits.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1)
    rec = again(record("FTR", **base, RTN_INDX=[7], RTN_STAT=[3], FAIL_PIN=pins))
    assert rec["FAIL_PIN"] == pins and rec["FAIL_PIN"].ones() == [0, 9, 10] and pins.length == 11


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "required": ("PIR", {"HEAD_NUM": 1}, "PIR, field SITE_NUM: is absent, but required; it takes an integer"),
    "range": ("PIR", {"HEAD_NUM": 1, "SITE_NUM": 256}, "field SITE_NUM: cannot hold 256; it takes an integer from 0"),
    "kind": ("PIR", {"HEAD_NUM": 1, "SITE_NUM": "0"}, "field SITE_NUM: cannot hold '0'"),
    "no such field": ("PIR", {"HEAD_NUM": 1, "SITE_NUM": 0, "SITE": 1}, "PIR: there is no field 'SITE'; one of"),
    "character": ("DTR", {"TEXT_DAT": "25 °C"}, "DTR, field TEXT_DAT: '25 °C' has the character '°'"),
    "long": ("DTR", {"TEXT_DAT": "x" * 256}, "has 256 characters; at most 255"),
    "nan": ("WCR", {"WAFR_SIZ": math.nan}, "WCR, field WAFR_SIZ: is nan, which STDF does not define"),
    "inf in array": ("MPR", {**PTR, "RESULT": None, "RTN_RSLT": [1.0, math.inf]}, "field RTN_RSLT: is inf"),
    "too large": ("WCR", {"WAFR_SIZ": 1e39}, "cannot hold 1e+39; it takes a number that fits IEEE single precision"),
    "count": ("RDR", {"NUM_BINS": 3, "RTST_BIN": [1]}, "RTST_BIN: has 1 values, but NUM_BINS says 3"),
    "flag contradicts": ("PTR", {**PTR, "OPT_FLAG": 2, "LO_LIMIT": 1.0}, "RES_SCAL: is absent, but OPT_FLAG (2)"),
    "result": ("PTR", {**PTR, "RESULT": None, "UNITS": "V"}, "RESULT: is absent, but TEST_FLG (0) does not say so"),
    "half an address": ("FTR", {"TEST_NUM": 1, "HEAD_NUM": 1, "SITE_NUM": 0, "TEST_FLG": 0, "YFAIL_AD": 3},
                        "XFAIL_AD: is absent, but OPT_FLAG"),
    "nibble": ("MPR", {**PTR, "RESULT": None, "RTN_STAT": [16]}, "RTN_STAT: cannot hold [16]; it takes integers"),
    "bits": ("FTR", {**PTR, "PARM_FLG": None, "RESULT": None, "FAIL_PIN": Bits(9, b"")}, "FAIL_PIN: cannot hold"),
    "too long a record": ("GDR", {"GEN_DATA": [("Cn", "x" * 255)] * 300}, "its body has 77102 bytes; at most 65535"),
    "date": ("MRR", {"FINISH_T": -1}, "FINISH_T: cannot hold -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_with_record_field_and_remedy(name: str) -> None:
    rec, fields, words = REFUSED[name]
    with pytest.raises(StdfError) as caught:
        Encoder().encode(
            Record(TYPES[rec], {k: v for k, v in fields.items() if k in TYPES[rec].index or k == "SITE"})
        )
    assert words in str(caught.value)


def test_lenient_rules_change_what_does_not_fit_and_count_it() -> None:
    encoder = Encoder("<", LENIENT)
    for unit in ("°C", "µA", "Ω", "漢"):
        encoder.encode(record("DTR", TEXT_DAT=unit))
    encoder.encode(record("DTR", TEXT_DAT="y" * 300))
    encoder.encode(record("WCR", WAFR_SIZ=math.inf))
    assert [what for _, _, what in sorted(encoder.notes.counts)] == [
        "'°C' spelled 'degC'", "'µA' spelled 'uA'", "'Ω' spelled 'Ohm'", "'漢' spelled '?'", "cut to 255 characters",
        "inf kept",
    ]  # fmt: skip


def test_an_unknown_record_type_or_byte_order_is_refused() -> None:
    with pytest.raises(StdfError, match="no record type 'XYZ'"):
        record("XYZ")
    with pytest.raises(StdfError, match="is no byte order"):
        Encoder("little")  # type: ignore[arg-type]


def test_dates_need_a_time_zone_and_must_fit() -> None:
    assert epoch_s(datetime(2026, 11, 20, 12, tzinfo=UTC)) == 1_795_176_000
    with pytest.raises(StdfError, match="has no time zone"):
        epoch_s(datetime(2026, 11, 20))
    with pytest.raises(StdfError, match="outside what STDF can hold"):
        epoch_s(datetime(2107, 1, 1, tzinfo=UTC))


def bytes_or_complaint(make: Callable[[], bytes]) -> bytes | str:
    try:
        return make()
    except StdfError as error:
        return str(error)


@pytest.mark.parametrize("rtype", KNOWN, ids=lambda t: t.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_absent_the_short_way_and_the_way_field_by_field_agree(
    rtype: RecordType, data: st.DataObject
) -> None:
    whole = data.draw(records(rtype)).fields
    kept = data.draw(st.sets(st.sampled_from(sorted(whole)))) if whole else set()
    rec = Record(rtype, {name: value for name, value in whole.items() if name in kept})
    short, long = Encoder("<", LENIENT), Encoder("<", LENIENT)
    by_field = bytes_or_complaint(lambda: b"".join(raw for _, raw in long.pieces(rec)))
    assert bytes_or_complaint(lambda: short.encode(rec)[4:]) == by_field
    assert short.notes.counts == long.notes.counts


VALUES = (
    st.none() | st.booleans() | st.integers(-9, 300) | st.floats() | st.text(max_size=3) | st.just([]) | st.just([1])
)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), plain=st.sampled_from(part(0, "1")))
def test_an_object_is_judged_alike_whether_one_of_its_shape_was_seen_before(
    data: st.DataObject, plain: dict[str, Any]
) -> None:
    changed = {**plain, data.draw(st.sampled_from([*plain, "OTHER"])): data.draw(VALUES)}
    seen_before = from_json(plain)
    assert seen_before == json_records._judged(plain, plain["type"])
    outcomes = []
    for way in (from_json, lambda found: json_records._judged(found, found.get("type", found.get("rec_id")))):
        try:
            outcomes.append(repr(way(changed)))
        except StdfError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
