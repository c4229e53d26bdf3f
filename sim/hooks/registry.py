"""Collects what the installed plugins offer. Names are unique over all plugins; an unknown name raises."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from drycell.sim.errors import DrycellError
from drycell.sim.hooks.spec import (
    BenchRequest,
    DeviceAt,
    DrycellHooks,
    Instrument,
    Population,
    PopulationRequest,
    ServedBench,
    Tester,
)
from drycell.sim.suggest import did_you_mean

if TYPE_CHECKING:
    from drycell.sim.faults import Fault
    from drycell.sim.replay.recording import Reader

T = TypeVar("T")
GROUP = "drycell"


class Registry:
    """Device models, instruments, faults and readers of recordings of all plugins in ``manager``."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._known: dict[str, dict[str, Any]] = {}

    def _offered(self, hook: str) -> dict[str, Any]:
        """What all plugins offer to ``hook`` by name; asked once, when first needed: some are slow to import."""
        if hook not in self._known:
            self._known[hook] = _merged(self._manager, hook)
        return self._known[hook]

    @property
    def faults(self) -> "Mapping[str, type[Fault]]":
        """Faults by name."""
        return self._offered("drycell_faults")

    @property
    def importers(self) -> "Mapping[str, Reader]":
        """Readers of recordings by name."""
        return self._offered("drycell_importers")

    def population(self, model: str, request: PopulationRequest) -> Population:
        """The devices of a lot. Raises DrycellError for an unknown model or parameters it does not take."""
        maker: Callable[[PopulationRequest], Population] = _find(
            self._offered("drycell_device_models"), model, "device model", "devices.model"
        )
        try:
            return maker(request)
        except ValueError as error:
            raise DrycellError(f"devices: model {model!r} refuses: {error}") from None

    def instrument(self, model: str, device_at: DeviceAt) -> Instrument:
        """An instrument. Raises DrycellError for an unknown model."""
        maker: Callable[[DeviceAt], Instrument] = _find(
            self._offered("drycell_instruments"), model, "instrument model", "instruments.*.model"
        )
        return maker(device_at)

    def tester(self, model: str, sites: int) -> Tester:
        """A tester for ``sites`` sites. Raises DrycellError for an unknown model or too many sites."""
        maker: Callable[[int], Tester] = _find(self._offered("drycell_testers"), model, "tester", "cell.tester.model")
        try:
            return maker(sites)
        except ValueError as error:
            raise DrycellError(f"cell.tester: {error}") from None

    def bench(self, name: str, request: BenchRequest) -> ServedBench:
        """A bench of instruments. Raises DrycellError for an unknown one or a description that is wrong."""
        maker: Callable[[BenchRequest], ServedBench] = _find(
            self._offered("drycell_benches"), name, "bench", "bench.model"
        )
        return maker(request)


def _merged(manager: pluggy.PluginManager, hook: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        for name, maker in implementation.function().items():
            if name in merged:
                raise DrycellError(
                    f"plugins {owner[name]} and {implementation.plugin_name} both offer {name!r}; remove one of them"
                )
            merged[name], owner[name] = maker, implementation.plugin_name
    return merged


def _find(offered: Mapping[str, T], name: str, what: str, key: str) -> T:
    try:
        return offered[name]
    except KeyError:
        raise DrycellError(f"{key}: there is no {what} {name!r}; {did_you_mean(name, offered)}") from None


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of all installed plugins (entry points of group ``drycell``)."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(DrycellHooks)
    manager.load_setuptools_entrypoints(GROUP)
    return Registry(manager)
