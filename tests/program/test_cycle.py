"""One device: values become records, verdicts become a bin, and an exception costs one test and no more."""

import math
from typing import Any

import pytest

from drycell.runtime.program import Context, Limit, Program
from drycell.runtime.stdf import STRICT, Encoder, from_json
from tests.program.worlds import BINS, TERMINATE, live, log, next_part, results

FAILED, RAISED, INVALID = 128, 1, 130


def measured(value: Any, *limits: Limit) -> list[dict[str, Any]]:
    """The records of one device of a program with one test that returns ``value``."""
    program = Program(bins=BINS)
    program.test(*limits or (Limit(0, 1, "V"),), bin=11)(lambda ctx: value() if callable(value) else value)
    return results(live(program, next_part("D1"), TERMINATE)[0])


@pytest.mark.parametrize(
    ("value", "flag", "soft_bin"),
    [(0.0, 0, 1), (1.0, 0, 1), (0.5, 0, 1), (1.001, FAILED, 11), (-0.001, FAILED, 11), (5, FAILED, 11)],
)
def test_limits_are_inclusive(value: float, flag: int, soft_bin: int) -> None:
    pir, ptr, ftr, prr = measured(value)
    assert (pir["type"], ptr["TEST_FLG"], ftr["TEST_FLG"]) == ("PIR", flag, flag)
    assert ptr["RESULT"] == pytest.approx(value)
    assert (prr["SOFT_BIN"], prr["PART_FLG"], prr["PART_ID"]) == (soft_bin, 8 if flag else 0, "D1")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_invalid_and_failed(value: float) -> None:
    _, ptr, ftr, prr = measured(value)
    assert (ptr["TEST_FLG"], ptr["RESULT"], ftr["TEST_FLG"], prr["SOFT_BIN"]) == (INVALID, 0.0, FAILED, 11)


def test_a_missing_limit_is_absent_in_the_record_and_the_flags_say_so() -> None:
    ptr = measured(5.0, Limit(1, None, "V"))[1]
    assert (ptr["LO_LIMIT"], ptr.get("HI_LIMIT")) == (1.0, None) or ptr["OPT_FLAG"] & 0x80
    assert ptr["OPT_FLAG"] & 0xC0 == 0x80


def test_values_and_limits_are_scaled_together() -> None:
    ptr = measured(0.5, Limit(0, 1, "mV", exp10=3))[1]
    assert (ptr["RESULT"], ptr["HI_LIMIT"], ptr["RES_SCAL"], ptr["UNITS"]) == (500.0, 1000.0, -3, "mV")


def test_a_list_of_values_is_one_mpr() -> None:
    mpr = measured([0.25, 2.0], Limit(0, 1, "V", many=True))[1]
    assert (mpr["type"], mpr["RTN_RSLT"], mpr["TEST_FLG"]) == ("MPR", [0.25, 2.0], FAILED)


def test_every_record_is_strict_stdf() -> None:
    for value in (0.5, 7.0, math.nan, ZeroDivisionError):
        for one in measured(value, Limit(None, 1, "V")):
            Encoder(rules=STRICT).encode(from_json(one))


@pytest.mark.row("SEQ-51")
def test_an_exception_fails_its_test_into_the_error_bin_and_the_others_still_run() -> None:
    program = Program(bins=BINS)

    @program.test(Limit(0, 1), bin=11)
    def broken(ctx: Context) -> float:
        return 1 / 0

    @program.test(Limit(0, 1), bin=12)
    def fine(ctx: Context) -> float:
        return 0.5

    world, _ = live(program, next_part(), TERMINATE)
    _, first, first_ftr, second, second_ftr, prr = results(world)
    assert (first["TEST_FLG"], first_ftr["TEST_FLG"], second["TEST_FLG"]) == (INVALID, RAISED, 0)
    assert (second_ftr["TEST_FLG"], prr["SOFT_BIN"], prr["HARD_BIN"]) == (0, 0, 0)
    line = broken.__code__.co_firstlineno + 2
    assert any(f"broken, line {line}: ZeroDivisionError: division by zero" in str(said) for said in log(world))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.5", "is '0.5', not a number"),
        (None, "is None, not a number"),
        (True, "is True, not a number"),
        ([0.5], "is [0.5], not a number"),
    ],
)
def test_a_value_that_is_no_number_is_an_exception_that_says_so(value: Any, said: str) -> None:
    program = Program(bins=BINS)
    program.test(Limit(0, 1), bin=11)(lambda ctx: value)
    world, _ = live(program, next_part(), TERMINATE)
    assert results(world)[2]["TEST_FLG"] == RAISED
    assert any(said in str(line) for line in log(world))


def test_the_first_failing_test_decides_the_bin_and_grades_only_fall() -> None:
    program = Program(bins={1: {1: "Good", 2: "Second", 3: "Third"}, 3: {11: "Bad", 12: "Worse"}})
    wishes = iter([3, 2, None, 2, None])

    @program.test(Limit(0, 1), bin=11)
    def first(ctx: Context) -> float:
        wish = next(wishes)
        if wish is not None:
            ctx.bin(wish)
        return 0.5 if wish else 5.0

    @program.test(Limit(0, 1), bin=12)
    def second(ctx: Context) -> float:
        wish = next(wishes)
        if wish is not None:
            ctx.bin(wish)
        return 5.0 if ctx.part_id == "3" else 0.5

    world, _ = live(program, next_part("1"), next_part("2"), TERMINATE)
    assert [one["SOFT_BIN"] for one in results(world) if one["type"] == "PRR"] == [3, 11]


@pytest.mark.row("SEQ-20", "SEQ-43")
def test_stop_on_fail_ends_this_device_only() -> None:
    program = Program(bins=BINS)
    ran: list[str] = []

    @program.test(bin=11)
    def first(ctx: Context) -> bool:
        ran.append(f"first {ctx.part_id}")
        return False

    @program.test(bin=12)
    def second(ctx: Context) -> None:
        ran.append(f"second {ctx.part_id}")

    live(program, next_part("1", stop_on_fail=1), next_part("2"), TERMINATE)
    assert ran == ["first 1", "first 2", "second 2"]


@pytest.mark.row("SEQ-19", "SEQ-21")
def test_the_trigger_pulses_before_the_test_of_the_option_and_after_a_failing_one() -> None:
    program = Program(bins=BINS)
    program.test(bin=11)(_named("one", None))
    program.test(bin=11)(_named("two", False))
    program.test(bin=11)(_named("three", None))

    def pulses(dialect: str, **options: Any) -> list[object]:
        world, _ = live(program, next_part(**options), TERMINATE, dialect=dialect)
        return [(facts["cause"], facts["test"]) for kind, facts in world.notes if kind == "trigger"]

    for dialect, index in (("specification", 1), ("semi-ate", 0)):  # semi-ate: because of the test before
        assert pulses(dialect) == []
        assert pulses(dialect, trigger_on_test=1) == [("test", index)]
        assert pulses(dialect, trigger_on_test=1, trigger_on_fail=1) == [("test", index), ("fail", 1)]
    assert pulses("specification", trigger_on_test=0) == [("test", 0)]
    assert pulses("semi-ate", trigger_on_test=0) == []


def _named(name: str, value: Any) -> Any:
    def function(ctx: Context) -> Any:
        return value

    function.__name__ = name
    return function


def test_test_time_is_time_on_the_clock_of_the_cell() -> None:
    program = Program(bins=BINS)
    program.test(bin=11)(lambda ctx: ctx.sleep(1.25))
    assert results(live(program, next_part(), TERMINATE)[0])[-1]["TEST_T"] == 1250
