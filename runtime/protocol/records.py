"""STDF records as the test programs of dialect ``semi-ate`` send them: JSON dictionaries, one per record.

Every field of the record is present, in STDF order; what is not set is None. Flag fields are integers.
Shapes as measured on packages 1.0.17.
"""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

FAILED_TEST = 128
FAILED_PART = 8
NO_RESULT_TEST = 1


def _record(kind: str, typ: int, sub: int, **fields: Any) -> Json:
    return {"type": kind, "REC_LEN": None, "REC_TYP": typ, "REC_SUB": sub, **fields, "rec_id": kind}


def pir(site_num: int) -> Json:
    """Part information: a device has been put under test on ``site_num``."""
    return _record("PIR", 5, 10, HEAD_NUM=0, SITE_NUM=site_num)


def _format(fmt: str) -> str:
    return f"%7{fmt}"


def _limits(limits: tuple[float, float], specs: tuple[float, float], exp10: int, unit: str, fmt: str) -> Json:
    text = _format(fmt)
    scale = 10**exp10
    return {
        "OPT_FLAG": 2,
        "RES_SCAL": -exp10,
        "LLM_SCAL": -exp10,
        "HLM_SCAL": -exp10,
        "LO_LIMIT": limits[0] * scale,
        "HI_LIMIT": limits[1] * scale,
        "UNITS": unit if unit.isascii() else "",
        "C_RESFMT": text,
        "C_LLMFMT": text,
        "C_HLMFMT": text,
        "LO_SPEC": specs[0] * scale,
        "HI_SPEC": specs[1] * scale,
    }


def ptr(
    test_num: int,
    site_num: int,
    name: str,
    limits: tuple[float, float],
    specs: tuple[float, float],
    exp10: int,
    unit: str,
    fmt: str,
) -> Json:
    """One parametric result, a template: TEST_FLG passed and RESULT None. Limits and specs in the test's own unit."""
    return _record(
        "PTR",
        15,
        10,
        TEST_NUM=test_num,
        HEAD_NUM=0,
        SITE_NUM=site_num,
        TEST_FLG=0,
        PARM_FLG=0,
        RESULT=None,
        TEST_TXT=name,
        ALARM_ID="",
        **_limits(limits, specs, exp10, unit, fmt),
    )


def mpr(
    test_num: int,
    site_num: int,
    name: str,
    limits: tuple[float, float],
    specs: tuple[float, float],
    exp10: int,
    unit: str,
    fmt: str,
) -> Json:
    """Several results of one output, a template as :func:`ptr`, with RSLT_CNT 0 and RTN_RSLT None."""
    ends = _limits(limits, specs, exp10, unit, fmt)
    return _record(
        "MPR",
        15,
        15,
        TEST_NUM=test_num,
        HEAD_NUM=0,
        SITE_NUM=site_num,
        TEST_FLG=0,
        PARM_FLG=0,
        RTN_ICNT=0,
        RSLT_CNT=0,
        RTN_STAT=None,
        RTN_RSLT=None,
        TEST_TXT=name,
        ALARM_ID="",
        OPT_FLAG=ends.pop("OPT_FLAG"),
        RES_SCAL=ends.pop("RES_SCAL"),
        LLM_SCAL=ends.pop("LLM_SCAL"),
        HLM_SCAL=ends.pop("HLM_SCAL"),
        LO_LIMIT=ends.pop("LO_LIMIT"),
        HI_LIMIT=ends.pop("HI_LIMIT"),
        START_IN=None,
        INCR_IN=None,
        RTN_INDX=None,
        UNITS=ends.pop("UNITS"),
        UNITS_IN=None,
        **ends,
    )


_FTR_UNSET = ("CYCL_CNT", "REL_VADR", "REPT_CNT", "NUM_FAIL", "XFAIL_AD", "YFAIL_AD", "VECT_OFF")
_FTR_UNSET_TAIL = (
    *("RTN_INDX", "RTN_STAT", "PGM_INDX", "PGM_STAT", "FAIL_PIN", "VECT_NAM", "TIME_SET", "OP_CODE"),
    *("TEST_TXT", "ALARM_ID", "PROG_TXT", "RSLT_TXT", "PATG_NUM", "SPIN_MAP"),
)


def ftr(test_num: int, site_num: int, test_flag: int = 0) -> Json:
    """The verdict of one test: ``test_flag`` 0 passed, 128 failed, 1 ended by an exception."""
    return _record(
        "FTR",
        15,
        20,
        TEST_NUM=test_num,
        HEAD_NUM=0,
        SITE_NUM=site_num,
        TEST_FLG=test_flag,
        OPT_FLAG=255,
        **dict.fromkeys(_FTR_UNSET),
        RTN_ICNT=0,
        PGM_ICNT=0,
        **dict.fromkeys(_FTR_UNSET_TAIL),
    )


def prr(
    site_num: int, *, passed: bool, num_test: int, hard_bin: int, soft_bin: int, test_t_ms: int, part_id: str
) -> Json:
    """The result of one device."""
    return _record(
        "PRR",
        5,
        20,
        HEAD_NUM=0,
        SITE_NUM=site_num,
        PART_FLG=0 if passed else FAILED_PART,
        NUM_TEST=num_test,
        HARD_BIN=hard_bin,
        SOFT_BIN=soft_bin,
        X_COORD=1,
        Y_COORD=1,
        TEST_T=test_t_ms,
        PART_ID=part_id,
        PART_TXT="1",
        PART_FIX=0,
    )


def tsr(
    site_num: int,
    test_num: int,
    instance: str,
    label: str,
    *,
    values: Sequence[float],
    executed: int,
    failed: int,
    mean_s: float,
) -> Json:
    """The statistics of one output at the end of a lot. TST_SQRS is the sum of squared deviations, as measured."""
    empty = mean_s <= 0 or not values
    mean = 0.0 if empty else sum(values) / len(values)
    return _record(
        "TSR",
        10,
        30,
        HEAD_NUM=0,
        SITE_NUM=site_num,
        TEST_TYP="P",
        TEST_NUM=test_num,
        EXEC_CNT=executed,
        FAIL_CNT=failed,
        ALRM_CNT=1,
        TEST_NAM=instance,
        SEQ_NAME="seq_name",
        TEST_LBL=label,
        OPT_FLAG=255 if empty else 16,
        TEST_TIM=mean_s,
        TEST_MIN=0.0 if empty else min(values),
        TEST_MAX=0.0 if empty else max(values),
        TST_SUMS=0.0 if empty else sum(values),
        TST_SQRS=0.0 if empty else sum((value - mean) ** 2 for value in values),
    )
