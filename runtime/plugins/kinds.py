"""The kinds of objects that a plugin may offer, and the hooks that list and make them: one table for everybody.

``get_instrument_proxy`` takes a capability in one printing of the hook specification and a name in the other: here a
capability is a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """``make`` is the hook that makes one; ``argument`` its object name, ``spellings`` what plugins also call it."""

    name: str
    names: str
    make: str
    argument: str
    spellings: tuple[str, ...] = ()
    takes_logger: bool = False


_ALL = (
    Kind("importer", "get_importer_names", "get_importer", "importer_name"),
    Kind("exporter", "get_exporter_names", "get_exporter", "exporter_name"),
    Kind("equipment", "get_equipment_names", "get_equipment", "equipment_name"),
    Kind("devicepin importer", "get_devicepin_importer_names", "get_devicepin_importer", "importer_name"),
    Kind("instrument", "get_instrument_names", "get_instrument", "instrument_name", takes_logger=True),
    Kind(
        "instrument proxy",
        "get_instrument_names",
        "get_instrument_proxy",
        "instrument_name",
        ("required_capability",),
    ),
    Kind("actuator", "get_actuator_names", "get_actuator", "actuator_name"),
    Kind("actuator proxy", "get_actuator_names", "get_actuator_proxy", "actuator_name"),
    Kind(
        "general purpose function",
        "get_general_purpose_function_names",
        "get_general_purpose_function",
        "func_name",
        ("function_name",),
        takes_logger=True,
    ),
    Kind("tester", "get_tester_names", "get_tester", "tester_name", takes_logger=True),
    Kind("tester type", "get_tester_names", "get_tester_type", "tester_name"),
    Kind("tester master", "get_tester_master_names", "get_tester_master", "tester_name"),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
NAME_HOOKS = tuple(dict.fromkeys(kind.names for kind in _ALL))
LISTED = tuple(kind for kind in _ALL if kind.name not in ("instrument proxy", "actuator proxy", "tester type"))
"""The kinds that have a list of names of their own; the others are further forms of these."""

IDENTIFICATION = "get_plugin_identification"
OPTIONS = "get_configuration_options"
