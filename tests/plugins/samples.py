"""Plugins as people write them: for the plugin document, for the sequencer document, for the packages 1.0.17."""

import pluggy

hookimpl = pluggy.HookimplMarker("ate.org")


def entry(name):
    return {"display_name": name.title(), "version": "1.0", "name": name}


class ThePlugin:
    """The minimal plugin of the document, with its misprints corrected: nothing to offer, every instance hook raises."""

    @hookimpl
    def get_plugin_identification():
        return {}

    @hookimpl
    def get_importer_names():
        return []

    @hookimpl
    def get_exporter_names():
        return []

    @hookimpl
    def get_equipment_names():
        return []

    @hookimpl
    def get_devicepin_importer_names():
        return []

    @hookimpl
    def get_instrument_names():
        return []

    @hookimpl
    def get_tester_names():
        return []

    @hookimpl
    def get_importer(importer_name):
        raise NotImplementedError

    @hookimpl
    def get_exporter(exporter_name):
        raise NotImplementedError

    @hookimpl
    def get_equipment(equipment_name):
        raise NotImplementedError

    @hookimpl
    def get_devicepin_importer(importer_name):
        raise NotImplementedError

    @hookimpl
    def get_instrument(instrument_name):
        raise NotImplementedError

    @hookimpl
    def get_instrument_proxy(required_capability):
        raise NotImplementedError

    @hookimpl
    def get_general_purpose_function(function_name):
        raise NotImplementedError

    @hookimpl
    def get_tester(tester_name):
        raise NotImplementedError

    @hookimpl
    def get_tester_type(tester_name):
        raise NotImplementedError

    @hookimpl
    def get_tester_master(tester_name):
        raise NotImplementedError

    @hookimpl
    def get_configuration_options(object_name):
        return []


class Keithley:
    """For the sequencer document: hooks take the plugin's name too, and there are actuators and proxies."""

    @hookimpl
    def get_plugin_identification(self):
        return {"Name": "Lab", "Version": "3"}

    @hookimpl
    def get_actuator_names(self):
        return [entry("Lab.K2000")]

    @hookimpl
    def get_actuator(self, plugin_name, actuator_name):
        return ("actuator", plugin_name, actuator_name)

    @hookimpl
    def get_actuator_proxy(self, plugin_name, actuator_name):
        return ("proxy", plugin_name, actuator_name)

    @hookimpl
    def get_instrument_names(self):
        return [entry("Lab.Meter")]

    @hookimpl
    def get_instrument(self, plugin_name, instrument_name):
        return ("instrument", plugin_name, instrument_name)

    @hookimpl
    def get_instrument_proxy(self, plugin_name, instrument_name):
        return ("instrument proxy", plugin_name, instrument_name)


class Packages:
    """For the packages 1.0.17: functions without self in a class, loggers, None for other names."""

    made = None

    @hookimpl
    def get_plugin_identification():
        return {"name": "Site", "version": "1.0.17"}

    @hookimpl
    def get_tester_names():
        return [entry("Site Tester")]

    @hookimpl
    def get_tester_master_names():
        return [entry("Site Master Tester")]

    @hookimpl
    def get_tester(tester_name, logger):
        return ("tester", tester_name, logger) if tester_name == "Site Tester" else None

    @hookimpl
    def get_tester_type(tester_name: str):
        return Packages if tester_name == "Site Tester" else None

    @hookimpl
    def get_tester_master(tester_name):
        return ("master", tester_name) if tester_name == "Site Master Tester" else None

    @hookimpl
    def get_general_purpose_function_names():
        return [{**entry("Site Cache"), "manufacturer": "Semi-ATE"}]

    @hookimpl
    def get_general_purpose_function(func_name: str, logger):
        return ("function", func_name, logger) if func_name == "Site Cache" else None

    @hookimpl
    def get_configuration_options(object_name):
        return ["ip", "port"] if object_name == "Site Cache" else None
