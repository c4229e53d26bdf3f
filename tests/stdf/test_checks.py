"""The verdict on a file, its reasons, and the difference of two files."""

from typing import Any

import pytest
from stdf_material import T0_S, small_lot

from drycell.runtime.stdf import EXACT, Encoder, Record, read, record
from drycell.runtime.stdf.atdf import line, short_float
from drycell.runtime.stdf.checks import check
from drycell.runtime.stdf.compare import compare


def changed(data: bytes, name: str, nth: int = 0, **fields: Any) -> bytes:
    """The file with some fields of the nth record of a type changed."""
    out, seen = [], 0
    for rec in read(data):
        if rec.name == name:
            rec = Record(rec.type, {**rec.fields, **fields}) if seen == nth else rec
            seen += 1
        out.append(rec)
    return Encoder("<", EXACT).encode_all(out)


def verdicts(data: bytes) -> list[str]:
    return [f"{f.severity} {f.rule} {f.record}: {f.message}" for f in check(data).findings]


LOT, _ = small_lot(6)


def test_a_right_lot_is_fine_and_counted() -> None:
    report = check(LOT)
    assert report.findings == [] and report.finished and report.errors == 0
    assert report.records["PRR"] == 12


WRONG: dict[str, tuple[tuple[str, dict[str, Any]], str]] = {
    "parts": (("PCR", {"PART_CNT": 7}), "error counts PCR: PART_CNT is 7, but the PRR records make 6"),
    "good": (("PCR", {"GOOD_CNT": 5}), "error counts PCR: GOOD_CNT is 5, but the PRR records make 6"),
    "retests": (("PCR", {"RTST_CNT": 1}), "warning counts PCR: RTST_CNT is 1, but the PRR records make 0"),
    "bin": (("HBR", {"HBIN_CNT": 9}), "error counts HBR: HBIN_CNT of bin 1 is 9, but 6 PRR records name it"),
    "bin verdict": (("SBR", {"SBIN_PF": "F"}), "error counts SBR: SBIN_PF of bin 1 is 'F', but its parts say 'P'"),
    "tests": (("TSR", {"EXEC_CNT": 5}), "error counts TSR: EXEC_CNT of test 100 is 5, but its records make 6"),
    "fails": (("TSR", {"FAIL_CNT": 1}), "error counts TSR: FAIL_CNT of test 100 is 1, but its records make 0"),
    "site": (("SDR", {"SITE_NUM": [1], "SITE_CNT": 1}), "error sites PIR: head 0 site 0 is in no SDR"),
    "end": (("MRR", {"FINISH_T": 1}), f"warning values MRR: FINISH_T 1 is before START_T {T0_S + 5} of MIR"),
    "setup": (("MIR", {"SETUP_T": T0_S + 9}), f"warning values MIR: SETUP_T {T0_S + 9} is after START_T {T0_S + 5}"),
    "text": (("PTR", {"UNITS": "°C"}), "warning values PTR: UNITS '°C' is not ASCII"),
    "number": (("MPR", {"RTN_RSLT": [1.0, float("inf")]}), "warning values MPR: RTN_RSLT holds inf"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_count_or_value_is_named(name: str) -> None:
    (rec, fields), words = WRONG[name]
    assert words in verdicts(changed(LOT, rec, **fields))


def test_a_bin_without_a_record_is_named() -> None:
    assert "error counts MRR: parts are in bins 77, but no HBR counts them" in verdicts(
        changed(LOT, "PRR", HARD_BIN=77)
    )


def test_an_unfinished_lot_is_said_to_be_unfinished_and_nothing_else() -> None:
    end = next(r.offset for r in read(LOT) if r.name == "TSR")
    assert verdicts(LOT[:end]) == [
        "error order PRR: the file ends without MRR: the lot is unfinished or the end is lost"
    ]


def test_two_runs_differ_only_where_they_do() -> None:
    later, _ = small_lot(6)
    later = changed(changed(later, "PRR", 3, TEST_T=99), "MRR", FINISH_T=T0_S + 999)
    assert list(compare(LOT, later)) == []
    assert [(d.record, d.field) for d in compare(LOT, later, mask=())] == [("PRR", "TEST_T"), ("MRR", "FINISH_T")]
    (one,) = compare(LOT, changed(later, "PTR", 2, RESULT=1.75))
    assert str(one) == "records 15 and 15 (PTR), field RESULT: 1.5 and 1.75"


def test_a_lost_record_is_reported_as_lost_and_the_rest_still_matches() -> None:
    recs = list(read(LOT))
    less = Encoder().encode_all(recs[:20] + recs[21:])
    (one,) = compare(LOT, less)
    assert (one.kind, one.record, one.numbers) == ("first", recs[20].name, (21, None))
    (two,) = compare(less, LOT)
    assert (two.kind, two.numbers) == ("second", (None, 21))


def test_the_two_byte_orders_of_one_lot_do_not_differ() -> None:
    big, _ = small_lot(6, order=">")
    assert big != LOT and list(compare(LOT, big)) == []


ATDF = {
    "MIR:L|P|J|N|T|00:00:01 01-Jan-1970|00:00:02 01-Jan-1970||P|3": record(
        "MIR", SETUP_T=1, START_T=2, STAT_NUM=3, MODE_COD="P", LOT_ID="L", PART_TYP="P", NODE_NAM="N", TSTR_TYP="T",
        JOB_NAM="J",
    ),
    "PTR:5|1|2|0.1|F|AU|a\\x7cb||LH": record(
        "PTR", TEST_NUM=5, HEAD_NUM=1, SITE_NUM=2, TEST_FLG=128 | 1 | 4, PARM_FLG=192, RESULT=0.1, TEST_TXT="a|b"
    ),
    "PTR:5|1|2||||||L": record(
        "PTR", TEST_NUM=5, HEAD_NUM=1, SITE_NUM=2, TEST_FLG=64 | 2, PARM_FLG=64, RESULT=0.0
    ),
    "PRR:1|0|17|3|F|2|12|||I|Y": record(
        "PRR", HEAD_NUM=1, SITE_NUM=0, PART_FLG=8 | 4 | 1, NUM_TEST=3, HARD_BIN=2, SOFT_BIN=12, PART_ID="17"
    ),
    "HBR:||1|5|P|good": record(
        "HBR", HEAD_NUM=255, SITE_NUM=255, HBIN_NUM=1, HBIN_CNT=5, HBIN_PF="P", HBIN_NAM="good"
    ),
    "GDR:U1|Tab|XFF00|D0.1": record(
        "GDR", GEN_DATA=[("U1", 1), ("B0", None), ("Cn", "ab"), ("Bn", b"\xff\0"), ("R8", 0.1)]
    ),
    "EPS:": record("EPS"),
    "STR:FF00": record("STR", DATA=b"\xff\0"),
}  # fmt: skip


@pytest.mark.parametrize("text", ATDF)
def test_records_read_as_atdf_lines(text: str) -> None:
    assert line(ATDF[text]) == text


def test_numbers_are_shown_in_the_fewest_digits_that_give_them_back() -> None:
    shown = [short_float(v) for v in (0.10000000149011612, 1.5, 16777216.0, 3.4028234663852886e38, float("inf"))]
    assert shown == ["0.1", "1.5", "16777216", "3.4028235e+38", "inf"]
