"""Ask plugins by name. Rules:

- Nothing is loaded unless it is named.
- Object names are unique over all plugins; a second plugin with a taken name is refused, and both are named.
- An unknown name raises with that name, whatever the plugins say to it: None is never an answer.
- A plugin that raises speaks for itself alone; what it said is kept in :attr:`PluginManager.problems`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from drycell.runtime.plugins import hookspec
from drycell.runtime.plugins.adapter import adapt
from drycell.runtime.plugins.errors import DuplicateNameError, PluginError, UnknownNameError, words
from drycell.runtime.plugins.found import GROUP, find
from drycell.runtime.plugins.kinds import IDENTIFICATION, KINDS, LISTED, OPTIONS, Kind

KEYS = ("name", "display_name", "version")


@dataclass(frozen=True, slots=True)
class Offer:
    """One object that a plugin lists."""

    plugin: str
    kind: str
    name: str
    display_name: str
    version: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a plugin did against the agreement: which hook, and one sentence."""

    plugin: str
    hook: str
    text: str


@dataclass(frozen=True, slots=True)
class _Answer:
    plugin: str
    value: Any = None
    error: Exception | None = field(default=None, compare=False)


class PluginManager:
    """The plugins of one program or cell."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspec)
        self._offers: list[Offer] = []
        self.problems: list[Problem] = []

    # what there is -------------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> tuple[str, ...]:
        """Names of the registered plugins, in order."""
        return tuple(name for name, _ in self._manager.list_name_plugin())

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Everything that the plugins list."""
        return tuple(self._offers)

    def load(self, *names: str) -> None:
        """Import and register installed plugins. Raises UnknownNameError, or PluginError when one cannot load."""
        for name in names:
            found = find(name)
            try:
                plugin = found.entry.load()
            except Exception as error:  # whatever a plugin's import may raise
                raise PluginError(f"plugin {found.name} cannot be loaded ({words(error)})") from error
            self.register(found.name, plugin)

    def register(self, name: str, plugin: Any) -> None:
        """Add a plugin: a class, an instance or a module.

        Raises PluginError for what is no plugin, DuplicateNameError when it offers a name that is taken.
        """
        if self._manager.has_plugin(name):
            raise DuplicateNameError(f"there is a plugin {name} already")
        self._manager.register(adapt(name, plugin), name)
        try:
            self._offers += self._listed(name)
        except PluginError:
            self._manager.unregister(name=name)
            raise

    def identification(self, plugin: str) -> Mapping[str, str]:
        """``name`` and ``version`` as the plugin says them, empty where it says nothing."""
        answers = [answer.value for answer in self._ask(IDENTIFICATION, plugin=plugin) if answer.value]
        said = answers[0] if answers and isinstance(answers[0], Mapping) else {}
        return {key: str(said.get(key, said.get(key.title(), ""))) for key in ("name", "version")}

    # objects -------------------------------------------------------------------------------------------------------

    def make(self, kind: str, name: str, logger: Any = None) -> Any:
        """The object ``name`` of a :data:`~drycell.runtime.plugins.kinds.KINDS` kind, made by the plugin that has it.

        Raises UnknownNameError when no plugin has it; the message holds the name and what plugins said against it.
        Raises DuplicateNameError when several plugins answer to a name that none of them lists.
        """
        sort = KINDS[kind]
        arguments = {sort.argument: name, **({"logger": logger} if sort.takes_logger else {})}
        owner = next((offer.plugin for offer in self._offers if offer.name == name and _lists(sort, offer)), None)
        answers = list(self._ask(sort.make, plugin=owner, **arguments))
        made = [answer for answer in answers if answer.value is not None]
        if len(made) > 1:
            both = " and ".join(answer.plugin for answer in made)
            raise DuplicateNameError(f"plugins {both} both answer to the {kind} {name!r}; remove one of them")
        if not made:
            raise self._unknown(kind, name, answers)
        return made[0].value

    def options(self, name: str) -> tuple[str, ...]:
        """The configuration keys of the object ``name``; empty when no plugin lists any."""
        for answer in self._ask(OPTIONS, object_name=name):
            if answer.value:
                return tuple(str(key) for key in answer.value)
        return ()

    def configure(self, name: str, made: Any, values: Mapping[str, str]) -> None:
        """Give ``made``, an object called ``name``, configuration values; they hold from its next call on.

        Raises PluginError for values that are no texts, keys that the object does not list, or an object that takes
        no configuration; ValueError of the object passes.
        """
        wrong = [key for key, value in values.items() if not isinstance(value, str)]
        if wrong:
            raise PluginError(f"configuration values are texts; {', '.join(wrong)} of {name} is none")
        known = self.options(name)
        strange = [key for key in values if known and key not in known]
        if strange:
            raise PluginError(f"{name} has no option {strange[0]!r}; it has {', '.join(known)}")
        for method in ("set_configuration_values", "apply_configuration"):
            if callable(getattr(made, method, None)):
                getattr(made, method)(dict(values))
                return
        raise PluginError(f"{name} takes no configuration: it has no set_configuration_values")

    # inside --------------------------------------------------------------------------------------------------------

    def _ask(self, hook: str, *, plugin: str | None = None, **arguments: Any) -> Iterator[_Answer]:
        """The answers of all plugins, or of one, in the order of registration."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if plugin is None or implementation.plugin_name == plugin:
                try:
                    yield _Answer(implementation.plugin_name, implementation.function(**arguments))
                except Exception as error:  # whatever foreign code raises
                    self.problems.append(Problem(implementation.plugin_name, hook, words(error)))
                    yield _Answer(implementation.plugin_name, error=error)

    def _listed(self, plugin: str) -> list[Offer]:
        offers: list[Offer] = []
        for kind in LISTED:
            for answer in self._ask(kind.names, plugin=plugin):
                offers += self._read(plugin, kind, answer)
        names = [(offer.kind, offer.name) for offer in offers]
        twice = next((name for kind, name in names if names.count((kind, name)) > 1), None)
        if twice is not None:
            raise DuplicateNameError(f"plugin {plugin} offers {twice!r} twice")
        taken = {offer.name: offer.plugin for offer in self._offers}
        for offer in offers:
            if offer.name in taken:
                raise DuplicateNameError(
                    f"plugins {taken[offer.name]} and {plugin} both offer {offer.name!r}; remove one of them"
                )
        return offers

    def _read(self, plugin: str, kind: Kind, answer: _Answer) -> list[Offer]:
        if answer.error is not None:
            return []
        if not isinstance(answer.value, Sequence) or isinstance(answer.value, str):
            self.problems.append(Problem(plugin, kind.names, f"returns {type(answer.value).__name__}, not a list"))
            return []
        offers = []
        for entry in answer.value:
            if not isinstance(entry, Mapping) or not all(isinstance(entry.get(key), str) for key in KEYS):
                text = f"an entry lacks one of the texts {', '.join(KEYS)}"
                self.problems.append(Problem(plugin, kind.names, text))
            else:
                offers.append(Offer(plugin, kind.name, *(entry[key] for key in KEYS)))
        return offers

    def _unknown(self, kind: str, name: str, answers: Sequence[_Answer]) -> UnknownNameError:
        known = sorted(offer.name for offer in self._offers if _lists(KINDS[kind], offer))
        said = "".join(f"; plugin {a.plugin} says {words(a.error)}" for a in answers if a.error is not None)
        listed = f"; there are {', '.join(known)}" if known else ""
        return UnknownNameError(f"no plugin has the {kind} {name!r}{said}{listed}")


def _lists(kind: Kind, offer: Offer) -> bool:
    return KINDS[offer.kind].names == kind.names
