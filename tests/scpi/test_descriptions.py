"""Instruments from YAML: our own description, and the files of pyvisa-sim."""

from pathlib import Path

import pytest

from drycell.plugins_sim.instruments.bench import load_bench
from drycell.sim.errors import DrycellError

OWN = """
drycell-instrument: 1
identity: {model: HP-1, serial: "42", manufacturer: Acme}
properties:
  level: {command: "[SOURce]:VOLTage", unit: V, min: 0, max: 20, decimals: 3, drives: "volts:in"}
  output: {command: "OUTPut[:STATe]", type: boolean, drives: "on:in"}
  limit: {command: CURRent, unit: A, min: 0, max: 2, default: 0.5, drives: "limit:in"}
  sink: {command: "LOAD:CURRent", unit: A, min: 0, max: 1, drives: "load:out"}
  oven: {command: "TEMPerature", unit: CEL, min: -40, max: 150, default: 25, decimals: 1, drives: air}
  mode: {command: MODE, type: choice, words: [FASt, SLOW], default: SLOW}
  label: {command: "DISPlay:TEXT", type: text}
readings:
  - {command: "MEASure:OUT", reads: "node:out", decimals: 4}
  - {command: "MEASure:SUPPly", reads: "amps:in", decimals: 4}
  - {command: "MEASure:JUNCtion", reads: junction, decimals: 3}
answers:
  - {command: "SYSTem:NAME", answer: '"my own"'}
"""

FOREIGN = r"""
spec: "1.1"
devices:
  generator:
    eom:
      ASRL INSTR: {q: "\r\n", r: "\n"}
    error: ERROR
    dialogues:
      - {q: "?IDN", r: "LSG Serial #1234"}
      - {q: "!QUIET"}
      - {q: "!NULL", r: null_response}
      - {q: "?RAW", r: "BYTES(01 02)x"}
      - {q: "?DICE", r: "{RANDOM(1, 2, 3):.3f}"}
    properties:
      frequency:
        default: 100.0
        getter: {q: "?FREQ", r: "{:.2f}"}
        setter: {q: "!FREQ {:.2f}", r: OK, e: FREQ_ERROR}
        specs: {min: 1, max: 100000, type: float}
      wave:
        default: 0
        getter: {q: "?WVF", r: "{:d}"}
        setter: {q: "!WVF {:d}", r: OK}
        specs: {valid: [0, 1, 2], type: int}
  supply:
    dialogues:
      - {q: "*IDN?", r: "SCPI,MOCK,VERSION_1.0"}
    error:
      status_register: [{q: "*ESR?", command_error: 32, query_error: 4}]
      error_queue: [{q: ":SYST:ERR?", default: "0, No Error", command_error: "1, Command error"}]
    properties:
      rail:
        default: P6V
        getter: {q: "INST?", r: "{:s}"}
        setter: {q: "INST {:s}"}
        specs: {valid: [P6V, P25V], type: str}
      voltage:
        default: 1.0
        getter: {q: ":VOLT?", r: "{:+.8E}"}
        setter: {q: ":VOLT {:.3f}"}
        specs: {min: 1, max: 6, type: float}
    channels:
      outputs:
        ids: [1, 2]
        can_select: True
        dialogues: [{q: "NAME{ch_id}?", r: "an output"}]
        properties:
          current:
            default: 0.5
            getter: {q: "CURR{ch_id}?", r: "{:.1f}"}
            setter: {q: "CURR{ch_id:d} {0:f}", r: OK}
            specs: {min: 0, max: 3, type: float}
resources:
  ASRL1::INSTR: {device: generator}
"""


def bench(folder: Path, text: str, entries: str):  # type: ignore[no-untyped-def]
    (folder / "one.yaml").write_text(text)
    (folder / "bench.yaml").write_text(f"instruments:\n{entries}")
    now = [0]
    return load_bench(folder / "bench.yaml", lambda: now[0]), now


