"""Plugins of another interpreter as if they were here: hooks and objects that ask the plugin host."""

import base64
import sys
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drycell.runtime.plugins.errors import PluginError, RemoteError, UnknownNameError, words
from drycell.runtime.plugins.hookspec import hookimpl
from drycell.sim.foreign.link import Link

CALL_LIMIT_S = 30.0


class PluginHost:
    """A plugin host of ``python`` (None: this interpreter). A context manager. DrycellError when it cannot be."""

    def __init__(self, python: Path | None = None, call_limit_s: float = CALL_LIMIT_S) -> None:
        self._link = Link(python or Path(sys.executable), call_limit_s)

    @property
    def python_version(self) -> tuple[int, ...]:
        """Version of its interpreter."""
        return self._link.version

    @property
    def touched(self) -> list[str]:
        """What the last request did outside of the host's process: connections, processes, devices."""
        return self._link.touched

    def installed(self) -> list[dict[str, str]]:
        """Every plugin of that environment: distribution, version, entry, target. Nothing is imported."""
        return [dict(row) for row in self._link.ask("list")]

    def find(self, name: str) -> dict[str, str]:
        """The installed plugin called ``name``: its distribution, entry or ``module:attribute``.

        Raises UnknownNameError, or PluginError when several are called so.
        """
        rows = self.installed()
        for key in ("distribution", "entry", "target"):
            matching = [row for row in rows if row[key] == name]
            if len(matching) > 1:
                both = " or ".join(row["target"] for row in matching)
                raise PluginError(f"plugin {name!r} may be {both}; say which")
            if matching:
                return matching[0]
        known = ", ".join(row["distribution"] for row in rows) or "none"
        raise UnknownNameError(
            f"there is no plugin {name!r} in the environment of {self._link.python}; it has {known}"
        )

    def load(self, target: str, folder: Path | None = None) -> "HostedPlugin":
        """The plugin at ``module:attribute``, looked for in ``folder`` at last. PluginError when it cannot be
        imported."""
        try:
            hooks = self._link.ask("load", target=target, folder=None if folder is None else str(folder))
        except RemoteError as error:
            raise PluginError(f"plugin {target} cannot be loaded ({words(error)})") from None
        return HostedPlugin(self._link, hooks)

    def close(self) -> None:
        """End the host; idempotent."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HostedPlugin:
    """A plugin object whose hooks run in the host; registers like any other."""

    def __init__(self, link: Link, hooks: Mapping[str, list[str]]) -> None:
        self.hooks = tuple(hooks)
        for name, arguments in hooks.items():
            setattr(self, name, _hook(link, str(name), [str(one) for one in arguments]))


class HostedObject:
    """An object that lives in the host; its methods are called there."""

    def __init__(self, link: Link, described: Mapping[str, Any]) -> None:
        self._link = link
        self._number = described["$object"]
        self._methods = frozenset(described.get("methods", ()))
        self._data = dict(described.get("data", {}))
        self.class_name = str(described.get("class"))
        self.is_class = bool(described.get("is_class"))

    def __repr__(self) -> str:
        return f"<{self.class_name} in a plugin host>"

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_methods", ()):
            return lambda *arguments: _from_wire(
                self._link,
                self._link.ask("call", object=self._number, method=name, arguments=_to_wire(list(arguments))),
            )
        if name in self.__dict__.get("_data", ()):
            return self._data[name]
        raise AttributeError(f"{self.__dict__.get('class_name')} has no {name}")


def _hook(link: Link, name: str, arguments: list[str]) -> Callable[..., Any]:
    def ask(**given: Any) -> Any:
        return _from_wire(link, link.ask("hook", hook=name, arguments=_to_wire(given)))

    parameters = [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD) for one in arguments]
    ask.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what the adapter goes by
    return hookimpl(ask)


def _to_wire(value: Any) -> Any:
    if isinstance(value, HostedObject):
        return {"$object": value._number}
    if isinstance(value, Mapping):
        return {str(key): {"$logger": True} if key == "logger" else _to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_wire(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    raise PluginError(f"a {type(value).__name__} cannot be given to a plugin in another process; give plain data")


def _from_wire(link: Link, value: Any) -> Any:
    if isinstance(value, list):
        return [_from_wire(link, item) for item in value]
    if isinstance(value, dict):
        if "$object" in value:
            return HostedObject(link, value)
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: _from_wire(link, item) for key, item in value.items()}
    return value
