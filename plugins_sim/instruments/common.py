"""What all instruments of a bench share: how they are set up, their options, their channels.

Rules that hold here:
- Channel n of an instrument is site n - 1; a command acts on the channels of its list ``(@1,2)``, without one on the
  channel that ``INSTrument:NSELect`` chose.
- Every change of hardware happens inside ``World.change``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from drycell.plugins_sim.instruments.scpi import Call, Channels, Command, Identity, Number, Profile, ScpiInstrument
from drycell.plugins_sim.instruments.scpi.response import number
from drycell.plugins_sim.physics.circuit import Element
from drycell.plugins_sim.physics.world import World
from drycell.sim.errors import DrycellError
from drycell.sim.suggest import did_you_mean

SEED_MANUFACTURER = "PyDVTATE"

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class Setup:
    """What an instrument is told. ``options``: its own keys of the bench file; ``connect``: terminal -> node."""

    name: str
    now_ns: Callable[[], int]
    sites: int = 1
    seed: int = 0
    profile: Profile = Profile.SCPI
    latency_s: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    connect: Mapping[str, str] = field(default_factory=dict)


class BenchInstrument:
    """One instrument on a bench. Subclasses have MODEL, SERIAL, TERMINALS (terminal -> usual node)."""

    MODEL: ClassVar[str]
    SERIAL: ClassVar[str]
    TERMINALS: ClassVar[Mapping[str, str]] = MappingProxyType({})

    scpi: ScpiInstrument
    world: World

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        unknown = [name for name in setup.connect if name not in self.TERMINALS]
        if unknown:
            hint = did_you_mean(unknown[0], self.TERMINALS) if self.TERMINALS else "it has none"
            raise DrycellError(f"instrument {setup.name} has no terminal {unknown[0]!r}; {hint}")
        self._nodes = {**self.TERMINALS, **setup.connect}
        self._selected = 0

    def join(self, world: World) -> None:
        """Become part of a bench; called once, before the first message."""
        self.world = world

    def board(self, site: int) -> Sequence[Element]:
        """What it puts into the circuit of a site."""
        return ()

    def scpi_face(self, commands: Sequence[Command], reset: Callable[[], None], **more: Any) -> ScpiInstrument:
        """The instrument's SCPI side with identity, latency and profile of the set-up."""
        setup = self.setup
        maker = SEED_MANUFACTURER if setup.profile is Profile.SEED else "drycell"
        return ScpiInstrument(
            Identity(self.MODEL, self.SERIAL, maker),
            commands,
            reset=reset,
            now_ns=setup.now_ns,
            latency_s=setup.latency_s,
            profile=setup.profile,
            **more,
        )

    # channels ------------------------------------------------------------------------------------------------------

    def channel_list(self) -> Channels:
        """The optional channel list of its commands."""
        return Channels(self.setup.sites, optional=True)

    def targets(self, call: Call, index: int) -> tuple[int, ...]:
        """Sites (from 0) that a command means, ``index``: place of its channel list."""
        listed = call[index]
        return (self._selected,) if listed is None else tuple(channel - 1 for channel in listed)

    def per_site(self, read: Callable[[int], str], index: int = 0) -> Callable[[Call], str]:
        """A query that answers for each of its channels."""
        return lambda call: ",".join(read(site) for site in self.targets(call, index))

    def selection(self) -> tuple[Command, ...]:
        """The commands that choose a channel."""

        def select(call: Call) -> None:
            self._selected = int(call[0]) - 1

        channel = Number(low=1, high=self.setup.sites, default=1, whole=True)
        return (Command("INSTrument:NSELect", select, lambda call: str(self._selected + 1), (channel,)),)

    def setting(
        self,
        pattern: str,
        parameter: Number,
        get: Callable[[int], float],
        put: Callable[[int, float, float], None],
        decimals: int = 3,
    ) -> Command:
        """A number per channel: ``put(site, value, at_s)`` inside a change of the world."""

        def run(call: Call) -> None:
            sites = self.targets(call, 1)
            with self.world.change(*sites) as at_s:
                for site in sites:
                    put(site, call[0], at_s)

        def show(value: float) -> str:
            return number(value, decimals)

        ask = self.per_site(lambda site: show(get(site)))
        channels = self.channel_list()
        return Command(pattern, run, ask, (parameter, channels), (channels,), show)

    def measuring(self, pattern: str, read: Callable[[int], str]) -> Command:
        """A measurement per channel, query only."""
        return Command(pattern, ask=self.per_site(read), asks=(self.channel_list(),))


def read_options(kind: type[Options], given: Mapping[str, Any], where: str) -> Options:
    """An options dataclass from a mapping; numbers, truths and texts only. Raises DrycellError for what is wrong."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # kind is a dataclass
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise DrycellError(f"{where} has no option {name!r}; {did_you_mean(name, known)}")
        values[name] = _option(value, known[name].default, f"{where}.{name}")
    return kind(**values)


def _option(value: Any, default: Any, where: str) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise DrycellError(f"{where} is {value!r}; it must be true or false.")
        return value
    if isinstance(default, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise DrycellError(f"{where} is {value!r}; it must be a number.")
        if isinstance(default, int) and value != int(value):
            raise DrycellError(f"{where} is {value!r}; it must be a whole number.")
        return type(default)(value)
    if isinstance(default, tuple):
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise DrycellError(f"{where} is {value!r}; it must be a list of names.")
        return tuple(value)
    if not isinstance(value, str):
        raise DrycellError(f"{where} is {value!r}; it must be a text.")
    return value
