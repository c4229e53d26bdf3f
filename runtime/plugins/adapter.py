"""Make any plugin's hook functions callable with the arguments of our specification.

Plugins come in three manners: for the plugin document, for the sequencer document (plugin name and object name), and
for the published packages (with a logger). They are told apart by the names of their arguments, function by function.
"""

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pluggy

from drycell.runtime.plugins import hookspec
from drycell.runtime.plugins.errors import PluginError
from drycell.runtime.plugins.kinds import IDENTIFICATION, KINDS, NAME_HOOKS, OPTIONS

_MAKERS = {kind.make: kind for kind in KINDS.values()}
HOOKS = (IDENTIFICATION, *NAME_HOOKS, *_MAKERS, OPTIONS)


def adapt(name: str, plugin: Any) -> SimpleNamespace:
    """An object with the hooks of ``plugin``, each with exactly the arguments of our specification.

    ``plugin`` is a class with functions that have no ``self``, an instance, or a module. Raises PluginError for a
    hook function that is a wrapper or wants an argument that nobody can give.
    """
    hooks = {hook: _adapted(name, hook, call) for hook, call in marked(plugin).items() if hook in HOOKS}
    if not hooks:
        raise PluginError(f"plugin {name} has no hook of ate.org; mark its functions with hookimpl of that project")
    return SimpleNamespace(**hooks)


def marked(plugin: Any) -> dict[str, Callable[..., Any]]:
    """Every function that the plugin marks as a hook of ate.org, known to us or not."""
    manager = pluggy.PluginManager("ate.org")
    found = {hook: manager.parse_hookimpl_opts(plugin, hook) for hook in dir(plugin)}
    hooks = [hook for hook, options in found.items() if options is not None]
    if inspect.isclass(plugin) and any(_wants_self(plugin, hook) for hook in hooks):
        plugin = plugin()
    for hook in hooks:
        options = found[hook]
        if options is not None and (options.get("hookwrapper") or options.get("wrapper")):
            raise PluginError(f"{hook} is a wrapper around other plugins' hooks; only plain hooks can be used")
    return {hook: getattr(plugin, hook) for hook in hooks}


def _wants_self(plugin: type, hook: str) -> bool:
    function = inspect.getattr_static(plugin, hook)
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "self"


def _adapted(plugin: str, hook: str, call: Callable[..., Any]) -> Callable[..., Any]:
    given = tuple(inspect.signature(getattr(hookspec, hook)).parameters)
    wanted = _wanted(plugin, hook, call, given)

    def asked(**arguments: Any) -> Any:
        return call(**{theirs: arguments[ours] if ours else plugin for theirs, ours in wanted.items()})

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in given]
    asked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what pluggy goes by
    asked.__name__ = hook
    return hookspec.hookimpl(asked)


def _wanted(plugin: str, hook: str, call: Callable[..., Any], given: tuple[str, ...]) -> Mapping[str, str]:
    """Their argument -> ours; the empty text stands for the plugin's own name."""
    kind = _MAKERS.get(hook)
    ours = {**{name: name for name in given}, "plugin_name": ""}
    if kind is not None:
        ours |= dict.fromkeys((kind.argument, *kind.spellings, "name"), kind.argument)
    wanted = {}
    for parameter in inspect.signature(call).parameters.values():
        if parameter.name in ours:
            wanted[parameter.name] = ours[parameter.name]
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise PluginError(
                f"plugin {plugin}: {hook} wants an argument {parameter.name!r}; it is given"
                f" {', '.join(given) or 'none'}"
            )
    return wanted
