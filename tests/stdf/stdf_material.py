"""Material for the tests: JSON records as a Semi-ATE sequencer sends them, and a small whole lot."""

from typing import Any

from drycell.runtime.stdf import LotWriter

T0_S = 1_790_000_000

_CODES = {"PIR": (5, 10), "PRR": (5, 20), "PTR": (15, 10), "MPR": (15, 15), "FTR": (15, 20), "TSR": (10, 30)}
_FTR_UNSET = (
    "CYCL_CNT", "REL_VADR", "REPT_CNT", "NUM_FAIL", "XFAIL_AD", "YFAIL_AD", "VECT_OFF", "RTN_INDX", "RTN_STAT",
    "PGM_INDX", "PGM_STAT", "FAIL_PIN", "VECT_NAM", "TIME_SET", "OP_CODE", "TEST_TXT", "ALARM_ID", "PROG_TXT",
    "RSLT_TXT", "PATG_NUM", "SPIN_MAP",
)  # fmt: skip
_LIMITS = {
    "OPT_FLAG": 2, "RES_SCAL": 3, "LLM_SCAL": 3, "HLM_SCAL": 3, "LO_LIMIT": 0.5, "HI_LIMIT": 2.5,
}  # fmt: skip
_FORMATS = {
    "UNITS": "V",
    "C_RESFMT": "%7.3f",
    "C_LLMFMT": "%7.3f",
    "C_HLMFMT": "%7.3f",
    "LO_SPEC": 0.4,
    "HI_SPEC": 2.6,
}


def message(name: str, **fields: Any) -> dict[str, Any]:
    typ, sub = _CODES[name]
    return {"type": name, "REC_LEN": None, "REC_TYP": typ, "REC_SUB": sub, **fields, "rec_id": name}


def pir(site: int) -> dict[str, Any]:
    return message("PIR", HEAD_NUM=0, SITE_NUM=site)


def ptr(site: int, number: int, result: Any, *, fail: bool = False, **other: Any) -> dict[str, Any]:
    fields = {
        "TEST_NUM": number, "HEAD_NUM": 0, "SITE_NUM": site, "TEST_FLG": 128 if fail else 0, "PARM_FLG": 0,
        "RESULT": result, "TEST_TXT": f"ldo.vout{number}", "ALARM_ID": "", **_LIMITS, **_FORMATS,
    }  # fmt: skip
    return message("PTR", **{**fields, **other})


def mpr(site: int, number: int, results: list[float]) -> dict[str, Any]:
    return message(
        "MPR",
        TEST_NUM=number, HEAD_NUM=0, SITE_NUM=site, TEST_FLG=0, PARM_FLG=0, RTN_ICNT=0, RSLT_CNT=len(results),
        RTN_STAT=None, RTN_RSLT=results, TEST_TXT=f"ldo.sweep{number}", ALARM_ID="", **_LIMITS, START_IN=None,
        INCR_IN=None, RTN_INDX=None, UNITS="V", UNITS_IN=None, C_RESFMT="%7.3f", C_LLMFMT="%7.3f", C_HLMFMT="%7.3f",
        LO_SPEC=0.4, HI_SPEC=2.6,
    )  # fmt: skip


def ftr(site: int, number: int, flags: int = 0) -> dict[str, Any]:
    unset: dict[str, Any] = dict.fromkeys(_FTR_UNSET)
    return message(
        "FTR",
        TEST_NUM=number,
        HEAD_NUM=0,
        SITE_NUM=site,
        TEST_FLG=flags,
        OPT_FLAG=255,
        RTN_ICNT=0,
        PGM_ICNT=0,
        **unset,
    )


def prr(site: int, part_id: str, *, hard: int = 1, soft: int = 1, tests: int = 3, time_ms: int = 7) -> dict[str, Any]:
    return message(
        "PRR", HEAD_NUM=0, SITE_NUM=site, PART_FLG=0 if hard == 1 else 8, NUM_TEST=tests, HARD_BIN=hard,
        SOFT_BIN=soft, X_COORD=1, Y_COORD=1, TEST_T=time_ms, PART_ID=part_id, PART_TXT="1", PART_FIX=0,
    )  # fmt: skip


def part(site: int, part_id: str, *, good: bool = True) -> list[dict[str, Any]]:
    result = 1.5 if good else 9.5
    bins = {"hard": 1, "soft": 1} if good else {"hard": 2, "soft": 12}
    return [
        pir(site),
        ptr(site, 101, result, fail=not good),
        mpr(site, 102, [1.25, 1.5]),
        ftr(site, 100),
        prr(site, part_id, **bins),
    ]


def small_lot(touchdowns: int = 3, **options: Any) -> tuple[bytes, LotWriter]:
    """A finished lot on two sites; site 1 fails at each third touchdown."""
    out: list[bytes] = []
    lot = LotWriter(
        out.append,
        lot_id="L1",
        part_typ="LDO",
        job_nam="demo",
        setup_time_s=T0_S,
        start_time_s=T0_S + 5,
        sites=(0, 1),
        **options,
    )
    for i in range(touchdowns):
        lot.touchdown(part(0, str(2 * i + 1)) + part(1, str(2 * i + 2), good=i % 3 != 2))
    lot.finish(T0_S + 60)
    return b"".join(out), lot
