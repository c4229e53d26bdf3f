"""A recorded lot: its file, its devices, and the instrument that answers for them."""

import pytest

from drycell.plugins_sim.devices.recorded import RecordedInstrument, RecordedPopulation, recorded_lot
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import PopulationRequest
from drycell.sim.replay.lot_file import Row, read_lot, write_lot

ASK = "MEAS:VOUT? (@{site})"
ROWS = [
    Row(1, 0, "A7", {ASK: ("3.1",)}),
    Row(1, 1, "A8", {ASK: ("3.2", "3.3")}),
    Row(2, 1, "A7", {ASK: ("3.4",)}),
    Row(3, 0, "A9", {}),
]


def seated(population, *seats):
    """An instrument before which these devices (site, number) touched in turn."""
    instrument = RecordedInstrument(lambda site: None)
    for site, number in seats:
        instrument.seat(site, None if number is None else population.device(number))
    return instrument


def test_a_lot_file_is_read_as_it_was_written(tmp_path):
    write_lot(tmp_path / "lot.csv", ROWS)
    assert read_lot(tmp_path / "lot.csv") == ROWS


def test_devices_keep_their_names_and_touchdowns():
    population = RecordedPopulation(ROWS)
    assert population.parts == {1: "A7", 2: "A8", 3: "A9"}
    assert population.touchdowns == [{0: 1, 1: 2}, {1: 1}, {0: 3}]


def test_answers_come_in_their_order_and_the_last_is_repeated():
    instrument = seated(RecordedPopulation(ROWS), (1, 2))
    assert [instrument.answer("MEAS:VOUT? (@1)") for _ in range(3)] == ["3.2", "3.3", "3.3"]


def test_a_device_in_contact_again_answers_as_it_did_then():
    instrument = seated(RecordedPopulation(ROWS), (0, 1), (0, None), (1, 1))
    assert instrument.answer("MEAS:VOUT? (@1)") == "3.4"
    assert instrument.answer("MEAS:VOUT? (@0)").startswith("ERROR no device in contact")


def test_what_was_never_answered_is_an_error():
    instrument = seated(RecordedPopulation(ROWS), (0, 3))
    assert instrument.answer("MEAS:VOUT? (@0)").startswith("ERROR")
    assert instrument.answer("*IDN?").startswith("drycell")
    assert instrument.answer("OUTP ON,(@1)") == ""


def test_a_contact_without_answers_takes_those_of_the_nearest():
    population = RecordedPopulation([Row(1, 0, "1", {}), Row(2, 0, "1", {ASK: ("5",)})])
    assert seated(population, (0, 1)).answer("MEAS:VOUT? (@0)") == "5"


def test_outside_of_a_contact_it_answers_what_was_answered_then(tmp_path):
    outside = Row(0, 1, "", {"psu> *IDN?": ("ACME",), "SYST:ERR?": ("1", "0"), "OUTP? (@{channel})": ("1",)})
    write_lot(tmp_path / "lot.csv", [outside, *ROWS])
    population = RecordedPopulation(read_lot(tmp_path / "lot.csv"))
    psu, meter = (RecordedInstrument(lambda site: None) for _ in "12")
    psu.prepare("psu", population)
    meter.prepare("meter", population)
    assert psu.answer("*IDN?") == "ACME" and meter.answer("*IDN?").startswith("drycell")
    assert [psu.answer("SYST:ERR?") for _ in range(3)] == ["1", "0", "0"]
    assert psu.answer("OUTP? (@2)") == "1"
    psu.seat(1, population.device(2))
    assert [psu.answer(line) for line in ("MEAS:VOUT? (@1)", "SYST:ERR?")] == ["3.2", "0"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the columns must be"),
        ("part,site\n", "the columns must be"),
        ("touchdown,site,part,a,a\n", "the columns must be"),
        ("touchdown,site,part\n", "holds no devices"),
        ("touchdown,site,part\none,0,1\n", "line 2"),
        ("touchdown,site,part\n1,0,1,7\n", "line 2"),
        ("touchdown,site,part\n1,999,1\n", "line 2"),
        ("touchdown,site,part\n0,1,1\n", "line 2"),
        ("touchdown,site,part\n1,1,\n", "line 2"),
        ("touchdown,site,part,a\n0,1,,x\n", "holds no devices"),
        ('touchdown,site,part\n1,0,"1\n', "no CSV file"),
        ("touchdown,site,part\n1,0,1\n1,0,2\n", "two devices on site 0"),
    ],
)
def test_a_wrong_lot_file_is_refused_with_its_line(text, reason, tmp_path):
    (tmp_path / "lot.csv").write_text(text)
    with pytest.raises(DrycellError, match=reason):
        recorded_lot(PopulationRequest(0, "lot", 2, file=tmp_path / "lot.csv"))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "lot.csv").write_bytes(b"\xff\xfe\x00touchdown")
    with pytest.raises(DrycellError, match="no CSV file"):
        read_lot(tmp_path / "lot.csv")


def test_the_scenario_and_its_lot_file_must_fit(tmp_path):
    write_lot(tmp_path / "lot.csv", ROWS)
    with pytest.raises(DrycellError, match=r"holds 3 devices, devices\.size says 7"):
        recorded_lot(PopulationRequest(0, "lot", 7, file=tmp_path / "lot.csv"))
    with pytest.raises(DrycellError, match=r"devices\.file is missing"):
        recorded_lot(PopulationRequest(0, "lot", 7))
