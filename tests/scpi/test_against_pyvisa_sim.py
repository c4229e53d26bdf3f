"""The files that come with pyvisa-sim, read by pyvisa-sim itself and by us: the same answers to the same lines."""

import random
from pathlib import Path

import pytest
import pyvisa_sim
from pyvisa.rname import to_canonical_name
from pyvisa_sim.devices import Device
from pyvisa_sim.parser import get_devices

from drycell.plugins_sim.instruments.bench import load_bench

FOLDER = Path(pyvisa_sim.__file__).parent
FILES = (FOLDER / "default.yaml", FOLDER / "testsuite" / "fixtures" / "channels.yaml")
LINES = (
    "?IDN", "!CAL", "*RST", "*IDN?", "?FREQ", "?AMP", "?OFF", "?OUT", "?WVF", "*ESR?", ":SYST:ERR?", "INST?", "OUTP?",
    ":VOLT:IMM:AMPL?", ":CURR:IMM:AMPL?", "nonsense", "?FREQ;?AMP", "I?", "F?", "CH 2:OUTP?", "CH 9:OUTP?",
    "CH 1:VOLT:IMM:AMPL?", "CH 2:VOLT:IMM:AMPL?", "",
)  # fmt: skip
FLOATS = ("1.0", "2.5", "10.3", "1000000.0", "x", "")
WHOLES = ("0", "1", "2", "7", "x", "")
WORDS = ("P25V", "P6V", "x")
SETTERS = {
    "!FREQ {}": FLOATS, "!AMP {}": FLOATS, "!OFF {}": FLOATS, "!OUT {}": WHOLES, "!WVF {}": WHOLES,
    ":VOLT:IMM:AMPL {}": FLOATS, ":CURR:IMM:AMPL {}": FLOATS, "INST {}": WORDS, "OUTP {}": WHOLES, "I {}": WHOLES,
    "F {}": FLOATS, "CH 1:VOLT:IMM:AMPL {}": FLOATS, "CH 2:VOLT:IMM:AMPL {}": FLOATS, "CH 2:OUTP {}": WHOLES,
}  # fmt: skip
"""What is set, and to what: numbers as pyvisa-sim understands them, two digits and no sign (we take more)."""


THEIR_OWN = {"device 3": ("OUTP?",), "device 5": (":VOLT:IMM:AMPL?",)}
"""What cannot be compared: a getter that raises ValueError in pyvisa-sim, and one that is drawn at random."""


def theirs(device: Device, line: str) -> str:
    """The answers of pyvisa-sim to one line, without terminators."""
    device.write(line.encode() + device._query_eom)
    data = b""
    while (got := device.read())[0]:
        data += got[0]
    return data.decode().replace(device._response_eom.decode(), "\n").removesuffix("\n")


def line(draw: random.Random) -> str:
    """A question or a command, right or wrong."""
    if draw.random() < 0.5:
        return draw.choice(LINES)
    setter = draw.choice(list(SETTERS))
    return setter.format(draw.choice(SETTERS[setter]))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_same_lines_are_answered_alike(file: Path) -> None:
    bench, devices, draw = load_bench(file, lambda: 0), get_devices(file, False), random.Random(3)
    for resource in bench.resources:
        device = devices[to_canonical_name(resource)]
        for _ in range(200):
            said = line(draw)
            if said not in THEIR_OWN.get(device.name, ()):
                assert bench.ask(resource, said) == theirs(device, said), (resource, said)


def test_a_number_kept_as_text_is_shown_as_a_number() -> None:
    bench = load_bench(FILES[0], lambda: 0)
    assert [bench.ask("GPIB::10::INSTR", said) for said in ("OUTP?", "OUTP 7", "OUTP?")] == ["0", "", "7"]
