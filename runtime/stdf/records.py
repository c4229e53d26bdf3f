"""All record types of STDF V4, the V4-2007 additions whose layout is certain, and the registry of both.

Source: "Standard Test Data Format (STDF) Specification, Version 4" (Teradyne), section "STDF Record Types"; V4-2007:
only layouts on which independent public implementations agree. STR (V4-2007) is opaque here, because they disagree
on its fields (CYC_CNT_T, MASK_MAP), and so are the memory records of 2010.1 and the reserved types: their bytes are
carried unchanged in the field DATA.
"""

from typing import Any

from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.table import REQUIRED, Absence, Field, Record, RecordType

UNKNOWN_COUNT = 4_294_967_295
NO_COORD = -32768


def _need(type: str, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, type) for name in names)


def _opt(type: str, missing: Any, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, type, missing) for name in names)


def _text(*names: str) -> tuple[Field, ...]:
    return _opt("Cn", "", *names)


def _count(type: str, name: str, missing: Any = Absence.COUNT) -> tuple[Field, ...]:
    return (Field(name, type, missing),)


def _array(type: str, name: str, count: str, missing: Any = REQUIRED) -> tuple[Field, ...]:
    return (Field(name, type, missing, count=count),)


def _flagged(type: str, name: str, flag: str, *bits: int) -> tuple[Field, ...]:
    return (Field(name, type, 0, flag=flag, bits=bits),)


def _flags(base: int) -> tuple[Field, ...]:
    return (Field("OPT_FLAG", "B1", Absence.FLAGS, base=base),)


def _make(name: str, typ: int, sub: int, title: str, *groups: tuple[Field, ...]) -> RecordType:
    return RecordType(name, typ, sub, title, tuple(f for group in groups for f in group))


_HEAD_SITE = _need("U1", "HEAD_NUM", "SITE_NUM")
_COUNTS = _opt("U4", UNKNOWN_COUNT, "RTST_CNT", "ABRT_CNT", "GOOD_CNT", "FUNC_CNT")
_SCALES = (
    *_flagged("I1", "RES_SCAL", "OPT_FLAG", 0),
    *_opt("I1", 0, "LLM_SCAL", "HLM_SCAL"),
    *_flagged("R4", "LO_LIMIT", "OPT_FLAG", 6, 4),
    *_flagged("R4", "HI_LIMIT", "OPT_FLAG", 7, 5),
)
_SPECS = (*_flagged("R4", "LO_SPEC", "OPT_FLAG", 2), *_flagged("R4", "HI_SPEC", "OPT_FLAG", 3))
_MIR_TEXT = (
    "JOB_REV", "SBLOT_ID", "OPER_NAM", "EXEC_TYP", "EXEC_VER", "TEST_COD", "TST_TEMP", "USER_TXT", "AUX_FILE",
    "PKG_TYP", "FAMLY_ID", "DATE_COD", "FACIL_ID", "FLOOR_ID", "PROC_ID", "OPER_FRQ", "SPEC_NAM", "SPEC_VER",
    "FLOW_ID", "SETUP_ID", "DSGN_REV", "ENG_ID", "ROM_COD", "SERL_NUM", "SUPR_NAM",
)  # fmt: skip
_SDR_TEXT = (
    "HAND_TYP", "HAND_ID", "CARD_TYP", "CARD_ID", "LOAD_TYP", "LOAD_ID", "DIB_TYP", "DIB_ID", "CABL_TYP", "CABL_ID",
    "CONT_TYP", "CONT_ID", "LASR_TYP", "LASR_ID", "EXTR_TYP", "EXTR_ID",
)  # fmt: skip

