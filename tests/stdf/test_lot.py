"""The lot on disk: written as it happens, whole parts or nothing, counts from what was written."""

import json
import math
from collections import Counter

import pytest
from stdf_material import T0_S, ftr, part, pir, prr, ptr, small_lot

from drycell.runtime.stdf import LotWriter, Record, StdfError, read
from drycell.runtime.stdf.checks import check


def new_lot(out: list[bytes], **options: object) -> LotWriter:
    return LotWriter(
        out.append,
        lot_id="L",
        part_typ="P",
        job_nam="J",
        setup_time_s=T0_S,
        start_time_s=T0_S,
        sites=(0, 1),
        **options,
    )  # type: ignore[arg-type]


def records(out: list[bytes]) -> list[Record]:
    return list(read(b"".join(out)))


def test_a_finished_lot_has_its_records_in_the_order_of_the_standard() -> None:
    data, _ = small_lot(1)
    names = [r.name for r in read(data)]
    one = ["PIR", "PTR", "MPR", "FTR", "PRR"]
    assert names[:13] == ["FAR", "MIR", "SDR", *one, *one]
    assert [n for i, n in enumerate(names[13:]) if n != names[12 + i]] == ["TSR", "HBR", "SBR", "PCR", "MRR"]


def test_a_killed_writer_leaves_a_file_that_is_readable_up_to_the_last_touchdown() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    assert [r.name for r in records(out)] == ["FAR", "MIR", "SDR"]
    for i in range(5):
        writes = len(out)
        lot.touchdown(part(0, f"a{i}") + part(1, f"b{i}"))
        assert len(out) == writes + 1
        assert Counter(r.name for r in records(out))["PRR"] == 2 * (i + 1)


def test_values_arrive_in_the_file_as_the_sequencer_sent_them() -> None:
    out: list[bytes] = []
    new_lot(out).touchdown(json.loads(json.dumps(part(0, "42", good=False))))
    _pir, p, m, f, r = records(out)[3:]
    assert (p["TEST_NUM"], p["RESULT"], p["TEST_FLG"], p["RES_SCAL"], p["UNITS"]) == (101, 9.5, 128, 3, "V")
    assert p["HI_SPEC"] == pytest.approx(2.6, rel=1e-7)
    assert m["RTN_RSLT"] == [1.25, 1.5] and m["START_IN"] == 0.0 and m["OPT_FLAG"] & 2
    assert f["OPT_FLAG"] == 255 and "FAIL_PIN" not in f
    assert (r["PART_ID"], r["PART_FLG"], r["HARD_BIN"], r["SOFT_BIN"], r["PART_FIX"]) == ("42", 8, 2, 12, b"")


def test_counts_bins_and_yield_follow_from_the_parts_written() -> None:
    data, lot = small_lot(6)
    recs = list(read(data))
    by = {n: [r for r in recs if r.name == n] for n in ("PCR", "HBR", "SBR", "TSR")}
    assert [(r["SITE_NUM"], r["PART_CNT"], r["GOOD_CNT"]) for r in by["PCR"]] == [(0, 6, 6), (1, 6, 4), (255, 12, 10)]
    assert [(r["SITE_NUM"], r["HBIN_NUM"], r["HBIN_CNT"], r["HBIN_PF"]) for r in by["HBR"]] == [
        (0, 1, 6, "P"), (1, 1, 4, "P"), (1, 2, 2, "F"), (255, 1, 10, "P"), (255, 2, 2, "F"),
    ]  # fmt: skip
    assert {(r["SBIN_NUM"], r["SBIN_CNT"]) for r in by["SBR"] if r["SITE_NUM"] == 255} == {(1, 10), (12, 2)}
    all_101 = next(r for r in by["TSR"] if (r["SITE_NUM"], r["TEST_NUM"]) == (255, 101))
    assert (all_101["EXEC_CNT"], all_101["FAIL_CNT"], all_101["TEST_MIN"], all_101["TEST_MAX"]) == (12, 2, 1.5, 9.5)
    assert all_101["TST_SUMS"] == 10 * 1.5 + 2 * 9.5
    total = lot.summary()
    assert (total.parts, total.good, total.hard_bins, total.soft_bins) == (12, 10, {1: 10, 2: 2}, {1: 10, 12: 2})
    assert total.yield_fraction == pytest.approx(10 / 12)


