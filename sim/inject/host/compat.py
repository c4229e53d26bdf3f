"""Module names that plugins import their markers from, for environments that do not have these packages.

``ATE.semiateplugins.hookspec`` stands in the plugin document, ``ate_semiateplugins.hookspec`` and
``ate_common.logger`` are those of the published packages. A package that is installed always wins.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _marker(kind: str) -> Any:
    def mark(function: Any = None, **options: Any) -> Any:
        if function is None:
            return lambda one: mark(one, **options)
        setattr(function, f"ate.org_{kind}", options)
        return function

    return mark


def _hookspec(module: Any) -> None:
    module.hookimpl, module.hookspec = _marker("impl"), _marker("spec")


def _logger(module: Any) -> None:
    module.Logger = logging.Logger
    module.LogLevel = type("LogLevel", (), {"Debug": 10, "Measure": 15, "Info": 20, "Warning": 30, "Error": 40})


_MODULES = {
    "ATE.semiateplugins.hookspec": _hookspec,
    "ate_semiateplugins.hookspec": _hookspec,
    "ate_common.logger": _logger,
}


def offer_names() -> None:
    """Make the missing ones of these modules importable."""
    for name, fill in _MODULES.items():
        if not _is_there(name):
            parts = name.split(".")
            for length in range(1, len(parts)):
                parent = sys.modules.setdefault(".".join(parts[:length]), ModuleType(".".join(parts[:length])))
                parent.__path__ = []
            module = ModuleType(name)
            fill(module)
            sys.modules[name] = module


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