V4 = (
    _make("FAR", 0, 10, "File Attributes", _need("U1", "CPU_TYPE", "STDF_VER")),
    _make("ATR", 0, 20, "Audit Trail", _need("U4", "MOD_TIM"), _need("Cn", "CMD_LINE")),
    _make(
        "MIR", 1, 10, "Master Information",
        _need("U4", "SETUP_T", "START_T"), _need("U1", "STAT_NUM"),
        _opt("C1", " ", "MODE_COD", "RTST_COD", "PROT_COD"),
        _opt("U2", 65535, "BURN_TIM"), _opt("C1", " ", "CMOD_COD"),
        _need("Cn", "LOT_ID", "PART_TYP", "NODE_NAM", "TSTR_TYP", "JOB_NAM"), _text(*_MIR_TEXT),
    ),
    _make(
        "MRR", 1, 20, "Master Results",
        _need("U4", "FINISH_T"), _opt("C1", " ", "DISP_COD"), _text("USR_DESC", "EXC_DESC"),
    ),
    _make("PCR", 1, 30, "Part Count", _HEAD_SITE, _need("U4", "PART_CNT"), _COUNTS),
    _make(
        "HBR", 1, 40, "Hardware Bin",
        _HEAD_SITE, _need("U2", "HBIN_NUM"), _need("U4", "HBIN_CNT"), _opt("C1", " ", "HBIN_PF"), _text("HBIN_NAM"),
    ),
    _make(
        "SBR", 1, 50, "Software Bin",
        _HEAD_SITE, _need("U2", "SBIN_NUM"), _need("U4", "SBIN_CNT"), _opt("C1", " ", "SBIN_PF"), _text("SBIN_NAM"),
    ),
    _make(
        "PMR", 1, 60, "Pin Map",
        _need("U2", "PMR_INDX"), _opt("U2", 0, "CHAN_TYP"), _text("CHAN_NAM", "PHY_NAM", "LOG_NAM"),
        _opt("U1", 1, "HEAD_NUM", "SITE_NUM"),
    ),
    _make(
        "PGR", 1, 62, "Pin Group",
        _need("U2", "GRP_INDX"), _text("GRP_NAM"), _count("U2", "INDX_CNT"), _array("kU2", "PMR_INDX", "INDX_CNT"),
    ),
    _make(
        "PLR", 1, 63, "Pin List",
        _count("U2", "GRP_CNT"), _array("kU2", "GRP_INDX", "GRP_CNT"),
        _array("kU2", "GRP_MODE", "GRP_CNT", 0),
        _array("kU1", "GRP_RADX", "GRP_CNT", 0), _array("kCn", "PGM_CHAR", "GRP_CNT", ""),
        _array("kCn", "RTN_CHAR", "GRP_CNT", ""), _array("kCn", "PGM_CHAL", "GRP_CNT", ""),
        _array("kCn", "RTN_CHAL", "GRP_CNT", ""),
    ),
    _make("RDR", 1, 70, "Retest Data", _count("U2", "NUM_BINS"), _array("kU2", "RTST_BIN", "NUM_BINS")),
    _make(
        "SDR", 1, 80, "Site Description",
        _need("U1", "HEAD_NUM", "SITE_GRP"), _count("U1", "SITE_CNT"),
        _array("kU1", "SITE_NUM", "SITE_CNT"), _text(*_SDR_TEXT),
    ),
    _make(
        "WIR", 2, 10, "Wafer Information",
        _need("U1", "HEAD_NUM"), _opt("U1", 255, "SITE_GRP"), _need("U4", "START_T"), _text("WAFER_ID"),
    ),
    _make(
        "WRR", 2, 20, "Wafer Results",
        _need("U1", "HEAD_NUM"), _opt("U1", 255, "SITE_GRP"), _need("U4", "FINISH_T", "PART_CNT"), _COUNTS,
        _text("WAFER_ID", "FABWF_ID", "FRAME_ID", "MASK_ID", "USR_DESC", "EXC_DESC"),
    ),
    _make(
        "WCR", 2, 30, "Wafer Configuration",
        _opt("R4", 0.0, "WAFR_SIZ", "DIE_HT", "DIE_WID"), _opt("U1", 0, "WF_UNITS"), _opt("C1", " ", "WF_FLAT"),
        _opt("I2", NO_COORD, "CENTER_X", "CENTER_Y"), _opt("C1", " ", "POS_X", "POS_Y"),
    ),
    _make("PIR", 5, 10, "Part Information", _HEAD_SITE),
    _make(
        "PRR", 5, 20, "Part Results",
        _HEAD_SITE, _need("B1", "PART_FLG"), _need("U2", "NUM_TEST", "HARD_BIN"), _opt("U2", 65535, "SOFT_BIN"),
        _opt("I2", NO_COORD, "X_COORD", "Y_COORD"), _opt("U4", 0, "TEST_T"), _text("PART_ID", "PART_TXT"),
        _opt("Bn", b"", "PART_FIX"),
    ),
    _make(
        "TSR", 10, 30, "Test Synopsis",
        _HEAD_SITE, _opt("C1", " ", "TEST_TYP"), _need("U4", "TEST_NUM"),
        _opt("U4", UNKNOWN_COUNT, "EXEC_CNT", "FAIL_CNT", "ALRM_CNT"), _text("TEST_NAM", "SEQ_NAME", "TEST_LBL"),
        _flags(0xC8), _flagged("R4", "TEST_TIM", "OPT_FLAG", 2), _flagged("R4", "TEST_MIN", "OPT_FLAG", 0),
        _flagged("R4", "TEST_MAX", "OPT_FLAG", 1), _flagged("R4", "TST_SUMS", "OPT_FLAG", 4),
        _flagged("R4", "TST_SQRS", "OPT_FLAG", 5),
    ),
    _make(
        "PTR", 15, 10, "Parametric Test",
        _need("U4", "TEST_NUM"), _HEAD_SITE, _need("B1", "TEST_FLG", "PARM_FLG"),
        _flagged("R4", "RESULT", "TEST_FLG", 1), _text("TEST_TXT", "ALARM_ID"), _flags(0x02), _SCALES,
        _text("UNITS", "C_RESFMT", "C_LLMFMT", "C_HLMFMT"), _SPECS,
    ),
    _make(
        "MPR", 15, 15, "Multiple-Result Parametric",
        _need("U4", "TEST_NUM"), _HEAD_SITE, _need("B1", "TEST_FLG", "PARM_FLG"),
        _count("U2", "RTN_ICNT", 0), _count("U2", "RSLT_CNT", 0),
        _array("kN1", "RTN_STAT", "RTN_ICNT", None), _array("kR4", "RTN_RSLT", "RSLT_CNT", None),
        _text("TEST_TXT", "ALARM_ID"),
        _flags(0x00), _SCALES, _flagged("R4", "START_IN", "OPT_FLAG", 1), _flagged("R4", "INCR_IN", "OPT_FLAG", 1),
        _array("kU2", "RTN_INDX", "RTN_ICNT", None),
        _text("UNITS", "UNITS_IN", "C_RESFMT", "C_LLMFMT", "C_HLMFMT"), _SPECS,
    ),
    _make(
        "FTR", 15, 20, "Functional Test",
        _need("U4", "TEST_NUM"), _HEAD_SITE, _need("B1", "TEST_FLG"), _flags(0xC0),
        _flagged("U4", "CYCL_CNT", "OPT_FLAG", 0), _flagged("U4", "REL_VADR", "OPT_FLAG", 1),
        _flagged("U4", "REPT_CNT", "OPT_FLAG", 2), _flagged("U4", "NUM_FAIL", "OPT_FLAG", 3),
        _flagged("I4", "XFAIL_AD", "OPT_FLAG", 4), _flagged("I4", "YFAIL_AD", "OPT_FLAG", 4),
        _flagged("I2", "VECT_OFF", "OPT_FLAG", 5), _count("U2", "RTN_ICNT", 0), _count("U2", "PGM_ICNT", 0),
        _array("kU2", "RTN_INDX", "RTN_ICNT", None), _array("kN1", "RTN_STAT", "RTN_ICNT", None),
        _array("kU2", "PGM_INDX", "PGM_ICNT", None), _array("kN1", "PGM_STAT", "PGM_ICNT", None),
        _opt("Dn", (0, b""), "FAIL_PIN"),
        _text("VECT_NAM", "TIME_SET", "OP_CODE", "TEST_TXT", "ALARM_ID", "PROG_TXT", "RSLT_TXT"),
        _opt("U1", 255, "PATG_NUM"), _opt("Dn", (0, b""), "SPIN_MAP"),
    ),
    _make("BPS", 20, 10, "Begin Program Section", _text("SEQ_NAME")),
    _make("EPS", 20, 20, "End Program Section"),
    _make("GDR", 50, 10, "Generic Data", _count("U2", "FLD_CNT"), _array("Vn", "GEN_DATA", "FLD_CNT")),
    _make("DTR", 50, 30, "Datalog Text", _need("Cn", "TEXT_DAT")),
)  # fmt: skip

