"""What an author can get wrong is refused when the file is loaded, in one sentence; what is right has its numbers."""

from collections.abc import Callable

import pytest

from drycell.runtime.program import Context, Limit, Program, ProgramError
from tests.program.worlds import BINS


def test_numbers_names_and_bins_follow_from_the_order_of_definition() -> None:
    program = Program(bins=BINS)

    @program.test(Limit(0, 1, "V", name="low"), Limit(1, 2, "V", name="high", bin=12), bin=11)
    def levels(ctx: Context, load_a: float = 0.1) -> tuple[float, float]:
        return 0.5, 1.5

    @program.test(bin=11)
    def functional(ctx: Context) -> bool:
        return True

    first, second = program.tests
    assert [(output.name, output.test_num, output.bin) for output in first.outputs] == [
        ("levels.low", 101, 11),
        ("levels.high", 102, 12),
    ]
    assert (first.number, first.inputs, second.number, second.outputs) == (100, {"load_a": 0.1}, 200, ())


def test_a_decorated_function_is_still_the_function() -> None:
    program = Program(bins=BINS)

    @program.test(Limit(0, 1), bin=11)
    def plain(ctx: object, factor: float = 2.0) -> float:
        return 0.1 * factor

    assert plain(None, 3.0) == pytest.approx(0.3)


def test_an_error_bin_is_there_unless_the_program_names_it() -> None:
    assert Program(bins={1: {1: "Good"}}).bin_table == {1: (1,), 0: (0,)}
    assert Program(bins={1: {1: "Good"}, 7: {0: "Alarm"}}).bin_table == {1: (1,), 7: (0,)}


def no_default(program: Program) -> None:
    program.test(bin=11)(lambda ctx, volts: None)


def upside_down(program: Program) -> None:
    program.test(Limit(2, 1), bin=11)(lambda ctx: 0.0)


def nameless(program: Program) -> None:
    program.test(Limit(0, 1), Limit(0, 1), bin=11)(lambda ctx: (0.0, 0.0))


def unknown_bin(program: Program) -> None:
    program.test(bin=99)(lambda ctx: None)


def twice(program: Program) -> None:
    program.test(bin=11)(lambda ctx: None)
    program.test(bin=11)(lambda ctx: None)


def same_number(program: Program) -> None:
    program.test(Limit(0, 1), bin=11, number=5)(lambda ctx: 0.0)

    @program.test(bin=11, number=6)
    def other(ctx: Context) -> None: ...


def strange_range(program: Program) -> None:
    program.test(bin=11, ranges={"volts": (0, 1)})(lambda ctx: None)


def strange_moment(program: Program) -> None:
    @program.on
    def cycle_start(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (no_default, "input parameter volts needs a number as default"),
        (upside_down, "the limits 2 to 1 let nothing pass"),
        (nameless, "its limits need a name each"),
        (unknown_bin, "bins has no soft bin 99; it has 0, 1, 10, 11, 12"),
        (twice, "there are two tests of this name"),
        (same_number, "are partly taken; give another number="),
        (strange_range, "ranges names ['volts'], which are no inputs"),
        (strange_moment, "'cycle_start' is no moment of a program; @program.on takes setup, cycle_teardown"),
    ],
)
def test_a_mistake_is_refused_in_words(mistake: Callable[[Program], None], said: str) -> None:
    with pytest.raises(ProgramError) as refused:
        mistake(Program(bins=BINS))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("bins", "said"),
    [
        ({2: {11: "Bad"}}, "bins names no soft bin 1"),
        ({1: {1: "Good"}, 2: {1: "Also"}}, "soft bins [1] belong to two hard bins"),
        ({1: {1: "Good", 40_000: "Far"}}, "bin 40000 cannot be"),
    ],
)
def test_bins_that_cannot_be_are_refused(bins: dict[int, dict[int, str]], said: str) -> None:
    with pytest.raises(ProgramError) as refused:
        Program(bins=bins)
    assert said in str(refused.value)
