"""Records that were filled into a form are written as the same objects without one, whatever is filled in."""

import math

import pytest

from drycell.runtime.forms import Form
from drycell.runtime.stdf import LENIENT, Encoder, StdfError, from_json
from drycell.runtime.stdf.json_records import as_sent

PTR = {
    "type": "PTR", "REC_LEN": None, "REC_TYP": 15, "REC_SUB": 10, "TEST_NUM": 101, "HEAD_NUM": 0, "SITE_NUM": 1,
    "TEST_FLG": 0, "PARM_FLG": 0, "RESULT": 1.5, "TEST_TXT": "vout", "ALARM_ID": "", "OPT_FLAG": 2, "RES_SCAL": 0,
    "LO_LIMIT": 1.0, "HI_LIMIT": 2.0, "UNITS": "V", "rec_id": "PTR",
}  # fmt: skip
MPR = {
    "type": "MPR", "REC_TYP": 15, "REC_SUB": 15, "TEST_NUM": 102, "HEAD_NUM": 0, "SITE_NUM": 1, "TEST_FLG": 0,
    "PARM_FLG": 0, "RTN_ICNT": 0, "RSLT_CNT": 2, "RTN_RSLT": [1.0, 2.0], "TEST_TXT": "ramp",
}  # fmt: skip


def written(record):
    """The bytes of a record, or the sentence that refuses it."""
    try:
        return Encoder(rules=LENIENT).encode(as_sent(record))
    except StdfError as error:
        return str(error)


@pytest.mark.parametrize(
    ("record", "filled"),
    [
        (PTR, {}),
        (PTR, {"RESULT": -2.5, "TEST_FLG": 128}),
        (PTR, {"RESULT": 3, "TEST_FLG": 0}),
        (PTR, {"RESULT": None, "TEST_FLG": 2}),
        (PTR, {"RESULT": math.nan}),
        (PTR, {"RESULT": 1e300}),
        (PTR, {"RESULT": "1.5"}),
        (PTR, {"TEST_FLG": True}),
        (PTR, {"TEST_FLG": 256}),
        (PTR, {"UNITS": "Ω", "TEST_TXT": "x" * 300}),
        (PTR, {"LO_LIMIT": math.inf}),
        (PTR, {"type": "FTR"}),
        (PTR | {"UNITS": "Ω"}, {"RESULT": 1.0}),
        (PTR | {"HI_LIMIT": math.inf}, {"RESULT": 1.0}),
        (PTR | {"TEST_NUM": -1}, {"RESULT": 1.0}),
        (PTR | {"COLOUR": 1}, {"RESULT": 1.0}),
        (PTR | {"REC_SUB": 11}, {"RESULT": 1.0}),
        (MPR, {}),
        (MPR, {"RTN_RSLT": [3.5], "RSLT_CNT": 1}),
        (MPR, {"RTN_RSLT": [], "RSLT_CNT": 0}),
        (MPR, {"RTN_RSLT": [1.0], "RSLT_CNT": 2}),
        (MPR, {"RTN_RSLT": [True, "1"], "RSLT_CNT": 2}),
        (MPR, {"RTN_RSLT": None}),
        (MPR, {"RTN_ICNT": 1}),
    ],
    ids=lambda value: value.get("type") or str(value)[:40],
)
def test_a_filled_form_is_written_as_the_same_object(record, filled):
    assert written(Form(record, *filled).filled(filled)) == written(record | filled)


def test_a_record_of_ones_own_changes_no_other():
    sent = Form({"type": "PIR", "REC_TYP": 5, "REC_SUB": 10, "HEAD_NUM": 0, "SITE_NUM": 1}).filled({})
    own = from_json(sent)
    own.fields["SITE_NUM"] = 2
    assert Encoder().encode(own)[-1] == 2
    assert Encoder().encode(as_sent(sent))[-1] == Encoder().encode(from_json(sent))[-1] == 1
