"""The SCPI language: headers, paths, parameters, errors, status."""

import pytest

from drycell.plugins_sim.instruments.scpi import Boolean, Channels, Choice, Failure, Number, Text, block
from drycell.plugins_sim.instruments.scpi.errors import TEXTS, entry, event_bit
from drycell.plugins_sim.instruments.scpi.message import units
from drycell.plugins_sim.instruments.scpi.response import number, quoted
from tests.scpi.support import voltmeter


@pytest.mark.row("DVT-050", "DVT-051")
def test_a_line_is_headers_and_parameters() -> None:
    (unit,) = units("  CONF:VOLT:DC   10,0.001 ")
    assert (unit.keyword, unit.arguments, unit.query) == ("CONF:VOLT:DC", ("10", "0.001"), False)
    assert list(units("")) == list(units(" ; ;")) == []


@pytest.mark.row("DVT-052")
def test_a_query_with_parameters_is_a_query() -> None:
    (unit,) = units("VOLT? 1")
    assert (unit.query, unit.arguments, unit.keyword) == (True, ("1",), "VOLT")
    (unit,) = units('CONF "really?"')
    assert not unit.query


@pytest.mark.row("DVT-054")
@pytest.mark.parametrize(
    "header", ["VOLT", "volt", "VOLTage", ":VOLT", "SOUR:VOLT", "source:voltage:level", "VOLT:LEV:IMM", "VOLT:IMM"]
)
def test_long_and_short_forms_and_optional_words_are_one_command(header: str) -> None:
    toy = voltmeter()
    assert toy.answer(f"{header} 2.5") == ""
    assert toy.answer(f"{header}?") == "2.500"


@pytest.mark.parametrize("header", ["VOLTA", "VOL", "SOURC:VOLT", "VOLT:LEVE", "VOLT1", "VOLT:DC"])
def test_anything_between_long_and_short_is_undefined(header: str) -> None:
    toy = voltmeter()
    assert toy.answer(f"{header}?") == ""
    assert toy.answer("SYST:ERR?") == f'-113,"Undefined header;{header}"'


def test_semicolons_keep_the_path_and_colons_leave_it() -> None:
    toy = voltmeter()
    assert toy.answer("MEAS:VOLT?;CURR?") == "0.000;0.001"
    assert toy.answer("MEAS:VOLT?;*IDN?;CURR?") == "0.000;drycell,TOY,7,1.0.0;0.001"
    assert toy.answer("MEAS:VOLT?;:VOLT 3;:MEAS:VOLT?") == "0.000;3.000"
    assert toy.answer("MEAS:VOLT?;SOUR:VOLT?") == "3.000"
    assert toy.answer("SYST:ERR?") == '-113,"Undefined header;MEAS:SOUR:VOLT"'


def test_numeric_suffixes_of_headers() -> None:
    toy = voltmeter()
    assert toy.answer("OUTP:GAIN?") == "1"
    assert toy.answer("OUTPUT3:GAIN?;GAIN?") == "3;3"
    assert toy.answer("OUTP99999:GAIN?") == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0), ("+.5", 0.5), ("5.", 5.0), ("1e1", 10.0), ("1 E 1", 10.0), ("300 mV", 0.3), ("0.03KV", 30.0),
        ("2500000uV", 2.5), ("#H1F", 31.0), ("#Q17", 15.0), ("#b101", 5.0), ("MIN", -10.0), ("maximum", 60.0),
        ("DEF", 1.5), ("-9.999", -9.999),
    ],
)  # fmt: skip
def test_numbers(text: str, value: float) -> None:
    toy = voltmeter()
    assert toy.answer(f"VOLT {text};VOLT?") == number(value, 3)
    assert toy.answer("SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("VOLT", -109), ("VOLT 1,2", -108), ("VOLT ,", -103), ("VOLT,1", -103), ("VOLT x", -141), ("VOLT 1 W", -131),
        ("VOLT 1..2", -121), ('VOLT "5"', -158), ("VOLT (@1)", -178), ("VOLT #12ab", -168), ("VOLT 61", -222),
        ("VOLT 1e40000", -123), ("VOLT 1" + "0" * 300, -124), ("VOLT NAN", -141), ("VOLT INF", -141),
        ("1VOLT 5", -102), ("@#!", -102), ("VOLT\xff 5", -101), ('VOLT "5', -151), ("VOLT (5", -171),
        ("VOLTAGEOFSOMETHING 1", -112), ("MEAS:VOLT 5", -113), ("*IDN", -113), ("*FOO?", -113), ("CRAS?", -310),
        ("*TRG", -211), ("*ESE 256", -222), ("VOLT #9000000001x", -168), ("VOLT #5123", -161), ("::VOLT?", -102),
        ("VOLT:?", -103),
    ],
)  # fmt: skip
def test_every_mistake_has_its_number_and_no_answer(line: str, code: int) -> None:
    toy = voltmeter()
    toy.answer("*ESR?")
    assert toy.answer(line) == ""
    assert toy.answer("SYST:ERR?").startswith(f"{code},")
    assert toy.answer("SYST:ERR:COUN?") == "0"
    assert int(toy.answer("*ESR?")) == event_bit(code)
    assert toy.answer("VOLT?") == "0.000"


def test_a_command_error_ends_its_message_an_execution_error_its_unit() -> None:
    toy = voltmeter()
    assert toy.answer("VOLT 99;VOLT?") == "0.000"
    assert toy.answer("VOLTT 1;VOLT?") == ""
    assert toy.answer("SYST:ERR:ALL?").count("-") == 2


