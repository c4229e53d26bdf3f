"""The demo's definitions, read once, say the same to the modelled sequencer as to the real one."""

import json
import shutil
from pathlib import Path

import pytest

from drycell.sim.cell.program_model import load_program_model
from drycell.sim.errors import DrycellError

DEMO = Path(__file__).parents[2] / "scenarios" / "demo"


def test_tests_and_outputs_come_in_program_order_with_their_numbers() -> None:
    model = load_program_model(DEMO)
    assert [(t.instance, t.test_num, t.alarm_bin) for t in model.tests] == [
        ("contact_1", 100, 60000),
        ("vout_1", 200, 60001),
        ("iq_1", 300, 60002),
        ("ramp_1", 400, 60003),
    ]
    assert [(o.name, o.test_num, o.bin) for o in model.tests[3].outputs] == [
        ("ramp_1.vramp", 401, 14),
        ("ramp_1.vmin", 402, 14),
        ("ramp_1.span", 403, 15),
    ]
    assert model.tests[2].outputs[0].exp10 == -6


def test_a_question_is_filled_with_site_and_inputs() -> None:
    vout = load_program_model(DEMO).tests[1]
    inputs = {name: p.value for name, p in vout.inputs.items()}
    assert vout.outputs[0].question("3", inputs) == "MEAS:VOUT? (@3),5.000"
    assert vout.outputs[0].question("0", {**inputs, "vin": 4.2}) == "MEAS:VOUT? (@0),4.200"


def test_the_peripheral_call_carries_the_temperature_of_the_test() -> None:
    contact = load_program_model(DEMO).tests[0]
    assert contact.peripheral is not None
    assert contact.peripheral.filled({"Temperature": 85.0}) == {"temperature": [85.0], "timeout": 5}


def test_reduced_values_are_rounded_as_the_do_body_rounds_them() -> None:
    _, vmin, span = load_program_model(DEMO).tests[3].outputs
    assert (vmin.reduced([3.3, 3.2987, 3.3012]), span.reduced([3.3, 3.2987, 3.3012])) == (3.2987, 0.0025)


def test_layouts_for_one_two_and_four_sites_with_one_ping_pong_test() -> None:
    strategies = load_program_model(DEMO).strategies
    assert [len(layout) for layout in strategies] == [1, 2, 4]
    assert strategies[(0, 0), (0, 1)] == [[["0", "1"]], [["0", "1"]], [["0"], ["1"]], [["0", "1"]]]


def test_every_bin_that_a_test_can_give_is_in_the_bin_table() -> None:
    model = load_program_model(DEMO)
    known = {sbin for sbins in model.bin_table.values() for sbin in sbins}
    given = {o.bin for t in model.tests for o in t.outputs} | {t.alarm_bin for t in model.tests} | {1}
    assert given == known


def test_an_output_without_a_question_is_named(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    measures = json.loads((DEMO / "measures.json").read_text())
    del measures["outputs"]["iq_1.iq"]
    (tmp_path / "demo" / "measures.json").write_text(json.dumps(measures))
    with pytest.raises(DrycellError, match="iq_1"):
        load_program_model(tmp_path / "demo")
