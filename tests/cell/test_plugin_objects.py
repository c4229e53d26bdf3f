"""A real program measures through instrument plugins and actuators, in lockstep, on the devices of the lot."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drycell.plugins_sim.instruments.bench import make_bench
from drycell.sim.cell.bridge import Bridge, Offer
from drycell.sim.cell.instrument_calls import InstrumentCalls
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Kernel
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import from_data, load
from tests.cell.test_bench import BENCH, SET_UP, true, values

HOT_LOT = BENCH.parent / "nominal" / "hot_bench.yaml"

HOOKS = '''
import time

from ate_semiateplugins.pluginmanager import get_plugin_manager


def refused(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def do(self):
    """All hooks that the cell answers, at 45 degC; and what cannot be."""
    channel = int(self.context.harness.params.site_id) + 1
    hook = get_plugin_manager().hook
    (smu,) = hook.get_instrument(instrument_name="Lab.smu", logger=None)
    (proxy,) = hook.get_instrument_proxy(required_capability="Lab.smu")
    (actuator,) = hook.get_actuator(plugin_name="Lab", actuator_name="Lab.Oven")
    (oven,) = hook.get_actuator_proxy(plugin_name="Lab", actuator_name="Lab.Oven")
    refused(OSError, lambda: smu.source_voltage(channel, 1e9, 1.0))
    refused(AttributeError, lambda: smu.jump())
    refused(OSError, lambda: oven.set_temperature(temperature=[900]))
    refused(OSError, lambda: oven.set_temperature())
    refused(TypeError, lambda: oven.set_temperature([45]))
    refused(AttributeError, lambda: hook.get_actuator(plugin_name="Lab", actuator_name="Lab.Laser"))
    assert hook.get_instrument(instrument_name="Lab.laser", logger=None) == []
    assert hook.get_tester.get_hookimpls()
    assert actuator.set_temperature(temperature=[45]) == {"status": "ok"}
    smu.apply_configuration({"address": "elsewhere"})
    smu.write(f"SOUR:VOLT {self.ip.vforce():.3f},(@{channel})")
    smu.enable_output(channel, True)
    time.sleep(self.ip.settle_s())
    self.op.ileak.write(round(proxy.measure_current(channel) * 1e9, 3))
    smu.enable_output(channel, False)
'''


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.row("HS-15", "HS-31")
def test_the_program_measures_through_instrument_plugins_and_an_actuator_in_lockstep(tmp_path: Path) -> None:
    """The same bytes when it is repeated, also from a warm start; the same bins as the modelled program's."""
    with WarmPrograms() as warm:
        runs = {
            name: run(load(HOT_LOT, {"rung": rung}), tmp_path / name, warm=start)
            for name, rung, start in (("real", "process", None), ("again", "process", warm), ("model", "model", None))
        }
        assert warm.reasons == {}
    assert [one.verdict for one in runs.values()] == ["holds"] * 3, runs["real"].problems
    assert runs["real"].deterministic
    assert runs["real"].journal_sha256 == runs["again"].journal_sha256
    assert runs["real"].soft_bins == runs["model"].soft_bins
    assert len(runs["real"].soft_bins) > 1
    events = list(journals.read(tmp_path / "real" / JOURNAL))
    assert {event.actor for event in events if event.kind == "configure"} == {"psu", "load", "dmm"}
    asked = [event for event in events if event.kind == "ask"]
    assert {event.actor for event in asked} == {"psu", "load", "dmm", "smu", "chamber"}
    measured = [event.fields["site"] for event in asked if event.fields["line"].startswith("MEAS:VOLT:DC?")]
    assert sorted(measured) == ["0"] * 4 + ["1"] * 4
    topics = [event.fields["topic"] for event in events if event.kind == "message"]
    assert topics.count("ate/demo/Temperature/io-control/request") == 4


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.row("HS-31", "HS-32", "SEQ-35", "SEQ-36", "SEQ-37", "SEQ-38", "SEQ-39")
@pytest.mark.parametrize("owner", ["tcc", "master"])
def test_every_object_hook_is_answered_by_the_cell_and_other_names_by_the_environment(
    fly: Any, tmp_path: Path, owner: str
) -> None:
    folder = tmp_path / "through_hooks"
    shutil.copytree(BENCH, folder)
    (folder / "do" / "leak.py").write_text(HOOKS, "utf-8")
    oven = {**SET_UP["cell"]["peripherals"]["Temperature"], "owner": owner}  # type: ignore[index]
    plugins = {
        "instruments": {**SET_UP["plugins"]["instruments"], "Lab.smu": "smu"},  # type: ignore[index]
        "actuators": {"Lab.Oven": "Temperature"},
    }
    flight = fly(
        **{
            **SET_UP,
            "rung": "process",
            "cell": {"sites": 2, "peripherals": {"Temperature": oven}},
            "devices": {"size": 2, "defects": "0%"},
            "program": {"definitions": str(folder)},
            "plugins": plugins,
        }
    )
    assert flight.result.verdict == "holds", flight.result.problems
    leak, drawn = values(flight, "leak_1.ileak"), true(flight, "leak")
    assert [leak[part] / (drawn[part] * 1e9) for part in (1, 2)] == pytest.approx([4, 4], rel=0.05)
    requests = [json.loads(event.fields["payload"]) for event in flight.events if event.actor in ("program0", "program1")
                and event.kind == "message"]  # fmt: skip
    assert [one["parameters"] for one in requests[::2]] == [{"temperature": [900]}, {}, {"temperature": [45]}]
    assert flight.verdict("peripherals answer once") == "holds"


