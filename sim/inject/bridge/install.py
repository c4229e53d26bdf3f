"""Stand between the program and its plugin manager: names of the cell are answered here, all others as ever.

The plugins of the program's environment are never asked for a bridged name, so no hardware of theirs is touched.
"""

from __future__ import annotations

import gc
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GROUP = "ate.org"
HOOKS = {
    "get_tester": ("tester", "tester_name"),
    "get_instrument": ("instrument", "instrument_name"),
    "get_instrument_proxy": ("instrument", "instrument_name"),
    "get_actuator": ("actuator", "actuator_name"),
    "get_actuator_proxy": ("actuator", "actuator_name"),
}
"""Hook -> what it makes, and the argument that names it."""


class _Caller:
    """A bridged hook: it answers for the cell where it can, and is the program's own in everything else."""

    def __init__(self, hooks: Any, name: str, make: Callable[..., Any]) -> None:
        self._hooks, self._name, self._make = hooks, name, make

    def __call__(self, **arguments: Any) -> Any:
        made = self._make(**arguments)
        return getattr(self._hooks, self._name)(**arguments) if made is None else [made]

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._hooks, self._name), name)


class _Hooks:
    """A hook relay whose bridged hooks answer for the cell; the program's plugins need not have them."""

    def __init__(self, real: Any, bridged: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(_real=real, _bridged=bridged)

    def __getattr__(self, name: str) -> Any:
        make = self._bridged.get(name)
        return getattr(self._real, name) if make is None else _Caller(self._real, name, make)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def _makers(settings: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    from .objects import KINDS

    def maker(kind: str, argument: str) -> Callable[..., Any]:
        names = settings["names"][kind]

        def make(**arguments: Any) -> Any:
            name = arguments.get(argument) or arguments.get("required_capability")
            if names is not None and name not in names:
                return None
            return KINDS[kind](settings["address"], settings["site"], str(name), arguments.get("logger"))

        return make

    return {hook: maker(*what) for hook, what in HOOKS.items() if what[0] in settings["names"]}


def _patch(pluggy: Any, bridged: Callable[[], dict[str, Callable[..., Any]]]) -> None:
    manager = pluggy.PluginManager
    load = manager.load_setuptools_entrypoints

    def bridge(one: Any) -> None:
        if not isinstance(one.hook, _Hooks):
            one.hook = _Hooks(one.hook, bridged())

    def load_and_bridge(self: Any, group: str, *arguments: Any, **named: Any) -> Any:
        count = load(self, group, *arguments, **named)
        if group == GROUP:
            bridge(self)
        return count

    manager.load_setuptools_entrypoints = load_and_bridge
    for one in gc.get_objects():  # a program that was forked after its imports may have a manager already
        if issubclass(type(one), manager) and getattr(one, "project_name", None) == GROUP:
            bridge(one)


class _Loader:
    """Loads pluggy as it is, and patches it once it is there."""

    def __init__(self, real: Any, then: Callable[[Any], None]) -> None:
        self._real, self._then = real, then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def exec_module(self, module: Any) -> None:
        self._real.exec_module(module)
        self._then(module)


class _Finder:
    """Finds pluggy, once."""

    def __init__(self, then: Callable[[Any], None]) -> None:
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "pluggy":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec: Any = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


def install() -> None:
    """Wait for pluggy to be imported."""
    settings = json.loads(os.environ["DRYCELL_BRIDGE"])

    def then(pluggy: Any) -> None:
        _patch(pluggy, lambda: _makers(settings))

    if "pluggy" in sys.modules:
        then(sys.modules["pluggy"])
    else:
        sys.meta_path.insert(0, _Finder(then))
