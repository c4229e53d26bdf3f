"""Forms: what is filled in has the text that json.dumps gives it, whatever it is."""

import json
import math

import pytest

from drycell.runtime.forms import Form
from drycell.runtime.protocol import messages, records

RECORD = records.ftr(100, 3) | {"C_RESFMT": "%7.3f", "UNITS": 'Ω"%s', "RESULT": None}
VALUES = (
    0,
    -1,
    2**70,
    True,
    None,
    0.1,
    -0.0,
    1e22,
    1e-7,
    math.nan,
    math.inf,
    -math.inf,
    "1%",
    'a"\u2126',
    [1.5, math.nan],
)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_filled_form_has_the_text_of_the_same_dictionary(value):
    form = Form(RECORD, "RESULT", "TEST_FLG")
    filled = form.filled({"RESULT": value, "TEST_FLG": 128})
    assert list(filled.items()) == list((RECORD | {"RESULT": value, "TEST_FLG": 128}).items())
    assert form.text(filled) == json.dumps(filled)


def test_a_message_of_filled_and_plain_records_has_the_text_of_the_same_dictionaries():
    filled = [Form(RECORD, "RESULT").filled({"RESULT": value}) for value in VALUES]
    for payload in ([], filled, [records.pir(1), *filled, {**filled[0], "RESULT": "é"}]):
        message = messages.typed("testresult", payload)
        assert messages.encode(message) == json.dumps(message).encode()


@pytest.mark.parametrize(
    "message",
    [
        messages.program_status("idle"),
        messages.program_will(0),
        messages.control_status("busy", "none"),
        messages.master_status("ready"),
        messages.handler_status("error", 'a "word"'),
        messages.typed("testresult", [Form(RECORD, "RESULT").filled({"RESULT": 0.1}), RECORD]),
    ],
    ids=lambda message: message["type"],
)
def test_who_hears_a_message_in_the_process_hears_what_its_text_says(message):
    payload = messages.encode(message)
    assert payload == json.dumps(message).encode()
    assert messages.decode(payload) == messages.decode(bytes(payload)) == message


def test_a_state_that_is_said_again_is_the_same_message():
    assert messages.program_status("idle") is messages.program_status("idle")
    assert messages.encode(messages.program_status("idle")) is messages.encode(messages.program_status("idle"))