def test_limits_can_be_asked() -> None:
    assert voltmeter().answer("VOLT? MIN;VOLT? MAX;VOLT? DEF") == "-10.000;60.000;1.500"


def test_the_error_queue_overflows_into_350_and_clears() -> None:
    toy = voltmeter()
    for _ in range(25):
        toy.answer("BAD")
    assert toy.answer("SYST:ERR:COUN?") == "20"
    errors = [toy.answer("SYST:ERR?") for _ in range(21)]
    assert errors[:19] == ['-113,"Undefined header;BAD"'] * 19
    assert errors[19:] == ['-350,"Queue overflow"', '0,"No error"']
    toy.answer("BAD")
    toy.answer("*CLS")
    assert toy.answer("SYST:ERR?") == '0,"No error"'


@pytest.mark.row("DVT-055", "DVT-056", "DVT-057", "DVT-058")
def test_common_commands() -> None:
    toy = voltmeter()
    assert toy.answer("*IDN?") == "drycell,TOY,7,1.0.0"
    toy.answer("VOLT 5")
    assert toy.answer("*RST") == toy.answer("*CLS") == toy.answer("*OPC") == toy.answer("*WAI") == ""
    assert toy.answer("VOLT?;*OPC?;*TST?;*OPT?") == "0.000;1;0;0"
    assert toy.answer("SYST:VERS?") == "1999.0"
    for wrong in ("*IDN", "*RST?", "*CLS?"):
        toy.answer(wrong)
    assert toy.answer("SYST:ERR:COUN?") == "3"


def test_the_status_byte_sums_up() -> None:
    toy = voltmeter()
    assert toy.answer("*ESR?;*STB?") == "128;0"
    toy.answer("*ESE 32;*SRE 36")
    toy.answer("BAD")
    assert toy.answer("*STB?") == str(4 + 32 + 64)
    assert toy.answer("*ESR?;*ESR?") == "32;0"
    assert toy.answer("*STB?") == str(4 + 64)
    toy.answer("*OPC")
    assert toy.answer("*ESR?") == "1"
    assert toy.answer("*SRE?;*ESE?") == "36;32"


def test_condition_registers_latch_what_the_filters_let_through() -> None:
    toy = voltmeter()
    toy._conditions = lambda: (16, 0)
    assert toy.answer("STAT:OPER:COND?;EVEN?;EVEN?") == "16;16;0"
    toy._conditions = lambda: (0, 0)
    assert toy.answer("STAT:OPER?") == "0"
    toy.answer("STAT:OPER:NTR 16;ENAB 16")
    toy._conditions = lambda: (16, 0)
    toy.answer("STAT:OPER?")
    toy._conditions = lambda: (0, 0)
    assert toy.answer("*STB?") == "128"
    assert toy.answer("STAT:PRES;OPER:ENAB?;NTR?;PTR?") == "0;0;32767"


@pytest.mark.row("DVT-062")
@pytest.mark.parametrize("line", ["", "   ", ";", " ; ; "])
def test_an_empty_line_does_nothing(line: str) -> None:
    toy = voltmeter()
    assert toy.answer(line) == "" and toy.answer("SYST:ERR?") == '0,"No error"'


def test_other_kinds_of_parameters() -> None:
    assert [Boolean().read(t) for t in ("ON", "off", "1", "0", "0.4", "-3")] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    assert Choice(("VOLTage", "CURRent")).read("voltage") == "VOLT"
    assert Text().read("'it''s'") == "it's" and Text().read('"a;b"') == "a;b"
    assert Channels(5).read("(@1,3:5,2)") == (1, 3, 4, 5, 2)
    assert Channels(4, columns=4).read("(@1!2,203:204)") == (102, 203, 204)
    assert Number("CEL").read("300 K") == pytest.approx(26.85) and Number("CEL").read("212FAR") == pytest.approx(
        100.0
    )
    assert Number("OHM").read("2 MOHM") == 2e6 and Number("HZ").read("1.5MHZ") == 1.5e6
    for wrong in ("(@)", "(@6)", "(@1:2:3)", "@1", "(@-1)", "(@1", "(@0:99999)"):
        with pytest.raises(Failure):
            Channels(5).read(wrong)


def test_answers_are_written_as_the_standard_says() -> None:
    assert number(-0.0001, 2) == "0.00" and number(float("inf"), 3) == "9.9E+37"
    assert number(float("nan"), 3) == "9.91E+37" and quoted('a"b') == '"a""b"'
    assert block(b"x" * 12) == b"#212" + b"x" * 12 and block(b"") == b"#10"


def test_errors_are_ascii_and_bounded() -> None:
    assert all(len(entry(code, 'ä"\n' * 500)) <= 255 and entry(code, "ä").isascii() for code in TEXTS)


@pytest.mark.row("DVT-061")
def test_a_fault_of_the_instrument_itself_is_an_error_like_any_other() -> None:
    toy = voltmeter()
    assert toy.answer("VOLT 2;:CRAS?;:VOLT?") == "2.000"
    assert toy.answer("SYST:ERR?").startswith('-310,"System error;CRAS: ZeroDivisionError')


@pytest.mark.row("DVT-053")
def test_the_table_of_an_instrument_can_be_read() -> None:
    assert ("MEASure:VOLTage[:DC]", False, True) in voltmeter().patterns
    assert voltmeter().process("  *IDN?  ") == "drycell,TOY,7,1.0.0"
