"""Find and load plugins, and call their hooks."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib.metadata import distributions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GROUP = "ate.org"
MARK = "ate.org_impl"


def installed() -> list[dict[str, str]]:
    """Every entry point of the group, from metadata alone: nothing is imported."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for one in distributions():
        for point in one.entry_points:
            if point.group == GROUP:
                name = one.metadata["Name"]
                row = {"distribution": name, "version": one.version, "entry": point.name, "target": point.value}
                found.setdefault((name, point.name), row)  # the first on the path is the one that is imported
    return [found[key] for key in sorted(found)]


def load(target: str, folder: str | None = None) -> dict[str, Any]:
    """The hook functions of the plugin at ``module:attribute`` (or ``module``), by hook name.

    ``folder`` is where modules are looked for at last, behind all that is installed.
    """
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)
    module, _, attribute = target.partition(":")
    plugin: Any = importlib.import_module(module.strip())
    for part in [name for name in attribute.split("[")[0].strip().split(".") if name]:
        plugin = getattr(plugin, part)
    marked = [name for name in dir(plugin) if hasattr(inspect.getattr_static(plugin, name, None), MARK)]
    marked += [name for name in dir(plugin) if name not in marked and hasattr(getattr(plugin, name, None), MARK)]
    if isinstance(plugin, type) and any(_wants_self(plugin, name) for name in marked):
        plugin = plugin()
    return {name: getattr(plugin, name) for name in marked}


def arguments_of(hook: Any) -> list[str]:
    """The names of the arguments that must or can be given."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in inspect.signature(hook).parameters.values() if one.kind not in kinds]


def _wants_self(plugin: type, name: str) -> bool:
    function = inspect.getattr_static(plugin, name)
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "self"