def test_the_driver_is_that_of_the_model_whatever_the_instrument_is_called(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("drycell-instrument: 1\n")
    instruments = {"vin": {"model": "supply"}, "psu": {"file": str(tmp_path / "mine.yaml")}}
    drivers = make_bench({"instruments": instruments}, lambda: 0).drivers
    kernel = Kernel()
    methods = {
        name: InstrumentCalls(
            kernel, name, lambda line, done: None, lambda *a, **k: None, drivers.get(name)
        ).methods()
        for name in instruments
    }
    kernel.close()
    assert "set_voltage" in methods["vin"] and "set_voltage" not in methods["psu"]
    assert {"write", "query", "identify"} <= set(methods["psu"])


OLDER = """
import pluggy

manager = pluggy.PluginManager("ate.org")
other = pluggy.PluginManager("somebody.else")
import drycell_bridge.install

drycell_bridge.install.install()
(oven,) = manager.hook.get_actuator(plugin_name="Lab", actuator_name="Lab.Oven")
print(type(oven).__name__, hasattr(other.hook, "get_actuator"))
"""


def test_a_plugin_manager_that_is_older_than_the_bridge_is_bridged_too() -> None:
    """As in a program that is forked after its imports."""
    actuators = Bridge({"actuator": Offer(["Lab.Oven"], lambda name, site: pytest.fail("nobody asks"))})
    environment = {**os.environ, **actuators.environment(0)}
    done = subprocess.run([sys.executable, "-c", OLDER], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Actuator", "False"]


def test_names_that_lead_nowhere_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        DrycellError, match=r"plugins\.instruments\.Lab\.X: there is no instrument 'dnm'; did you mean"
    ):
        run(load(HOT_LOT, {"rung": "model", "plugins": {"instruments": {"Lab.X": "dnm"}}}), tmp_path / "run")
    actuators = {"actuators": {"Lab.Oven": "Temprature"}}
    with pytest.raises(DrycellError, match=r"plugins\.actuators\.Lab\.Oven: the cell has no peripheral 'Temprature'"):
        from_data({"drycell": 1, "name": "x", "cell": {"peripherals": {"Temperature": {}}}, "plugins": actuators})