def test_a_part_id_seen_again_is_a_retest() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    lot.touchdown(part(0, "1", good=False))
    lot.touchdown(part(1, "1"))
    lot.finish(T0_S)
    pcr = [r for r in records(out) if r.name == "PCR"]
    assert [(r["SITE_NUM"], r["PART_CNT"], r["RTST_CNT"]) for r in pcr] == [(0, 1, 0), (1, 1, 1), (255, 2, 1)]
    assert [r["PART_FLG"] for r in records(out) if r.name == "PRR"] == [8, 1]
    assert check(b"".join(out)).findings == []


def test_a_device_counts_with_its_last_result() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    lot.touchdown(part(0, "1", good=False) + part(1, "2"))
    lot.touchdown(part(0, "1") + part(1, ""))
    total = lot.summary()
    assert (total.parts, total.good, total.hard_bins) == (4, 3, {1: 3, 2: 1})
    assert (total.devices, total.final_good, total.final_hard_bins) == (3, 3, {1: 3})
    assert (total.final_soft_bins, total.yield_fraction) == ({1: 3}, 1.0)


def test_the_flag_of_a_retest_can_be_left_as_it_was_sent() -> None:
    out: list[bytes] = []
    lot = new_lot(out, mark_retests=False)
    lot.touchdown(part(0, "1"))
    lot.touchdown(part(0, "1"))
    assert [r["PART_FLG"] for r in records(out) if r.name == "PRR"] == [0, 0]
    assert lot.summary().retests == 1


def test_wafers_count_their_own_parts_and_the_same_part_id_on_the_next_wafer_is_no_retest() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    for wafer in ("W1", "W2"):
        lot.wafer_start(wafer, T0_S + 1)
        lot.touchdown(part(0, "1") + part(1, "2", good=wafer == "W1"))
        lot.wafer_end(T0_S + 2)
    lot.finish(T0_S)
    wrr = [r for r in records(out) if r.name == "WRR"]
    assert [(r["WAFER_ID"], r["PART_CNT"], r["GOOD_CNT"], r["RTST_CNT"]) for r in wrr] == [
        ("W1", 2, 2, 0),
        ("W2", 2, 1, 0),
    ]


def test_the_sequencers_own_summaries_are_kept_and_the_missing_ones_computed() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    lot.touchdown(part(0, "1") + part(1, "2"))
    mine = {
        "type": "TSR", "REC_TYP": 10, "REC_SUB": 30, "HEAD_NUM": 0, "SITE_NUM": 0, "TEST_TYP": "P", "TEST_NUM": 101,
        "EXEC_CNT": 1, "FAIL_CNT": 0, "ALRM_CNT": 1, "TEST_NAM": "ldo", "SEQ_NAME": "seq_name", "TEST_LBL": "",
        "OPT_FLAG": 16, "TEST_TIM": 0.25, "TEST_MIN": 1.5, "TEST_MAX": 1.5, "TST_SUMS": 1.5, "TST_SQRS": 0.0,
    }  # fmt: skip
    lot.finish(T0_S, tsr_records=[mine])
    tsr = [r for r in records(out) if r.name == "TSR"]
    assert [r["TEST_NUM"] for r in tsr if r["SITE_NUM"] == 0] == [101] and tsr[0]["SEQ_NAME"] == "seq_name"
    assert [r["TEST_NUM"] for r in tsr if r["SITE_NUM"] == 1] == [100, 101, 102]
    assert [r["TEST_NUM"] for r in tsr if r["SITE_NUM"] == 255] == [100, 101, 102]


