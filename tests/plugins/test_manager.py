"""Plugins of every manner load unchanged, and names mean one thing."""

import logging
from typing import Any

import pluggy
import pytest

from drycell.plugins_sim.ate import Plugin
from drycell.runtime.plugins import (
    DuplicateNameError,
    PluginError,
    PluginManager,
    UnknownNameError,
    find,
    hookimpl,
    hookspec,
    installed,
)
from drycell.runtime.plugins.adapter import HOOKS
from drycell.runtime.plugins.kinds import KINDS
from tests.plugins.samples import Keithley, Packages, ThePlugin, entry

LOGGER = logging.getLogger("site")
DEMANDED = ("equipment", "devicepin importer", "instrument", "tester", "actuator")


def managed(**plugins: Any) -> PluginManager:
    manager = PluginManager()
    for name, plugin in plugins.items():
        manager.register(name, plugin)
    return manager


@pytest.mark.row("HS-01", "HS-57")
def test_the_specification_has_every_hook_of_all_three_sources() -> None:
    assert (hookspec.hookspec.project_name, hookimpl.project_name) == ("ate.org", "ate.org")
    document = {
        *("get_plugin_identification", "get_importer_names", "get_exporter_names", "get_equipment_names"),
        *("get_devicepin_importer_names", "get_instrument_names", "get_general_purpose_function_names"),
        *("get_tester_names", "get_importer", "get_exporter", "get_equipment", "get_devicepin_importer"),
        *("get_instrument", "get_instrument_proxy", "get_general_purpose_function", "get_tester"),
        *("get_tester_type", "get_tester_master", "get_configuration_options"),
    }
    assert len(document) == 19
    sequencer = {"get_actuator_names", "get_actuator", "get_actuator_proxy"}
    assert set(HOOKS) == document | sequencer | {"get_tester_master_names"}
    manager = pluggy.PluginManager("ate.org")
    manager.add_hookspecs(hookspec)
    assert all(getattr(manager.hook, hook).spec is not None for hook in HOOKS)


@pytest.mark.row("HS-58", "HS-59")
def test_the_minimal_plugin_of_the_document_loads_and_a_partial_one_too() -> None:
    class Partial:
        @hookimpl
        def get_plugin_identification() -> dict[str, str]:  # type: ignore[misc]
            return {"name": "part", "version": "0"}

    manager = managed(minimal=ThePlugin, partial=Partial)
    assert manager.plugins == ("minimal", "partial")
    assert manager.offers == ()
    assert manager.problems == []


@pytest.mark.row("HS-03", "HS-04")
def test_identification_is_read_in_both_spellings_and_may_be_empty() -> None:
    manager = managed(minimal=ThePlugin, lab=Keithley(), site=Packages)
    assert manager.identification("lab") == {"name": "Lab", "version": "3"}
    assert manager.identification("site") == {"name": "Site", "version": "1.0.17"}
    assert manager.identification("minimal") == {"name": "", "version": ""}


@pytest.mark.row(
    "HS-31",
    "HS-32",
    "HS-34",
    "HS-35",
    "HS-46",
    "HS-48",
    "SEQ-31",
    "SEQ-33",
    "SEQ-34",
    "SEQ-35",
    "SEQ-36",
    "SEQ-37",
    "SEQ-38",
)
def test_plugins_of_all_manners_answer_side_by_side() -> None:
    manager = managed(minimal=ThePlugin, lab=Keithley(), site=Packages, own=Plugin())
    assert manager.make("actuator", "Lab.K2000") == ("actuator", "lab", "Lab.K2000")
    assert manager.make("actuator proxy", "Lab.K2000") == ("proxy", "lab", "Lab.K2000")
    assert manager.make("instrument", "Lab.Meter", LOGGER) == ("instrument", "lab", "Lab.Meter")
    assert manager.make("instrument proxy", "Lab.Meter") == ("instrument proxy", "lab", "Lab.Meter")
    assert manager.make("tester", "Site Tester", LOGGER) == ("tester", "Site Tester", LOGGER)
    assert manager.make("tester type", "Site Tester") is Packages
    assert manager.make("tester master", "Site Master Tester") == ("master", "Site Master Tester")
    assert manager.make("general purpose function", "Site Cache", LOGGER) == ("function", "Site Cache", LOGGER)
    assert manager.make("tester type", "drycell.SingleTester").SITE_COUNT == 1


