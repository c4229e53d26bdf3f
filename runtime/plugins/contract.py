"""The contract of an ATE.org plugin as checks that any plugin can be put to.

Objects are made, and asked only for what changes nothing: importers and exporters are run without configuration (they
must fail well), testers are never requested, instruments, actuators and equipment never operated. A check passes,
fails, gives advice, or has nothing to look at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drycell.runtime.plugins.adapter import HOOKS, marked
from drycell.runtime.plugins.errors import PluginError, words
from drycell.runtime.plugins.kinds import KINDS, NAME_HOOKS
from drycell.runtime.plugins.manager import Offer, PluginManager
from drycell.runtime.plugins.strategies import STRATEGIES

Verdict = Literal["passes", "fails", "advice", "nothing"]
FOREIGN = "nobody.NoSuchObject"
TESTER = ("do_request", "test_in_progress", "test_done", "setup", "teardown")
MASTER = ("get_sites_count", "get_site_states", "release_test_execution", "get_strategy_type")
_IMPORTERS = ("importer", "devicepin importer")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found; ``rows`` are the rows of the feature inventory that it checks."""

    check: str
    rows: tuple[str, ...]
    verdict: Verdict
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    text: str
    is_advice: bool = False


Findings = Iterator[_Finding | None]
"""None: something was looked at and is well."""


class _Subject:
    """A plugin under examination; objects are made once."""

    def __init__(self, name: str, plugin: Any, touched: Callable[[], Sequence[str]]) -> None:
        self.name, self.plugin = name, plugin
        self.manager = PluginManager()
        self.manager.register(name, plugin)
        self.listing_problems = tuple(self.manager.problems)
        self._touched = touched
        self._made: dict[Offer, tuple[Any, str, tuple[str, ...]]] = {}

    def offers(self, *kinds: str) -> list[Offer]:
        return [offer for offer in self.manager.offers if offer.kind in kinds]

    def made(self, offer: Offer) -> tuple[Any, str, tuple[str, ...]]:
        """The object, or None and what its making raised; and what making it touched."""
        if offer not in self._made:
            try:
                made, error = self.manager.make(offer.kind, offer.name), ""
            except PluginError as refusal:
                made, error = None, str(refusal).split("; there are")[0]
            self._made[offer] = (made, error, tuple(self._touched()))
        return self._made[offer]

    def objects(self, *kinds: str) -> Iterator[tuple[Offer, Any]]:
        """What could be made."""
        for offer in self.offers(*kinds):
            made = self.made(offer)[0]
            if made is not None:
                yield offer, made


def _identification(subject: _Subject) -> Findings:
    said = subject.manager.identification(subject.name)
    missing = [key for key, value in said.items() if not value]
    yield _Finding(f"the identification has no {' and no '.join(missing)}", is_advice=True) if missing else None


def _hooks(subject: _Subject) -> Findings:
    for hook in marked(subject.plugin):
        yield None if hook in HOOKS else _Finding(f"{hook} is no hook of ate.org; nobody calls it")


def _lists(subject: _Subject) -> Findings:
    for problem in subject.listing_problems:
        yield _Finding(f"{problem.hook}: {problem.text}")
    for hook in marked(subject.plugin):
        if hook in NAME_HOOKS:
            yield None


def _prefixes(subject: _Subject) -> Findings:
    said = subject.manager.identification(subject.name)["name"]
    prefixes = {prefix for prefix in (said, subject.name) if prefix}
    names = [offer.name for offer in subject.manager.offers]
    bare = [name for name in names if not any(name.startswith(f"{prefix}.") for prefix in prefixes)]
    if bare:
        yield _Finding(f"other plugins may use these names too: {', '.join(dict.fromkeys(bare))}", is_advice=True)
    elif names:
        yield None


def _makes(subject: _Subject) -> Findings:
    for offer in subject.manager.offers:
        error = subject.made(offer)[1]
        yield _Finding(f"the {offer.kind} {offer.name!r} cannot be made: {error}") if error else None


def _unknown(subject: _Subject) -> Findings:
    hooks = marked(subject.plugin)
    for kind in KINDS.values():
        if kind.make not in hooks:
            continue
        own = [f"{offer.name} no more" for offer in subject.manager.offers if KINDS[offer.kind].names == kind.names]
        for name in (FOREIGN, *own[:1]):
            try:
                subject.manager.make(kind.name, name)
            except PluginError:
                yield None
            else:
                yield _Finding(f"{kind.make} answers to {name!r}, which it does not list")


def _imports(subject: _Subject) -> Findings:
    for offer, made in subject.objects(*_IMPORTERS):
        yield from _fails_well(offer, made, "do_import", (), None)


def _exports(subject: _Subject) -> Findings:
    for offer, made in subject.objects("exporter"):
        yield from _fails_well(offer, made, "do_export", (None,), False)


def _fails_well(offer: Offer, made: Any, method: str, arguments: tuple[Any, ...], failure: object) -> Findings:
    who = f"the {offer.kind} {offer.name!r}"
    try:
        came, reason = getattr(made, method)(*arguments), made.get_abort_reason()
    except Exception as error:
        yield _Finding(f"{who} raises {words(error)} instead of answering {failure}")
        return
    if came is False and failure is None:
        yield _Finding(f"{who} answers False for a failed import; it must answer None")
    elif came is failure and not (isinstance(reason, str) and reason):
        yield _Finding(f"{who} fails without a reason; get_abort_reason answers {reason!r}")
    else:
        yield None


def _testers(subject: _Subject) -> Findings:
    for offer, made in subject.objects("tester"):
        missing = [method for method in TESTER if not callable(getattr(made, method, None))]
        if missing:
            yield _Finding(f"the tester {offer.name!r} has no {', '.join(missing)}")
        elif not callable(getattr(made, "pulse_trigger_out", None)):
            text = f"the tester {offer.name!r} has no pulse_trigger_out; a trigger option ends its program in error"
            yield _Finding(text, is_advice=True)
        else:
            yield None


