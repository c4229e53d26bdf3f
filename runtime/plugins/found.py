"""Which plugins are installed, from the metadata of the environment: nothing is imported to find that out."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from drycell.runtime.plugins.errors import PluginError, UnknownNameError

GROUP = "ate.org"


@dataclass(frozen=True, slots=True)
class Found:
    """One entry point. ``name`` is what the plugin is called here: its distribution, or distribution:entry."""

    name: str
    distribution: str
    version: str
    entry: EntryPoint


def installed() -> tuple[Found, ...]:
    """Every installed plugin, by name. A distribution with several has each under ``distribution:entry``."""
    points = [(one.dist.name, one.dist.version, one) for one in entry_points(group=GROUP) if one.dist is not None]
    counts = {name: sum(name == other for other, _, _ in points) for name, _, _ in points}
    found = (
        Found(name if counts[name] == 1 else f"{name}:{entry.name}", name, version, entry)
        for name, version, entry in points
    )
    return tuple(sorted(found, key=lambda one: one.name))


def find(name: str, among: Iterable[Found] | None = None) -> Found:
    """The plugin called ``name``: a distribution, ``distribution:entry``, an entry's name, or an import path.

    Raises UnknownNameError, or PluginError when several are called so.
    """
    plugins = tuple(installed() if among is None else among)
    callings = [(p.name, p.distribution, p.entry.name, p.entry.value) for p in plugins]
    for position in range(4):
        matching = [p for p, calling in zip(plugins, callings, strict=True) if calling[position] == name]
        if len(matching) > 1:
            raise PluginError(f"plugin {name!r} may be {' or '.join(p.name for p in matching)}; say which")
        if matching:
            return matching[0]
    known = ", ".join(plugin.name for plugin in plugins) or "none"
    raise UnknownNameError(f"there is no plugin {name!r} in this environment; installed are {known}")
