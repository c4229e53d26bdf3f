"""STDF records as the test programs of dialect ``semi-ate`` send them: JSON dictionaries, one per record.

Every field of the record is present, in STDF order; what is not set is None. Flag fields are integers.
Shapes as measured on packages 1.0.17.
"""

from collections.abc import Sequence
from typing import Any, Protocol

Json = dict[str, Any]

FAILED_TEST = 128
FAILED_PART = 8
NO_RESULT_TEST = 1


def _record(kind: str, typ: int, sub: int, **fields: Any) -> Json:
    return {"type": kind, "REC_LEN": None, "REC_TYP": typ, "REC_SUB": sub, **fields, "rec_id": kind}


def pir(site_num: int) -> Json:
    """Part information: a device has been put under test on ``site_num``."""
    return _record("PIR", 5, 10, HEAD_NUM=0, SITE_NUM=site_num)


class Parametric(Protocol):
    """An output parameter, as records show it; limits and specs in the unit that the test writes."""

    @property
    def test_num(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def limits(self) -> tuple[float, float]: ...
    @property
    def specs(self) -> tuple[float, float]: ...
    @property
    def exp10(self) -> int: ...
    @property
    def unit(self) -> str: ...
    @property
    def fmt(self) -> str: ...


_BEFORE_RESULT = ("TEST_NUM", "HEAD_NUM", "SITE_NUM", "TEST_FLG", "PARM_FLG")
_LIMITS = ("TEST_TXT", "ALARM_ID", "OPT_FLAG", "RES_SCAL", "LLM_SCAL", "HLM_SCAL", "LO_LIMIT", "HI_LIMIT")
_FORMATS = ("C_RESFMT", "C_LLMFMT", "C_HLMFMT", "LO_SPEC", "HI_SPEC")
_PTR_FIELDS = (*_BEFORE_RESULT, "RESULT", *_LIMITS, "UNITS", *_FORMATS)
_MPR_FIELDS = (
    *(*_BEFORE_RESULT, "RTN_ICNT", "RSLT_CNT", "RTN_STAT", "RTN_RSLT", *_LIMITS),
    *("START_IN", "INCR_IN", "RTN_INDX", "UNITS", "UNITS_IN", *_FORMATS),
)


def _parametric(site_num: int, output: Parametric) -> Json:
    """The fields that results of ``output`` share, of a device that passed."""
    scale, fmt = 10**output.exp10, f"%7{output.fmt}"
    return {
        "TEST_NUM": output.test_num,
        "HEAD_NUM": 0,
        "SITE_NUM": site_num,
        "TEST_FLG": 0,
        "PARM_FLG": 0,
        "RTN_ICNT": 0,
        "RSLT_CNT": 0,
        "TEST_TXT": output.name,
        "ALARM_ID": "",
        "OPT_FLAG": 2,
        **dict.fromkeys(("RES_SCAL", "LLM_SCAL", "HLM_SCAL"), -output.exp10),
        "LO_LIMIT": output.limits[0] * scale,
        "HI_LIMIT": output.limits[1] * scale,
        "UNITS": output.unit if output.unit.isascii() else "",
        **dict.fromkeys(("C_RESFMT", "C_LLMFMT", "C_HLMFMT"), fmt),
        "LO_SPEC": output.specs[0] * scale,
        "HI_SPEC": output.specs[1] * scale,
    }


def ptr(site_num: int, output: Parametric) -> Json:
    """One parametric result, a template: passed, RESULT None."""
    shared = _parametric(site_num, output)
    return _record("PTR", 15, 10, **{name: shared.get(name) for name in _PTR_FIELDS})


def mpr(site_num: int, output: Parametric) -> Json:
    """Several results of one output, a template: passed, RSLT_CNT 0, RTN_RSLT None."""
    shared = _parametric(site_num, output)
    return _record("MPR", 15, 15, **{name: shared.get(name) for name in _MPR_FIELDS})


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
    empty = mean_s < 0 or not values
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
