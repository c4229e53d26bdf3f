"""A real program measures through instrument plugins and an actuator, in lockstep, on the devices of the lot."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data

BENCH = Path(__file__).parents[2] / "scenarios" / "bench"
NAMES = {f"Lab.{name}": name for name in ("psu", "dmm", "load", "smu")}
DO = {
    "vout.py": '''
import time


def do(self):
    """As the bench's own, through plugins."""
    channel = int(self.context.harness.params.site_id) + 1
    psu, load, dmm = self.context.Lab_psu_instance, self.context.Lab_load_instance, self.context.Lab_dmm_instance
    self.context.Temperature_instance.set_temperature([self.ip.Temperature()])
    psu.set_voltage(channel, self.ip.vin())
    psu.enable_output(channel, True)
    load.set_current(channel, self.ip.load())
    load.enable_input(channel, True)
    try:
        time.sleep(self.ip.settle_s())
        self.op.vmeas.write(dmm.query_float(f"MEAS:VOLT:DC? AUTO,MIN,(@{channel})"))
        self.op.imeas.write(dmm.query_float(f"MEAS:CURR:DC? AUTO,MIN,(@{channel})"))
    finally:
        load.enable_input(channel, False)
        psu.enable_output(channel, False)
''',
    "leak.py": '''
import time


def do(self):
    """As the bench's own, through a plugin; and what it refuses is an OSError, what it lacks an AttributeError."""
    channel = int(self.context.harness.params.site_id) + 1
    smu = self.context.Lab_smu_instance
    for call, kind in ((lambda: smu.source_voltage(channel, 1e9, 1.0), OSError), (lambda: smu.jump(), AttributeError)):
        try:
            call()
        except kind:
            continue
        raise AssertionError("it was not refused")
    smu.write(f"SOUR:VOLT {self.ip.vforce():.3f},(@{channel})")
    smu.enable_output(channel, True)
    try:
        time.sleep(self.ip.settle_s())
        self.op.ileak.write(round(smu.measure_current(channel) * 1e9, 3))
    finally:
        smu.enable_output(channel, False)
''',
}


def lot(definitions: Path, rung: str, **changes: Any) -> Any:
    return from_data(
        {
            "drycell": 1,
            "name": "a hot lot",
            "seed": 5,
            "rung": rung,
            "cell": {
                "sites": 2,
                "handler": {"index_time_s": 0.1},
                "peripherals": {
                    "Temperature": {
                        "does": {
                            "set_temperature": {
                                "to": "chamber",
                                "message": "TEMP:SETPOINT {temperature}",
                                "until": "TEMP:STAB?",
                            }
                        }
                    }
                },
            },
            "program": {"definitions": str(definitions)},
            "devices": {"lot": "306427.001", "size": 8, "defects": "20%"},
            "bench": {"file": str(BENCH / "bench.yml")},
            "plugin_instruments": NAMES,
            "expect": ["lot completes", "one result per device", "bins agree"],
            **changes,
        }
    )


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.row("HS-15", "HS-31", "HS-32")
def test_instrument_plugins_and_an_actuator_act_on_one_device_on_one_clock(tmp_path: Path) -> None:
    """The same bins as the modelled program, which talks SCPI; and the same bytes when it is repeated."""
    definitions = tmp_path / "through_plugins"
    shutil.copytree(BENCH, definitions)
    (hardware,) = (definitions / "definitions" / "hardware").glob("*.json")
    rows = json.loads(hardware.read_text())
    rows[0]["definition"]["Instruments"] = list(NAMES)
    hardware.write_text(json.dumps(rows))
    for name, text in DO.items():
        (definitions / "do" / name).write_text(text)
    real = run(lot(definitions, "process"), tmp_path / "real")
    again = run(lot(definitions, "process"), tmp_path / "again")
    model = run(lot(BENCH, "model"), tmp_path / "model")
    assert real.verdict == model.verdict == "holds", real.problems
    assert real.journal_sha256 == again.journal_sha256
    assert real.soft_bins == model.soft_bins
    assert len(real.soft_bins) > 1
    events = list(journals.read(tmp_path / "real" / JOURNAL))
    configured = {event.actor for event in events if event.kind == "configure"}
    assert configured == set(NAMES.values())
    asked = {event.actor for event in events if event.kind == "ask"}
    assert asked == {"psu", "dmm", "load", "smu", "chamber"}


def test_a_name_that_leads_nowhere_is_one_sentence(tmp_path: Path) -> None:
    wrong = lot(BENCH, "model", plugin_instruments={"Lab.X": "dnm"})
    with pytest.raises(DrycellError, match="plugin_instruments: there is no instrument 'dnm'; did you mean 'dmm'"):
        run(wrong, tmp_path / "run")
