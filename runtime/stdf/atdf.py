"""STDF as text: one line per record in ATDF, the ASCII form of STDF V4 (Teradyne, "ATDF Specification").

Rules: the delimiter is "|", trailing empty fields are left out, an absent field is empty; times are UTC. A delimiter,
backslash or control character inside text is written as a backslash escape. Record types that ATDF does not know
(V4-2007, opaque ones) are written with their STDF fields in order, opaque data in hexadecimal.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from drycell.runtime.stdf.table import Record
from drycell.runtime.stdf.tally import ALL
from drycell.runtime.stdf.values import Bits

_TIMES = frozenset({"MOD_TIM", "SETUP_T", "START_T", "FINISH_T"})
_MAYBE_ALL = frozenset({"PCR", "HBR", "SBR", "TSR"})
_FIELDS = {
    "ATR": "MOD_TIM CMD_LINE",
    "MIR": (
        "LOT_ID PART_TYP JOB_NAM NODE_NAM TSTR_TYP SETUP_T START_T OPER_NAM MODE_COD STAT_NUM SBLOT_ID "
        "TEST_COD RTST_COD JOB_REV EXEC_TYP EXEC_VER PROT_COD CMOD_COD BURN_TIM TST_TEMP USER_TXT AUX_FILE "
        "PKG_TYP FAMLY_ID DATE_COD FACIL_ID FLOOR_ID PROC_ID OPER_FRQ SPEC_NAM SPEC_VER FLOW_ID SETUP_ID "
        "DSGN_REV ENG_ID ROM_COD SERL_NUM SUPR_NAM"
    ),
    "PGR": "GRP_INDX GRP_NAM PMR_INDX",
    "RDR": "RTST_BIN",
    "WIR": "HEAD_NUM START_T SITE_GRP WAFER_ID",
    "WRR": (
        "HEAD_NUM FINISH_T PART_CNT WAFER_ID SITE_GRP RTST_CNT ABRT_CNT GOOD_CNT FUNC_CNT FABWF_ID FRAME_ID "
        "MASK_ID USR_DESC EXC_DESC"
    ),
    "WCR": "WF_FLAT POS_X POS_Y WAFR_SIZ DIE_HT DIE_WID WF_UNITS CENTER_X CENTER_Y",
    "PRR": (
        "HEAD_NUM SITE_NUM PART_ID NUM_TEST *verdict HARD_BIN SOFT_BIN X_COORD Y_COORD *retest *abort TEST_T "
        "PART_TXT PART_FIX"
    ),
    "TSR": (
        "HEAD_NUM SITE_NUM TEST_NUM TEST_NAM TEST_TYP EXEC_CNT FAIL_CNT ALRM_CNT SEQ_NAME TEST_LBL TEST_TIM "
        "TEST_MIN TEST_MAX TST_SUMS TST_SQRS"
    ),
    "PTR": (
        "TEST_NUM HEAD_NUM SITE_NUM RESULT *verdict *alarms TEST_TXT ALARM_ID *limits UNITS LO_LIMIT HI_LIMIT "
        "C_RESFMT C_LLMFMT C_HLMFMT LO_SPEC HI_SPEC RES_SCAL LLM_SCAL HLM_SCAL"
    ),
    "MPR": (
        "TEST_NUM HEAD_NUM SITE_NUM RTN_STAT RTN_RSLT *verdict *alarms TEST_TXT ALARM_ID *limits UNITS "
        "LO_LIMIT HI_LIMIT START_IN INCR_IN UNITS_IN RTN_INDX C_RESFMT C_LLMFMT C_HLMFMT LO_SPEC HI_SPEC "
        "RES_SCAL LLM_SCAL HLM_SCAL"
    ),
    "FTR": (
        "TEST_NUM HEAD_NUM SITE_NUM *verdict *alarms VECT_NAM TIME_SET CYCL_CNT REL_VADR REPT_CNT NUM_FAIL "
        "XFAIL_AD YFAIL_AD VECT_OFF RTN_INDX RTN_STAT PGM_INDX PGM_STAT FAIL_PIN OP_CODE TEST_TXT ALARM_ID "
        "PROG_TXT RSLT_TXT PATG_NUM SPIN_MAP"
    ),
    "SDR": (
        "HEAD_NUM SITE_GRP SITE_NUM HAND_TYP HAND_ID CARD_TYP CARD_ID LOAD_TYP LOAD_ID DIB_TYP DIB_ID "
        "CABL_TYP CABL_ID CONT_TYP CONT_ID LASR_TYP LASR_ID EXTR_TYP EXTR_ID"
    ),
    "PLR": "GRP_INDX GRP_MODE *radix *program *returned",
    "GDR": "*generic",
}
ORDER = {name: tuple(text.split()) for name, text in _FIELDS.items()}
_TEST_ALARMS = ((0, "A"), (2, "U"), (3, "T"), (4, "N"), (5, "X"))
_PARM_ALARMS = ((0, "S"), (1, "D"), (2, "O"), (3, "H"), (4, "L"))
_GENERIC = {"U1": "U", "U2": "M", "U4": "B", "I1": "I", "I2": "S", "I4": "L", "R4": "F", "R8": "D", "Cn": "T",
            "Bn": "X", "Dn": "Y", "N1": "N"}  # fmt: skip
_RADIX = {0: "", 2: "B", 8: "O", 10: "D", 16: "H", 20: "S"}


def line(rec: Record) -> str:
    """The record as one line of ATDF, without line end."""
    if rec.name == "FAR":
        return f"FAR:A|{rec['STDF_VER']}|2|U"
    parts = []
    for name in ORDER.get(rec.name, rec.type.names):
        parts.append(_DERIVED[name](rec) if name.startswith("*") else _field(rec, name))
    while parts and not parts[-1]:
        parts.pop()
    return f"{rec.name}:{'|'.join(parts)}"


def _field(rec: Record, name: str) -> str:
    value = rec.get(name)
    if value is None or _marked_invalid(rec, name):
        return ""
    if name in _TIMES:
        return f"{datetime.fromtimestamp(value, UTC):%H:%M:%S %d-%b-%Y}"
    if rec.name in _MAYBE_ALL and name in ("HEAD_NUM", "SITE_NUM") and value == ALL:
        return ""
    if name in ("RTN_STAT", "PGM_STAT"):
        return ",".join(f"{v:X}" for v in value)
    return text(value)


def _marked_invalid(rec: Record, name: str) -> bool:
    f = rec.type.fields[rec.type.index[name]]
    return bool(f.flag) and any(rec.get(f.flag, 0) >> bit & 1 for bit in f.bits)


def text(value: Any) -> str:
    """One value as ATDF text."""
    if isinstance(value, str):
        return _escaped(value).rstrip(" ") if value == " " else _escaped(value)
    if isinstance(value, float):
        return short_float(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, Bits):
        return ",".join(map(str, value.ones()))
    if isinstance(value, list):
        return ",".join(text(v) for v in value)
    return str(value)


def short_float(value: float) -> str:
    """The shortest text that gives the same single-precision number back."""
    for digits in range(6, 10):
        shown = f"{value:.{digits}g}"
        try:
            if struct.pack("<f", float(shown)) == struct.pack("<f", value):
                return shown
        except OverflowError:
            break
    return repr(value)


def _escaped(value: str) -> str:
    if value.isprintable() and "|" not in value and "\\" not in value:
        return value
    return "".join(
        c if c.isprintable() and c not in "|\\" else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}"
        for c in value
    )


def _verdict(rec: Record) -> str:
    if rec.name == "PRR":
        flags = rec["PART_FLG"]
        return "" if flags & 16 else "F" if flags & 8 else "P"
    flags = rec["TEST_FLG"]
    if flags & 64:
        return ""
    return "F" if flags & 128 else "A" if rec.get("PARM_FLG", 0) & 32 else "P"


def _alarms(rec: Record) -> str:
    letters = [letter for bit, letter in _TEST_ALARMS if rec["TEST_FLG"] >> bit & 1]
    letters += [letter for bit, letter in _PARM_ALARMS if rec.get("PARM_FLG", 0) >> bit & 1]
    return "".join(letters)


def _limits(rec: Record) -> str:
    flags = rec.get("PARM_FLG", 0)
    return ("L" if flags & 64 else "") + ("H" if flags & 128 else "")


def _retest(rec: Record) -> str:
    return "I" if rec["PART_FLG"] & 1 else "C" if rec["PART_FLG"] & 2 else ""


def _states(rec: Record, left: str, right: str) -> str:
    groups = []
    rights = rec.get(right, [])
    for i, low in enumerate(rec.get(left, []) or [""] * len(rights)):
        high = rights[i] if i < len(rights) else ""
        pairs = max(len(low), len(high))
        groups.append(",".join((low[j : j + 1] + high[j : j + 1]).strip() for j in range(pairs)))
    return _escaped("/".join(groups)).strip("/")


_DERIVED: dict[str, Callable[[Record], str]] = {
    "*verdict": _verdict,
    "*alarms": _alarms,
    "*limits": _limits,
    "*retest": _retest,
    "*abort": lambda rec: "Y" if rec["PART_FLG"] & 4 else "",
    "*radix": lambda rec: ",".join(_RADIX.get(v, str(v)) for v in rec.get("GRP_RADX", [])),
    "*program": lambda rec: _states(rec, "PGM_CHAL", "PGM_CHAR"),
    "*returned": lambda rec: _states(rec, "RTN_CHAL", "RTN_CHAR"),
    "*generic": lambda rec: "|".join(
        _GENERIC[code] + (repr(v) if code == "R8" else text(v)) for code, v in rec["GEN_DATA"] if code != "B0"
    ),
}
