"""From values to records and bins: the rules of the packages, and their defects as quirks."""

from pathlib import Path

import pytest

from drycell.runtime.protocol.bins import select_bin
from drycell.sim.cell.measurement import Bookkeeper
from drycell.sim.cell.program_model import load_program_model
from drycell.sim.errors import DrycellError

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"
PROGRAM = load_program_model(DEMO)
CONTACT, VOUT, IQ, RAMP = PROGRAM.tests
GOOD_RAMP = {"ramp_1.vramp": (3.29, 3.3, 3.3), "ramp_1.vmin": (3.29,), "ramp_1.span": (0.01,)}


@pytest.mark.parametrize(
    ("current", "new", "result"),
    [
        (-1, 3, 3),
        (-1, -1, -1),
        (1, -1, 1),
        (1, 3, 3),
        (3, 1, 3),
        (1, 11, 11),
        (11, 12, 11),
        (11, 1, 11),
        (1, 0, 0),
        (12, 0, 12),
    ],
)
def test_fail_bins_stick_and_grades_only_fall(current, new, result):
    assert select_bin(current, new) == result


def test_a_value_on_its_limit_passes_and_one_beyond_fails():
    books = Bookkeeper(PROGRAM, 0)
    low, high = VOUT.outputs[0].limits
    flags = [books.judge(VOUT, {"vout_1.vmeas": (value,)}).failed for value in (low, high, low - 1e-4, high + 1e-4)]
    assert flags == [False, False, True, True]


def test_a_scaled_output_keeps_value_and_limits_in_base_units():
    (record,) = Bookkeeper(PROGRAM, 3).judge(IQ, {"iq_1.iq": (55.0,)}).records
    assert record["RESULT"] == pytest.approx(55e-6)
    assert record["HI_LIMIT"] == pytest.approx(80e-6)
    assert (record["RES_SCAL"], record["SITE_NUM"], record["TEST_FLG"]) == (6, 3, 0)


def test_every_output_is_judged_and_the_first_failing_one_gives_the_bin():
    verdict = Bookkeeper(PROGRAM, 0).judge(RAMP, {**GOOD_RAMP, "ramp_1.vmin": (1.0,), "ramp_1.span": (9.0,)})
    assert (verdict.bin, verdict.failed, [r["TEST_FLG"] for r in verdict.records]) == (14, True, [0, 128, 128])


@pytest.mark.parametrize(
    ("quirks", "later"), [((), [False, True, False]), (("sequencer-mpr-remembers-failures",), [False, True, True])]
)
def test_one_bad_device_and_the_mpr_of_the_next(quirks, later):
    books = Bookkeeper(PROGRAM, 0, quirks)
    values = [GOOD_RAMP, {**GOOD_RAMP, "ramp_1.vramp": (99.0,)}, GOOD_RAMP]
    assert [books.judge(RAMP, value).failed for value in values] == later


@pytest.mark.parametrize(("quirks", "result"), [((), (0.0, 130)), (("sequencer-repeats-stale-value",), (3.3, 0))])
def test_a_test_that_ended_in_an_exception(quirks, result):
    books = Bookkeeper(PROGRAM, 0, quirks)
    books.judge(VOUT, {"vout_1.vmeas": (3.3,)})
    verdict = books.judge(VOUT, None)
    assert [(r["RESULT"], r["TEST_FLG"]) for r in verdict.records] == [result]
    assert (verdict.bin, verdict.test_flag, verdict.failed) == (60001, 1, True)


def test_the_summary_counts_what_was_measured():
    books = Bookkeeper(PROGRAM, 1)
    for value in (3.29, 3.31, 1.0):
        books.judge(VOUT, {"vout_1.vmeas": (value,)})
    summary = {
        record["TEST_LBL"]: record
        for record in books.summary(dict.fromkeys((t.instance for t in PROGRAM.tests), 0.1))
    }
    vout = summary["vout_1.vmeas"]
    assert (vout["EXEC_CNT"], vout["FAIL_CNT"], vout["TEST_MIN"], vout["TEST_MAX"]) == (3, 1, 1.0, 3.31)
    assert vout["TST_SQRS"] == pytest.approx(sum((v - 7.6 / 3) ** 2 for v in (3.29, 3.31, 1.0)))
    assert summary["iq_1.iq"]["OPT_FLAG"] == 255


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("binning.json", "{", "not readable JSON"),
        ("measures.json", None, "is missing"),
        ("measures.json", '{"tests": {}, "outputs": {}}', "'contact_1.r_vin' is missing"),
    ],
)
def test_an_incomplete_program_is_refused_in_one_sentence(tmp_path, name, text, message):
    import shutil

    root = tmp_path / "demo"
    shutil.copytree(DEMO, root)
    (root / name).unlink()
    if text is not None:
        (root / name).write_text(text)
    with pytest.raises(DrycellError, match=message):
        load_program_model(root)