V4_2007 = (
    _make("VUR", 0, 30, "Version Update", _need("Cn", "UPD_NAM")),
    _make(
        "PSR", 1, 90, "Pattern Sequence",
        _need("B1", "CONT_FLG"), _need("U2", "PSR_INDX"), _text("PSR_NAM"), _need("B1", "OPT_FLG"),
        _need("U2", "TOTP_CNT"), _count("U2", "LOCP_CNT"), _array("kU8", "PAT_BGN", "LOCP_CNT"),
        _array("kU8", "PAT_END", "LOCP_CNT"), _array("kCn", "PAT_FILE", "LOCP_CNT"),
        _array("kCn", "PAT_LBL", "LOCP_CNT", ""), _array("kCn", "FILE_UID", "LOCP_CNT", ""),
        _array("kCn", "ATPG_DSC", "LOCP_CNT", ""), _array("kCn", "SRC_ID", "LOCP_CNT", ""),
    ),
    _make(
        "NMR", 1, 91, "Name Map",
        _need("B1", "CONT_FLG"), _need("U2", "TOTM_CNT"), _count("U2", "LOCM_CNT"),
        _array("kU2", "PMR_INDX", "LOCM_CNT"), _array("kCn", "ATPG_NAM", "LOCM_CNT"),
    ),
    _make("CNR", 1, 92, "Cell Name", _need("U2", "CHN_NUM"), _need("U4", "BIT_POS"), _need("Sn", "CELL_NAM")),
    _make(
        "SSR", 1, 93, "Scan Structure",
        _need("Cn", "SSR_NAM"), _count("U2", "CHN_CNT"), _array("kU2", "CHN_LIST", "CHN_CNT"),
    ),
    _make(
        "CDR", 1, 94, "Chain Description",
        _need("B1", "CONT_FLG"), _need("U2", "CDR_INDX"), _text("CHN_NAM"), _need("U4", "CHN_LEN"),
        _need("U2", "SIN_PIN", "SOUT_PIN"), _count("U1", "MSTR_CNT"), _array("kU2", "M_CLKS", "MSTR_CNT"),
        _count("U1", "SLAV_CNT"), _array("kU2", "S_CLKS", "SLAV_CNT"), _need("U1", "INV_VAL"),
        _count("U2", "LST_CNT"), _array("kSn", "CELL_LST", "LST_CNT"),
    ),
)  # fmt: skip