def test_a_class_whose_hooks_have_self_is_instantiated_once() -> None:
    assert managed(lab=Keithley).make("actuator", "Lab.K2000") == ("actuator", "lab", "Lab.K2000")


@pytest.mark.row(
    "HS-02",
    "HS-05",
    "HS-06",
    "HS-07",
    "HS-08",
    "HS-11",
    "HS-12",
    "HS-13",
    "HS-14",
    "HS-15",
    "HS-16",
    "HS-17",
    "SEQ-32",
)
def test_every_category_lists_objects_with_name_version_and_display_name() -> None:
    offers = managed(own=Plugin()).offers
    kinds = {"importer", "exporter", "equipment", "devicepin importer", "actuator", "instrument"}
    assert {offer.kind for offer in offers} == kinds | {"general purpose function", "tester", "tester master"}
    assert all(offer.display_name and offer.version and offer.name.startswith("drycell.") for offer in offers)


@pytest.mark.row("HS-09", "HS-18")
def test_every_listed_name_is_accepted_by_its_hook_with_other_plugins_present() -> None:
    manager = managed(minimal=ThePlugin, own=Plugin(), site=Packages)
    own = [offer for offer in manager.offers if offer.plugin == "own"]
    assert all(manager.make(offer.kind, offer.name, LOGGER) is not None for offer in own)


@pytest.mark.row("HS-27", "HS-29", "HS-33")
@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_raises_with_that_name_for_every_kind(kind: str) -> None:
    manager = managed(minimal=ThePlugin, lab=Keithley(), site=Packages, own=Plugin())
    if kind in ("actuator", "actuator proxy", "instrument", "instrument proxy"):
        manager = managed(minimal=ThePlugin, site=Packages, own=Plugin())  # Keithley answers to any name
    for name in ("nobody.Nothing", "drycell.Nothing"):
        with pytest.raises(UnknownNameError, match=name):
            manager.make(kind, name)


def test_what_a_plugin_said_against_a_name_is_in_the_message() -> None:
    with pytest.raises(UnknownNameError, match=r"nobody\.X.*plugin minimal says NotImplementedError"):
        managed(minimal=ThePlugin).make("importer", "nobody.X")


@pytest.mark.row("HS-10")
def test_a_name_that_two_plugins_offer_is_refused_and_both_are_named() -> None:
    class Other:
        @hookimpl
        def get_equipment_names() -> list[dict[str, str]]:  # type: ignore[misc]
            return [entry("Site Tester")]

    manager = managed(site=Packages)
    with pytest.raises(DuplicateNameError, match=r"site and other both offer 'Site Tester'"):
        manager.register("other", Other)
    assert manager.plugins == ("site",)


def test_a_name_that_nobody_lists_and_two_plugins_answer_is_refused() -> None:
    manager = managed(
        lab=Keithley(),
        second=type("Second", (Keithley,), {"get_actuator_names": None, "get_instrument_names": None})(),
    )
    with pytest.raises(DuplicateNameError, match="lab and second both answer"):
        manager.make("actuator", "Somewhere.Else")


