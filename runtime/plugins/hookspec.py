"""The hook specifications of project "ate.org", as a module that pluggy reads.

Source: the plugin document of ATE.org (19 hooks), the three actuator hooks of its sequencer document, and
``get_tester_master_names`` of the published packages. Every hook may be missing from a plugin. Where the documents
disagree, the larger signature stands here: pluggy lets an implementation take fewer arguments, and
:mod:`drycell.runtime.plugins.adapter` takes those that have others.

Each ``get_x_names`` returns a list of dictionaries with ``display_name``, ``version`` and ``name``; ``get_x`` accepts
that ``name``. Every plugin is asked for every name: one that does not know it returns None, or raises.
"""

from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("ate.org")
hookimpl = pluggy.HookimplMarker("ate.org")

Names = list[dict[str, str]]


@hookspec
def get_plugin_identification() -> dict[str, str]:  # type: ignore[empty-body]
    """``name`` and ``version`` of the plugin."""


@hookspec
def get_importer_names() -> Names:  # type: ignore[empty-body]
    """What brings a wafer map in."""


@hookspec
def get_exporter_names() -> Names:  # type: ignore[empty-body]
    """What writes a wafer map out."""


@hookspec
def get_equipment_names() -> Names:  # type: ignore[empty-body]
    """Access to a prober or handler."""


@hookspec
def get_devicepin_importer_names() -> Names:  # type: ignore[empty-body]
    """What brings the pins of a device in."""


@hookspec
def get_actuator_names() -> Names:  # type: ignore[empty-body]
    """What changes the surroundings of a device."""


@hookspec
def get_instrument_names() -> Names:  # type: ignore[empty-body]
    """What measures a device."""


@hookspec
def get_general_purpose_function_names() -> Names:  # type: ignore[empty-body]
    """What tests need and no other kind covers."""


@hookspec
def get_tester_names() -> Names:  # type: ignore[empty-body]
    """Testers, which synchronise the sites."""


@hookspec
def get_tester_master_names() -> Names:  # type: ignore[empty-body]
    """The masters' side of testers."""


@hookspec
def get_importer(importer_name: str) -> Any:
    """Something with ``do_import() -> data`` and ``get_abort_reason() -> str``."""


@hookspec
def get_exporter(exporter_name: str) -> Any:
    """Something with ``do_export(data) -> bool`` and ``get_abort_reason() -> str``."""


@hookspec
def get_equipment(equipment_name: str) -> Any:
    """An object for tests; its methods are its own."""


@hookspec
def get_devicepin_importer(importer_name: str) -> Any:
    """Something with the methods of an importer."""


@hookspec
def get_actuator(actuator_name: str) -> Any:
    """The actuator itself, for whoever controls it: master or test cell controller."""


@hookspec
def get_actuator_proxy(actuator_name: str) -> Any:
    """What a test calls instead: each call becomes a request to the master and blocks until it is answered."""


@hookspec
def get_instrument(instrument_name: str, logger: Any) -> Any:
    """An object for tests; its methods are its own."""


@hookspec
def get_instrument_proxy(instrument_name: str) -> Any:
    """What a test calls instead of an instrument that somebody else controls."""


@hookspec
def get_general_purpose_function(func_name: str, logger: Any) -> Any:
    """An object of any interface, one per test program."""


@hookspec
def get_tester(tester_name: str, logger: Any) -> Any:
    """A :class:`~drycell.runtime.plugins.interfaces.TesterInterface`; its constructor touches no hardware."""


@hookspec
def get_tester_type(tester_name: str) -> Any:
    """The class of that tester, for code generators."""


@hookspec
def get_tester_master(tester_name: str) -> Any:
    """A :class:`~drycell.runtime.plugins.interfaces.TesterMasterInterface`."""


@hookspec
def get_configuration_options(object_name: str) -> list[str]:  # type: ignore[empty-body]
    """The keys that ``set_configuration_values`` of that object takes."""