def test_a_described_instrument_is_wired_to_the_bench(tmp_path: Path) -> None:
    made, now = bench(tmp_path, OWN, "  mine: {file: one.yaml}\n  dmm: {model: multimeter}\n")

    def ask(message: str) -> str:
        return made.ask("mine", message)

    assert ask("*IDN?") == "Acme,HP-1,42,1.0.0" and ask("SYST:NAME?") == '"my own"'
    assert ask("SOUR:VOLT 5 V;:OUTP ON;:LOAD:CURR 100 MA") == ""
    assert ask("MEAS:OUT?") == "3.3004" and ask("MEAS:SUPP?") == "0.1001"
    assert float(made.ask("dmm", "MEAS:VOLT:DC?")) == pytest.approx(3.300421, abs=1e-6)
    ask("CURR 0.05")
    assert ask("MEAS:SUPP?") == "0.0500"
    ask("TEMP 85")
    now[0] = 10**12
    assert float(ask("MEAS:JUNC?")) > 85.0
    assert ask("MODE?;MODE FAST;MODE?;MODE FAS;MODE?") == "SLOW;FAS;FAS"
    assert ask('DISP:TEXT "a; b";TEXT?') == '"a; b"'
    assert ask("VOLT? MAX;:VOLT 21;:VOLT?") == "20.000;5.000" and ask("SYST:ERR?").startswith("-222,")
    assert ask("*RST;:VOLT?;:OUTP?;:CURR?;:MODE?;:MEAS:OUT?") == "0.000;0;0.500;SLOW;0.0000"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("drives: air", "drives: oven"), "property oven drives 'oven'"),
        (("reads: junction", "reads: soul"), "reads 'soul'"),
        (("type: boolean", "type: bool"), "type 'bool'; did you mean 'boolean'"),
        (("identity:", "identities:"), "no key 'identities'"),
        (("drycell-instrument: 1", "drycell-instrument: 2"), "must begin with drycell-instrument: 1"),
        (("words: [FASt, SLOW]", "words: []"), "cannot be read"),
        (("command: MODE", "command: 'MO DE'"), "needs a command such as"),
    ],
)
def test_mistakes_in_a_description_are_named(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    with pytest.raises(DrycellError, match=text):
        bench(tmp_path, OWN.replace(*change), "  mine: {file: one.yaml}\n")


def test_a_file_of_pyvisa_sim_talks_as_it_says(tmp_path: Path) -> None:
    made, _ = bench(tmp_path, FOREIGN, "  gen: {file: one.yaml, device: generator}\n")

    def ask(message: str) -> str:
        return made.ask("gen", message)

    assert ask("?IDN") == "LSG Serial #1234"
    assert ask("!QUIET") == ask("!NULL") == "" and ask("?RAW") == "\x01\x02x"
    assert ask("?FREQ") == "100.00" and ask("!FREQ 10.3") == "OK" and ask("?FREQ") == "10.30"
    assert ask("!FREQ 0.1") == "FREQ_ERROR" and ask("!FREQ x") == "ERROR" and ask("?FREQ") == "10.30"
    assert ask("!WVF 1") == "OK" and ask("!WVF 7") == "ERROR" and ask("?WVF") == "1"
    assert ask("?FREQ;?WVF") == "10.30\n1"
    dice = [float(text) for text in ask("?DICE").split(",")]
    assert len(dice) == 3 and all(1.0 <= value < 2.0 for value in dice)
    assert ask("nonsense") == "ERROR"


def test_a_file_of_pyvisa_sim_with_registers_queues_and_channels(tmp_path: Path) -> None:
    made, _ = bench(tmp_path, FOREIGN, "  psu: {file: one.yaml, device: supply}\n")

    def ask(message: str) -> str:
        return made.ask("psu", message)

    assert ask("*IDN?") == "SCPI,MOCK,VERSION_1.0" and ask("*ESR?") == "0"
    assert ask(":VOLT 5.0") == "" and ask(":VOLT?") == "+5.00000000E+00"
    assert ask("BOGUS") == "" and ask(":VOLT 99") == ""
    assert ask("*ESR?") == "32" and ask("*ESR?") == "0"
    assert [ask(":SYST:ERR?") for _ in range(3)] == ["1, Command error", "1, Command error", "0, No Error"]
    assert ask("INST P25V") == "" and ask("INST?") == "P25V"
    assert ask("NAME2?") == "an output" and ask("CURR1 2.5") == "OK"
    assert ask("CURR1?") == "2.5" and ask("CURR2?") == "0.5"


@pytest.mark.parametrize(
    ("change", "entry", "text"),
    [
        (("", ""), "{file: one.yaml}", "no device None; name one of generator, supply"),
        (("", ""), "{file: one.yaml, device: x}", "no device 'x'"),
        (('spec: "1.1"', 'spec: "2.0"'), "{file: one.yaml, device: supply}", "specification 2.0"),
        (("devices:", "machines:"), "{file: one.yaml}", "needs the keys spec and devices"),
        (("type: float", "type: real"), "{file: one.yaml, device: supply}", "cannot be read"),
        (("spec:", "spec: ["), "{file: one.yaml}", "one.yaml:"),
    ],
)
def test_mistakes_in_a_foreign_file_are_named(tmp_path: Path, change: tuple[str, str], entry: str, text: str) -> None:
    with pytest.raises(DrycellError, match=text):
        bench(tmp_path, FOREIGN.replace(*change) if change[0] else FOREIGN, f"  one: {entry}\n")