@pytest.mark.row("HS-18")
def test_one_raising_plugin_does_not_silence_the_others() -> None:
    class Broken:
        @hookimpl
        def get_importer_names() -> list[dict[str, str]]:  # type: ignore[misc]
            raise RuntimeError("no licence")

        @hookimpl
        def get_instrument(instrument_name: str) -> None:  # type: ignore[misc]
            raise RuntimeError("no licence")

        @hookimpl
        def get_exporter_names() -> str:  # type: ignore[misc]
            return "nothing"

        @hookimpl
        def get_equipment_names() -> list[dict[str, str]]:  # type: ignore[misc]
            return [{"name": "half"}]

    manager = managed(broken=Broken, lab=Keithley())
    assert manager.make("instrument", "Lab.Meter") == ("instrument", "lab", "Lab.Meter")
    assert [(p.hook, p.text) for p in manager.problems] == [
        ("get_importer_names", "RuntimeError: no licence"),
        ("get_exporter_names", "returns str, not a list"),
        ("get_equipment_names", "an entry lacks one of the texts name, display_name, version"),
    ]


def test_hooks_that_cannot_be_called_are_refused_with_their_name() -> None:
    class Greedy:
        @hookimpl
        def get_importer(importer_name: str, parent_window: object) -> None: ...  # type: ignore[misc]

    class Wrapper:
        @hookimpl(hookwrapper=True)
        def get_importer(importer_name: str) -> Any:  # type: ignore[misc]
            yield

    with pytest.raises(PluginError, match="get_importer wants an argument 'parent_window'"):
        managed(greedy=Greedy)
    with pytest.raises(PluginError, match="wrapper"):
        managed(wrapper=Wrapper)
    with pytest.raises(PluginError, match="no hook of ate"):
        managed(nothing=object())


@pytest.mark.row("HS-60")
def test_plugins_are_found_by_entry_point_and_nothing_loads_unless_named() -> None:
    own = find("drycell")
    assert own in installed()
    manager = PluginManager()
    assert manager.plugins == ()
    manager.load("drycell")
    assert manager.plugins == ("drycell",)
    with pytest.raises(DuplicateNameError, match="drycell"):
        manager.load("drycell")
    with pytest.raises(UnknownNameError, match=r"'no-such-plugin'.*drycell"):
        manager.load("no-such-plugin")


@pytest.mark.row("HS-53", "HS-54", "HS-55", "HS-56")
def test_configuration_is_text_and_holds_from_the_next_call() -> None:
    manager = managed(own=Plugin(), site=Packages)
    assert manager.options("drycell.Temperature") == ("ramp_k_per_min",)
    assert manager.options("Site Cache") == ("ip", "port")
    assert manager.options("nobody") == ()
    chamber = manager.make("actuator", "drycell.Temperature")
    manager.configure("drycell.Temperature", chamber, {"ramp_k_per_min": "3"})
    chamber.set_temperature([85])
    assert manager.make("instrument", "drycell.chamber").query_float("TEMP:RAMP?") == 3.0
    manager.configure("drycell.Temperature", chamber, {"ramp_k_per_min": "7.5"})
    chamber.set_temperature([85])
    assert manager.make("instrument", "drycell.chamber").query_float("TEMP:RAMP?") == 7.5


def test_configuration_that_is_wrong_changes_nothing() -> None:
    manager = managed(own=Plugin(), site=Packages)
    chamber = manager.make("actuator", "drycell.Temperature")
    with pytest.raises(PluginError, match="texts; ramp_k_per_min"):
        manager.configure("drycell.Temperature", chamber, {"ramp_k_per_min": 3})  # type: ignore[dict-item]
    with pytest.raises(PluginError, match="no option 'speed'"):
        manager.configure("drycell.Temperature", chamber, {"ramp_k_per_min": "3", "speed": "1"})
    with pytest.raises(ValueError, match="speed"):
        chamber.set_configuration_values({"ramp_k_per_min": "3", "speed": "1"})
    with pytest.raises(ValueError, match="fast"):
        chamber.set_configuration_values({"ramp_k_per_min": "fast"})
    assert chamber.option("ramp_k_per_min") == ""
    with pytest.raises(PluginError, match="takes no configuration"):
        manager.configure("Site Cache", object(), {"ip": "1"})