def _opaque(name: str, typ: int, sub: int, title: str) -> RecordType:
    return _make(name, typ, sub, title, _opt("Raw", b"", "DATA"))


OPAQUE = (
    _opaque("STR", 15, 30, "Scan Test"),
    _opaque("ASR", 1, 95, "Algorithm Specification"),
    _opaque("FSR", 1, 96, "Frame Specification"),
    _opaque("BSR", 1, 97, "Bit Stream Specification"),
    _opaque("MSR", 1, 99, "Memory Structure"),
    _opaque("MCR", 1, 100, "Memory Controller"),
    _opaque("IDR", 1, 101, "Instance Description"),
    _opaque("MMR", 1, 102, "Memory Model"),
    _opaque("MTR", 15, 40, "Memory Test"),
    *(_opaque(f"R{typ}_{sub}", typ, sub, "Reserved") for typ in (180, 181) for sub in range(256)),
)

TYPES: dict[str, RecordType] = {t.name: t for t in (*V4, *V4_2007, *OPAQUE)}
BY_CODE: dict[int, RecordType] = {t.code: t for t in TYPES.values()}


def record(name: str, /, **fields: Any) -> Record:
    """A record by type name and fields, for example ``record("PIR", HEAD_NUM=1, SITE_NUM=0)``.

    Raises ``StdfError`` for a name that is no record type; fields are judged when the record is written.
    """
    if name not in TYPES:
        raise StdfError(f"there is no record type {name!r}", right=f"one of {', '.join(t.name for t in V4)}")
    return Record(TYPES[name], fields)