BAD = {
    "unknown type": (lambda p: p[1].update(type="XTR"), "no record type 'XTR'"),
    "wrong codes": (lambda p: p[1].update(REC_SUB=11), "field REC_SUB: is 11; 10 for PTR"),
    "text for a number": (lambda p: p[1].update(RESULT="1.5"), "PTR of site 1, field RESULT: is a string ('1.5')"),
    "boolean flags": (lambda p: p[1].update(TEST_FLG=True), "PTR of site 1, field TEST_FLG: is a boolean"),
    "missing field": (lambda p: p[1].pop("TEST_NUM"), "PTR of site 1, field TEST_NUM: is absent, but required"),
    "limit unset unsaid": (lambda p: p[1].update(LO_LIMIT=None), "field LO_LIMIT: is absent, but OPT_FLAG (2)"),
    "number too large": (lambda p: p[4].update(HARD_BIN=70000), "PRR of site 1, field HARD_BIN: cannot hold 70000"),
    "negative count": (lambda p: p[4].update(NUM_TEST=-1), "PRR of site 1, field NUM_TEST: cannot hold -1"),
    "count wrong": (lambda p: p[2].update(RSLT_CNT=3), "has 2 values, but RSLT_CNT says 3"),
    "unknown field": (lambda p: p[1].update(COLOUR=1), "PTR of site 1: there is no field 'COLOUR'"),
    "no PRR": (lambda p: p.pop(), "PIR of site 1: the part of head 0 has no PRR"),
    "no PIR": (lambda p: p.pop(0), "PTR of site 1: there is no PIR before it"),
    "two PIR": (lambda p: p.insert(0, pir(1)), "a second PIR before the PRR"),
    "foreign site": (lambda p: p[1].update(SITE_NUM=7), "field SITE_NUM: is 7; a site of this lot: 0, 1"),
    "site missing": (lambda p: p[0].pop("SITE_NUM"), "PIR, field SITE_NUM: is absent"),
    "no object": (lambda p: p.insert(1, [1]), "a record is a list"),
    "not a part's": (lambda p: p[1].update(type="MRR", REC_TYP=1, REC_SUB=20), "MRR of site 1: there is no field"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_part_is_refused_whole_and_named(name: str) -> None:
    spoil, words = BAD[name]
    out: list[bytes] = []
    lot = new_lot(out)
    lot.touchdown(part(0, "1"))
    written, counted = list(out), lot.summary()
    bad = part(1, "2")
    spoil(bad)
    with pytest.raises(StdfError) as caught:
        lot.touchdown(part(0, "3") + bad)
    assert words in str(caught.value)
    assert out == written and lot.summary() == counted
    lot.touchdown(part(1, "2"))
    assert lot.summary().parts == 2


def test_units_infinities_and_long_text_are_changed_by_rule_and_noted() -> None:
    out: list[bytes] = []
    lot = new_lot(out)
    odd = ptr(0, 101, math.inf, UNITS="°C", TEST_TXT="x" * 300, LO_LIMIT=-math.inf, HI_LIMIT=1e40)
    lot.touchdown([pir(0), odd, prr(0, "1")])
    p = next(r for r in records(out) if r.name == "PTR")
    assert (p["RESULT"], p["LO_LIMIT"], p["UNITS"], len(p["TEST_TXT"])) == (math.inf, -math.inf, "degC", 255)
    assert p["HI_LIMIT"] == math.inf
    assert lot.notes.sentences() == [
        "PTR.HI_LIMIT: beyond single precision, became infinite (1 times)",
        "PTR.LO_LIMIT: -inf kept (1 times)",
        "PTR.RESULT: inf kept (1 times)",
        "PTR.TEST_TXT: cut to 255 characters (1 times)",
        "PTR.UNITS: '°C' spelled 'degC' (1 times)",
    ]


def test_test_time_is_the_simulated_time_given_plus_the_cost_per_test() -> None:
    out: list[bytes] = []
    lot = new_lot(out, cost_per_test_ms=10)
    lot.touchdown([pir(0), ftr(0, 1), prr(0, "1", tests=3, time_ms=7)])
    lot.touchdown([pir(1), ftr(1, 1), prr(1, "2", tests=3)], test_t_ms={1: 100})
    assert [r["TEST_T"] for r in records(out) if r.name == "PRR"] == [37, 130]


def test_nothing_follows_the_last_record() -> None:
    _, lot = small_lot(1)
    for late in (lambda: lot.touchdown(part(0, "9")), lambda: lot.finish(T0_S), lambda: lot.wafer_start("W", T0_S)):
        with pytest.raises(StdfError, match="the lot is finished"):
            late()
