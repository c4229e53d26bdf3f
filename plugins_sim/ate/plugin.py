"""The plugin itself (entry point ``drycell`` of group ``ate.org``): a table of names and makers behind the hooks.

Every object of one plugin works on one bench, so an actuator's temperature is the temperature that an instrument's
device has. Importing or registering the plugin makes none of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import drycell
from drycell.plugins_sim.ate.actuators import MagneticField, Temperature
from drycell.plugins_sim.ate.cache import PartCache
from drycell.plugins_sim.ate.equipment import Handler, Prober
from drycell.plugins_sim.ate.files import PinImporter, WaferMapExporter, WaferMapImporter
from drycell.plugins_sim.ate.instruments import Table
from drycell.plugins_sim.testers.testers import (
    PARALLEL_TESTERS,
    ParallelTesterMaster,
    Shared,
    SingleTester,
    SingleTesterMaster,
)
from drycell.runtime.instruments.by_name import DRIVERS
from drycell.runtime.plugins.errors import UnknownNameError
from drycell.runtime.plugins.hookspec import hookimpl

PREFIX = "drycell."
Makers = Mapping[str, tuple[str, Callable[[], Any]]]
"""Name without prefix -> what people read, and how to make one."""


class Plugin:
    """One instance is one bench and one set of testers."""

    def __init__(self) -> None:
        self._shared: dict[str, Shared] = {}
        self._table = Table()
        table = self._table
        testers = {"SingleTester": SingleTester} | {f"ParallelTester{n}": one for n, one in PARALLEL_TESTERS.items()}
        self._types: Mapping[str, type[Any]] = {PREFIX + name: tester for name, tester in testers.items()}
        self._kinds: Mapping[str, Makers] = {
            "importer": {"WaferMapImporter": ("Wafer map from a CSV file", WaferMapImporter)},
            "exporter": {"WaferMapExporter": ("Wafer map to a CSV file", WaferMapExporter)},
            "equipment": {"Handler": ("Simulated handler", Handler), "Prober": ("Simulated prober", Prober)},
            "devicepin importer": {"PinImporter": ("Pins from a CSV file", PinImporter)},
            "instrument": {name: (f"Simulated {name}", _bound(table.instrument, name)) for name in DRIVERS},
            "actuator": {
                "Temperature": ("Simulated chamber", lambda: Temperature(table.bench)),
                "MagneticField": ("Simulated magnet", lambda: MagneticField(table.bench)),
            },
            "general purpose function": {"PartCache": ("Values of earlier tests, by part", PartCache)},
        }

    # names ---------------------------------------------------------------------------------------------------------

    @hookimpl
    def get_plugin_identification(self) -> dict[str, str]:
        return {"name": "drycell", "version": drycell.__version__}

    @hookimpl
    def get_importer_names(self) -> list[dict[str, str]]:
        return self._names("importer")

    @hookimpl
    def get_exporter_names(self) -> list[dict[str, str]]:
        return self._names("exporter")

    @hookimpl
    def get_equipment_names(self) -> list[dict[str, str]]:
        return self._names("equipment")

    @hookimpl
    def get_devicepin_importer_names(self) -> list[dict[str, str]]:
        return self._names("devicepin importer")

    @hookimpl
    def get_actuator_names(self) -> list[dict[str, str]]:
        return self._names("actuator")

    @hookimpl
    def get_instrument_names(self) -> list[dict[str, str]]:
        return self._names("instrument")

    @hookimpl
    def get_general_purpose_function_names(self) -> list[dict[str, str]]:
        return self._names("general purpose function")

    @hookimpl
    def get_tester_names(self) -> list[dict[str, str]]:
        return [_entry(name, f"Simulated {one.__name__}") for name, one in self._types.items()]

    @hookimpl
    def get_tester_master_names(self) -> list[dict[str, str]]:
        return self.get_tester_names()

    def _names(self, kind: str) -> list[dict[str, str]]:
        return [_entry(PREFIX + name, shown) for name, (shown, _) in self._kinds[kind].items()]

    # objects -------------------------------------------------------------------------------------------------------

    @hookimpl
    def get_importer(self, importer_name: str) -> Any:
        return self._make("importer", importer_name)

    @hookimpl
    def get_exporter(self, exporter_name: str) -> Any:
        return self._make("exporter", exporter_name)

    @hookimpl
    def get_equipment(self, equipment_name: str) -> Any:
        return self._make("equipment", equipment_name)

    @hookimpl
    def get_devicepin_importer(self, importer_name: str) -> Any:
        return self._make("devicepin importer", importer_name)

    @hookimpl
    def get_actuator(self, actuator_name: str) -> Any:
        return self._make("actuator", actuator_name)

    @hookimpl
    def get_instrument(self, instrument_name: str, logger: Any) -> Any:
        return self._make("instrument", instrument_name)

    @hookimpl
    def get_instrument_proxy(self, instrument_name: str) -> Any:
        return self._make("instrument", instrument_name)  # they may be shared: nobody else controls them

    @hookimpl
    def get_general_purpose_function(self, func_name: str, logger: Any) -> Any:
        return self._make("general purpose function", func_name)

    @hookimpl
    def get_tester(self, tester_name: str, logger: Any) -> Any:
        kind = self.get_tester_type(tester_name)
        return None if kind is None else kind(self._lines_of(tester_name), logger)

    @hookimpl
    def get_tester_type(self, tester_name: str) -> Any:
        if tester_name in self._types:
            return self._types[tester_name]
        return _not_mine("tester", tester_name)

    @hookimpl
    def get_tester_master(self, tester_name: str) -> Any:
        kind = self.get_tester_type(tester_name)
        if kind is None:
            return None
        master = SingleTesterMaster if kind is SingleTester else ParallelTesterMaster
        return master(self._lines_of(tester_name), kind.SITE_COUNT)

    @hookimpl
    def get_configuration_options(self, object_name: str) -> list[str]:
        for kind, makers in self._kinds.items():
            if object_name.removeprefix(PREFIX) in makers and object_name.startswith(PREFIX):
                return list(self._make(kind, object_name).OPTIONS)
        return []

    def _make(self, kind: str, name: str) -> Any:
        makers = self._kinds[kind]
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) in makers:
            return makers[name.removeprefix(PREFIX)][1]()
        return _not_mine(kind, name)

    def _lines_of(self, tester_name: str) -> Shared:
        if tester_name not in self._shared:
            kind = self._types[tester_name]
            self._shared[tester_name] = Shared(None if kind is SingleTester else kind.SITE_COUNT)
        return self._shared[tester_name]


def _bound(make: Callable[[str], Any], name: str) -> Callable[[], Any]:
    return lambda: make(name)


def _entry(name: str, shown: str) -> dict[str, str]:
    return {"display_name": shown, "version": drycell.__version__, "name": name}


def _not_mine(kind: str, name: str) -> None:
    """None for another plugin's name; our own unknown ones raise."""
    if name.startswith(PREFIX):
        raise UnknownNameError(f"drycell has no {kind} {name!r}")