def _site_counts(subject: _Subject) -> Findings:
    for offer, made in subject.objects("tester"):
        declared = getattr(made, "SITE_COUNT", None)
        if not isinstance(declared, int) or declared < 1:
            yield _Finding(f"the tester {offer.name!r} declares SITE_COUNT {declared!r}")
            continue
        asks = [getattr(made, name, None) for name in ("get_sites_count", "get_site_count")]
        try:
            counts = {ask() for ask in asks if callable(ask)}
        except Exception as error:
            yield _Finding(f"the tester {offer.name!r} cannot tell its number of sites: {words(error)}")
            continue
        wrong = counts - {declared} or not counts
        yield _Finding(f"the tester {offer.name!r} counts {counts or 'no'} sites, not {declared}") if wrong else None


def _untouched(subject: _Subject) -> Findings:
    for offer in subject.offers("tester"):
        made, _, touched = subject.made(offer)
        if made is not None:
            yield _Finding(f"making the tester {offer.name!r} does {', '.join(touched)}") if touched else None


def _types(subject: _Subject) -> Findings:
    if "get_tester_type" not in marked(subject.plugin):
        return
    for offer, made in subject.objects("tester"):
        try:
            kind = subject.manager.make("tester type", offer.name)
        except PluginError as error:
            yield _Finding(f"the type of tester {offer.name!r} cannot be had: {error}")
            continue
        known = _class_name(kind) == _class_name(type(made) if not hasattr(made, "class_name") else made)
        yield None if known else _Finding(f"the type of tester {offer.name!r} is not that of the tester")


def _class_name(kind: Any) -> str:
    hosted = getattr(kind, "class_name", None)
    return str(hosted) if hosted else f"{kind.__module__}.{kind.__qualname__}"


def _masters(subject: _Subject) -> Findings:
    hooks = marked(subject.plugin)
    if "get_tester_master" in hooks and "get_tester_master_names" not in hooks:
        yield _Finding("it makes tester masters, but has no get_tester_master_names to list them", is_advice=True)
    for offer, made in subject.objects("tester master"):
        missing = [method for method in MASTER if not callable(getattr(made, method, None))]
        if missing:
            yield _Finding(f"the tester master {offer.name!r} has no {', '.join(missing)}")
            continue
        strategy = made.get_strategy_type()
        known = strategy in STRATEGIES
        text = f"the tester master {offer.name!r} has strategy {strategy!r}; known are {', '.join(STRATEGIES)}"
        yield None if known else _Finding(text)


def _options(subject: _Subject) -> Findings:
    for offer in subject.manager.offers:
        options = subject.manager.options(offer.name)
        yield None if all(isinstance(key, str) for key in options) else _Finding(f"{offer.name!r} has odd options")


def _configuration(subject: _Subject) -> Findings:
    for offer, made in subject.objects(*(kind for kind in KINDS if kind not in ("tester", "tester master"))):
        setter = next((n for n in ("set_configuration_values", "apply_configuration") if hasattr(made, n)), None)
        if setter is None:
            yield _Finding(f"the {offer.kind} {offer.name!r} cannot be configured (no set_configuration_values)")
            continue
        try:
            getattr(made, setter)({})
        except Exception as error:
            yield _Finding(f"the {offer.kind} {offer.name!r}: {setter} of no values raises {words(error)}")
        else:
            yield None


CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[_Subject], Findings]], ...] = (
    ("says its name and version", ("HS-04",), _identification),
    ("has hooks of ate.org only", ("HS-01", "HS-57"), _hooks),
    ("lists objects with name, display_name and version", ("HS-06", "HS-07", "HS-08"), _lists),
    ("names begin with the plugin's name", ("HS-10",), _prefixes),
    ("makes every object that it lists", ("HS-09", "HS-18"), _makes),
    ("does not answer to unknown names", ("HS-27", "HS-29", "HS-33"), _unknown),
    ("importers fail without raising and say why", ("HS-20", "HS-22", "HS-30"), _imports),
    ("exporters fail without raising and say why", ("HS-23", "HS-25"), _exports),
    ("testers have their methods", ("HS-37", "HS-38", "HS-39", "HS-40", "HS-41"), _testers),
    ("testers know their number of sites", ("HS-36", "HS-43", "HS-44", "HS-45"), _site_counts),
    ("making a tester touches no hardware", ("HS-42",), _untouched),
    ("tester types are the classes of the testers", ("HS-46", "HS-47"), _types),
    ("tester masters have their methods and a known strategy", ("HS-48", "HS-49", "HS-51", "HS-52"), _masters),
    ("configuration options are texts", ("HS-53", "HS-56"), _options),
    ("objects can be configured", ("HS-54",), _configuration),
)


def examine(name: str, plugin: Any, touched: Callable[[], Sequence[str]] = tuple) -> tuple[Outcome, ...]:
    """Put a plugin to every check. ``touched()``: what the last call did outside of its process, where known.

    Raises PluginError for what cannot be registered as a plugin at all.
    """
    subject = _Subject(name, plugin, touched)
    return tuple(_outcome(check, rows, list(look(subject))) for check, rows, look in CHECKS)


def _outcome(check: str, rows: tuple[str, ...], found: list[_Finding | None]) -> Outcome:
    findings = [finding for finding in found if finding is not None]
    texts = tuple(finding.text for finding in findings)
    if not findings:
        return Outcome(check, rows, "passes" if found else "nothing")
    return Outcome(check, rows, "advice" if all(f.is_advice for f in findings) else "fails", texts)
