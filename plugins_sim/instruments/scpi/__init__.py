"""The SCPI language: messages, parameters, commands, status. Pure; time and hardware come as arguments.

Sources: SCPI-99 (volumes 1 and 2), IEEE 488.2-1992.
"""

from drycell.plugins_sim.instruments.scpi.errors import Failure
from drycell.plugins_sim.instruments.scpi.instrument import Identity, Profile, ScpiInstrument
from drycell.plugins_sim.instruments.scpi.parameters import Boolean, Channels, Choice, Number, Parameter, Text
from drycell.plugins_sim.instruments.scpi.response import block, boolean, number, quoted
from drycell.plugins_sim.instruments.scpi.tree import Call, Command

__all__ = [
    "Boolean",
    "Call",
    "Channels",
    "Choice",
    "Command",
    "Failure",
    "Identity",
    "Number",
    "Parameter",
    "Profile",
    "ScpiInstrument",
    "Text",
    "block",
    "boolean",
    "number",
    "quoted",
]
