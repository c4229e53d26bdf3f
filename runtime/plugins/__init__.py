"""Plugins for ATE.org: the hooks, how plugins are found and asked, and what the objects behind them can do.

Nothing of the simulation is imported here. A plugin is loaded only when it is named.
"""

from drycell.runtime.plugins.errors import DuplicateNameError, PluginError, UnknownNameError
from drycell.runtime.plugins.found import GROUP, Found, find, installed
from drycell.runtime.plugins.hookspec import hookimpl
from drycell.runtime.plugins.interfaces import (
    Configurable,
    ExporterBase,
    ImporterBase,
    TesterInterface,
    TesterMasterInterface,
)
from drycell.runtime.plugins.kinds import KINDS, Kind
from drycell.runtime.plugins.manager import Offer, PluginManager, Problem

__all__ = [
    "GROUP",
    "KINDS",
    "Configurable",
    "DuplicateNameError",
    "ExporterBase",
    "Found",
    "ImporterBase",
    "Kind",
    "Offer",
    "PluginError",
    "PluginManager",
    "Problem",
    "TesterInterface",
    "TesterMasterInterface",
    "UnknownNameError",
    "find",
    "hookimpl",
    "installed",
]
