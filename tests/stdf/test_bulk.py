"""The bulk path writes the very bytes that single records make, and is as strict."""

import numpy as np
import pytest
from stdf_material import mpr, part, ptr

from drycell.runtime.stdf import Encoder, Record, Rules, StdfError, from_json
from drycell.runtime.stdf.bulk import Template

PTR = from_json(ptr(0, 101, 1.5))
MPR = from_json(mpr(0, 102, [1.0, 2.0, 3.0]))
FTR = from_json(part(0, "1")[3])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_filled_template_is_what_single_records_are(order: str) -> None:
    n = 50
    numbers = np.arange(n) + 100
    results = np.linspace(-1, 1, n).astype(np.float32)
    template = Template.one(PTR, "TEST_NUM", "RESULT", "TEST_FLG", order=order)  # type: ignore[arg-type]
    singles = [
        Record(PTR.type, {**PTR.fields, "TEST_NUM": int(i), "RESULT": float(x), "TEST_FLG": int(i) % 2 * 128})
        for i, x in zip(numbers, results, strict=True)
    ]
    data = template.fill({"TEST_NUM": numbers, "RESULT": results, "TEST_FLG": numbers % 2 * 128})
    assert data == Encoder(order).encode_all(singles)  # type: ignore[arg-type]
    back = template.read(data)
    assert (back["TEST_NUM"] == numbers).all() and (back["RESULT"] == results).all()


def test_arrays_of_mpr_and_numbers_of_ftr_may_vary() -> None:
    rows = np.arange(12, dtype=float).reshape(4, 3)
    data = Template.one(MPR, "RTN_RSLT").fill({"RTN_RSLT": rows})
    assert data == b"".join(Encoder().encode(Record(MPR.type, {**MPR.fields, "RTN_RSLT": list(r)})) for r in rows)
    cycles = Template.one(FTR, "CYCL_CNT", "VECT_OFF").fill({"CYCL_CNT": [1, 2], "VECT_OFF": -3})
    assert cycles == b"".join(
        Encoder().encode(Record(FTR.type, {**FTR.fields, "CYCL_CNT": c, "VECT_OFF": -3})) for c in (1, 2)
    )


def test_a_row_may_be_a_whole_part() -> None:
    recs = [from_json(r) for r in part(0, "001")]
    template = Template(recs, {"v": (1, "RESULT"), "id": (4, "PART_ID"), "site": (0, "SITE_NUM")})
    data = template.fill({"v": [1.0, 2.0], "id": ["001", "002"], "site": 0})
    second = [from_json(r) for r in part(0, "002")]
    second[1].fields["RESULT"] = 2.0
    recs[1].fields["RESULT"] = 1.0
    assert data == Encoder().encode_all([*recs, *second])


WRONG = {
    "range": ({"SITE_NUM": [0, 256], "RESULT": 1.0}, "PTR, field SITE_NUM: row 1 is out of range"),
    "negative": ({"SITE_NUM": [-1, 0], "RESULT": 1.0}, "row 0 is out of range; an integer from 0 to 255"),
    "nan": ({"SITE_NUM": 0, "RESULT": [1.0, np.nan]}, "PTR, field RESULT: row 1 is nan"),
    "too large": ({"SITE_NUM": 0, "RESULT": [1e39]}, "field RESULT: row 0 is 1e+39"),
    "kind": ({"SITE_NUM": [0.5], "RESULT": 1.0}, "takes no float64"),
    "column": ({"SITE_NUM": [0]}, "the columns are ['SITE_NUM']; ['RESULT', 'SITE_NUM']"),
    "lengths": ({"SITE_NUM": [0, 1, 2], "RESULT": [1.0, 2.0]}, "the columns have [2, 3] values"),
}


@pytest.mark.parametrize("name", WRONG)
def test_values_that_do_not_fit_are_refused_by_row(name: str) -> None:
    columns, words = WRONG[name]
    with pytest.raises(StdfError) as caught:
        Template.one(PTR, "SITE_NUM", "RESULT").fill(columns)
    assert words in str(caught.value)


def test_infinities_are_kept_only_by_rule_and_overflow_never() -> None:
    template = Template.one(PTR, "RESULT", rules=Rules(nonfinite="keep"))
    assert np.isinf(template.read(template.fill({"RESULT": [np.inf]}))["RESULT"][0])
    with pytest.raises(StdfError, match="row 0 is 1e"):
        template.fill({"RESULT": [1e39]})


def test_a_template_that_cannot_be_is_refused() -> None:
    for fields, words in ((["ALARM_ID"], "cannot vary"), (["CYCL_CNT"], "is not in the template's record")):
        with pytest.raises(StdfError, match=words):
            Template.one(PTR, *fields)
    with pytest.raises(StdfError, match="each text has 11 characters"):
        Template.one(PTR, "TEST_TXT").fill({"TEST_TXT": ["ldo.vout1", "ldo.vout22"]})


def test_reading_back_refuses_bytes_that_are_not_the_templates() -> None:
    template = Template.one(PTR, "RESULT")
    data = bytearray(template.fill({"RESULT": [1.0, 2.0]}))
    data[template.row_bytes + 4] ^= 1
    with pytest.raises(StdfError, match=f"at byte {template.row_bytes + 4}: row 1 has the byte"):
        template.read(bytes(data))
