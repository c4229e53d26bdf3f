"""The other objects of drycell's own plugin: importers, exporters, equipment, instruments, actuators, cache."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drycell.plugins_sim.ate import Plugin
from drycell.runtime.plugins import PluginManager

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manager() -> PluginManager:
    made = PluginManager()
    made.register("own", Plugin())
    return made


@pytest.mark.row("HS-20", "HS-21", "HS-23", "HS-24")
def test_a_wafer_map_goes_out_and_comes_back(manager: PluginManager, tmp_path: Path) -> None:
    bins = np.array([[0, 1, 0], [12, 1, 3]], np.uint16)
    exporter = manager.make("exporter", "drycell.WaferMapExporter")
    importer = manager.make("importer", "drycell.WaferMapImporter")
    for one in (exporter, importer):
        one.set_configuration_values({"path": str(tmp_path / "map.csv")})
    assert exporter.do_export({"lot": "306426.001", "wafer": "7", "bins": bins}) is True
    data = importer.do_import()
    assert (data["lot"], data["wafer"]) == ("306426.001", "7")
    assert np.array_equal(data["bins"], bins)
    assert importer.get_abort_reason() == exporter.get_abort_reason() == ""


@pytest.mark.row("HS-22", "HS-25", "HS-30")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cancelled: no file was chosen (option path)"),
        ("", "holds no wafer map"),
        ("lot,1\n1,2\n1\n", "line 3 of"),
        ("lot,1\n1,-2\n", "line 2 of"),
        ("lot,1\n1,65536\n", "line 2 of"),
    ],
)
def test_failed_and_cancelled_imports_raise_nothing_and_say_why(
    manager: PluginManager, tmp_path: Path, content: str | None, reason: str
) -> None:
    path = tmp_path / "map.csv"
    if content is not None:
        path.write_text(content)
    importer = manager.make("importer", "drycell.WaferMapImporter")
    importer.set_configuration_values({"path": "" if content is None else str(path)})
    assert importer.do_import() is None
    assert reason in importer.get_abort_reason()


@pytest.mark.row("HS-25")
def test_failed_and_cancelled_exports_raise_nothing_and_say_why(manager: PluginManager, tmp_path: Path) -> None:
    exporter = manager.make("exporter", "drycell.WaferMapExporter")
    assert exporter.do_export({"lot": "1", "wafer": "1", "bins": [[1]]}) is False
    assert "cancelled" in exporter.get_abort_reason()
    exporter.set_configuration_values({"path": str(tmp_path / "map.csv")})
    assert exporter.do_export({"lot": "1", "wafer": "1", "bins": [1, 2]}) is False
    assert "rows and columns" in exporter.get_abort_reason()
    assert exporter.do_export(None) is False


@pytest.mark.row("HS-28", "HS-30")
def test_pins_come_from_a_file(manager: PluginManager, tmp_path: Path) -> None:
    (tmp_path / "pins.csv").write_text("1,VIN\n2,GND\n3,VOUT\n")
    importer = manager.make("devicepin importer", "drycell.PinImporter")
    importer.set_configuration_values({"path": str(tmp_path / "pins.csv")})
    assert [pin["name"] for pin in importer.do_import()] == ["VIN", "GND", "VOUT"]
    (tmp_path / "pins.csv").write_text("1,VIN\n2\n")
    assert importer.do_import() is None
    assert "line 2" in importer.get_abort_reason()


@pytest.mark.row("HS-19")
def test_nothing_of_the_plugin_needs_a_screen() -> None:
    names = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for path in (ROOT / "plugins_sim" / "ate").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not {
        name for name in names if name.split(".")[0].lower() in ("pyqt5", "pyqt6", "pyside6", "tkinter", "qtpy")
    }


@pytest.mark.row("HS-26")
def test_equipment_feeds_sorts_and_steps(manager: PluginManager) -> None:
    handler = manager.make("equipment", "drycell.Handler")
    assert handler.feed() == 1
    with pytest.raises(RuntimeError, match="device 1 is still in contact"):
        handler.feed()
    handler.sort(5)
    assert handler.bins() == [5]
    with pytest.raises(RuntimeError, match="no device"):
        handler.sort(1)
    prober = manager.make("equipment", "drycell.Prober")
    assert prober.load(4, 4) == 12
    with pytest.raises(ValueError, match="no die at column 0, row 0"):
        prober.move_to(0, 0)
    with pytest.raises(RuntimeError, match="at no die"):
        prober.contact()
    prober.move_to(1, 0)
    prober.contact()
    with pytest.raises(RuntimeError, match="needles are on the wafer"):
        prober.move_to(2, 0)
    prober.separate()
    assert prober.position() == (1, 0)


@pytest.mark.row("HS-15", "HS-31")
def test_instruments_and_actuators_of_one_plugin_work_on_one_device(manager: PluginManager) -> None:
    psu, dmm = (manager.make("instrument", f"drycell.{name}") for name in ("psu", "dmm"))
    psu.set_voltage(1, 5.0)
    assert dmm.measure_dc_voltage() == pytest.approx(0.0, abs=1e-6)
    psu.enable_output(1, True)
    assert dmm.measure_dc_voltage() == pytest.approx(3.3, rel=0.02)
    with pytest.raises(OSError, match="refused"):
        psu.set_voltage(1, 1e6)
    magnet = manager.make("actuator", "drycell.MagneticField")
    assert magnet.set_field(12.5) == {"status": "ok"}
    assert manager.make("instrument", "drycell.magnet").query_float("FIEL?") == 0.0125
    assert magnet.disable() == {"status": "ok"}
    assert abs(magnet.read_config()["millitesla"]) <= 12.5
    with pytest.raises(ValueError, match="refused"):
        magnet.set_field(1e6)
    with pytest.raises(ValueError, match="one chamber"):
        manager.make("actuator", "drycell.Temperature").set_temperature([25, 85])


def test_an_instrument_is_led_to_an_address_by_configuration(manager: PluginManager, served: str) -> None:
    psu = manager.make("instrument", "drycell.psu")
    manager.configure("drycell.psu", psu, {"address": served})
    assert psu.identify().endswith("elsewhere")
    manager.configure("drycell.psu", psu, {"address": ""})
    assert "PS-SIM-001" in psu.identify()
    with pytest.raises(ValueError, match="no address"):
        manager.configure("drycell.psu", psu, {"address": "somewhere"})


@pytest.mark.row("HS-34")
def test_the_cache_keeps_values_by_part(manager: PluginManager) -> None:
    cache: Any = manager.make("general purpose function", "drycell.PartCache")
    cache.publish("P1", "vout", 3.3)
    assert cache.get_value("P1", "vout") == 3.3
    cache.drop_part("P1")
    assert cache.get_value("P1", "vout") is None
    for part in range(10_001):
        cache.publish(str(part), "v", 1.0)
    assert cache.get_value("0", "v") is None
    assert cache.get_value("10000", "v") == 1.0
