"""Hook specifications of project "drycell", and the seams that plugins fill."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pluggy

if TYPE_CHECKING:
    from drycell.sim.faults import Fault
    from drycell.sim.replay.recording import Reader

hookspec = pluggy.HookspecMarker("drycell")
hookimpl = pluggy.HookimplMarker("drycell")


class Device(Protocol):
    """One device under test. ``parameters``: the true values that only the simulator knows, in SI units."""

    @property
    def parameters(self) -> Mapping[str, float]: ...


class Population(Protocol):
    """All devices of one lot."""

    def device(self, number: int) -> Device:
        """Device ``number``, counted from 1, the same whenever it is asked for. IndexError outside of the lot."""


@runtime_checkable
class Planned(Protocol):
    """A population that also says in which touchdown each device was, instead of the handler's own plan."""

    @property
    def touchdowns(self) -> Sequence[Mapping[int, int]]:
        """Site -> number of the device, in order."""

    @property
    def parts(self) -> Mapping[int, str]:
        """Part ids by number of the device, where they are not that number."""

    @property
    def wafers(self) -> Mapping[int, str]:
        """Wafer ids by number of the device, of those that are on one."""


@dataclass(frozen=True, slots=True)
class PopulationRequest:
    """What a device model is told. ``defects``: share of gross defects; ``spread``: parameter -> relative sigma;
    ``file``: what ``devices.file`` names."""

    seed: int
    lot: str
    size: int
    defects: float = 0.0
    spread: Mapping[str, float] = field(default_factory=dict)
    file: Path | None = None


DeviceAt = Callable[[int], Device | None]
"""The device that touches a site now, None when the site is empty."""


class Instrument(Protocol):
    """A line-based instrument. Pure: it knows time and devices only through what it was made with."""

    def answer(self, line: str) -> str:
        """The answer to one line (both without newline), empty for none; ``ERROR ...`` for what is not understood."""


@runtime_checkable
class Seated(Protocol):
    """An instrument that is told of every contact."""

    def seat(self, site: int, device: Device | None) -> None:
        """A device of the lot touches ``site`` from now on, or nothing does."""


@runtime_checkable
class Prepared(Protocol):
    """An instrument that is told once what it is called and which lot it is for."""

    def prepare(self, name: str, population: Population) -> None:
        """Before anything is asked."""


class ServedInstrument(Protocol):
    """An instrument that takes messages, at simulated cost of time. Messages and answers have no terminator."""

    def reply(self, message: bytes) -> bytes:
        """The answer to a message as things stand now, empty for none. Never raises."""

    def answer(self, line: str) -> str:
        """The same for text."""

    def latency_ns(self, message: bytes) -> int:
        """Simulated nanoseconds from hearing the message to carrying it out and answering."""

    def overrun(self) -> None:
        """Told when a message was too long to be heard."""


class ServedBench(Protocol):
    """Instruments that share one device, one chamber and one clock."""

    @property
    def served(self) -> Mapping[str, ServedInstrument]:
        """Every instrument by name."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Where each usually listens; 0 for any free port."""

    @property
    def resources(self) -> Mapping[str, str]:
        """VISA resource names that its description gives to instruments: resource -> name."""

    @property
    def drivers(self) -> Mapping[str, str]:
        """Instrument -> name of its driver (``runtime.instruments.by_name``); without one it takes lines of text."""

    def seat(self, site: int, device: Device | None) -> None:
        """Put a device of the lot into socket ``site`` (from 0), or take it out (None), at the present instant."""


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """What a bench is told. ``file``: its description (None: the usual bench); the rest overrides it if given."""

    now_ns: Callable[[], int]
    file: Path | None = None
    profile: str | None = None
    sites: int | None = None
    seed: int | None = None


class Tester(Protocol):
    """A tester's request and release lines, as programs and master of a cell see them. Sites count from 0.

    Set by the cell: ``on_call(call, site)`` hears of everything that programs do to the hardware, ``on_request()`` of
    every new request that a master has to release.
    """

    strategy: str
    on_call: Callable[[str, int], object]
    on_request: Callable[[], None]

    @property
    def asking(self) -> Collection[int]:
        """The sites that ask to be released."""

    def reset(self, site: int) -> None:
        """A program has come up on the site, or is gone."""

    def request(self, site: int, released: Callable[[], None]) -> None:
        """Ask; ``released`` is called once. ValueError for a site that it has not, or that asks already."""

    def withdraw(self, site: int) -> None:
        """Ask no more, after a timeout; nothing happens for a site that does not ask."""

    def in_progress(self, site: int) -> None:
        """The site is busy with a test."""

    def done(self, site: int) -> None:
        """The site has finished its test."""

    def setup(self, site: int) -> None:
        """Start for the site's program."""

    def teardown(self, site: int) -> None:
        """Stop for the site's program."""

    def pulse(self, site: int) -> None:
        """The trigger output pulses."""

    def release(self, sites: Collection[int]) -> None:
        """Release sites that ask. ValueError for one that does not."""


class DrycellHooks:
    """What a plugin may offer. Each hook returns names -> makers; a name offered twice is an error."""

    @hookspec
    def drycell_device_models(self) -> Mapping[str, Callable[[PopulationRequest], Population]]:
        """Device models by the name that ``devices.model`` says."""
        raise NotImplementedError

    @hookspec
    def drycell_instruments(self) -> Mapping[str, Callable[[DeviceAt], Instrument]]:
        """Instruments by the name that ``instruments.*.model`` says."""
        raise NotImplementedError

    @hookspec
    def drycell_benches(self) -> Mapping[str, Callable[[BenchRequest], ServedBench]]:
        """Whole benches by name; ``drycell serve`` shows them."""
        raise NotImplementedError

    @hookspec
    def drycell_testers(self) -> Mapping[str, Callable[[int], Tester]]:
        """Testers by the name that ``cell.tester`` says; makers take the number of sites, or raise ValueError."""
        raise NotImplementedError

    @hookspec
    def drycell_faults(self) -> "Mapping[str, type[Fault]]":
        """Faults by the name that ``do`` says in a timeline."""
        raise NotImplementedError

    @hookspec
    def drycell_importers(self) -> "Mapping[str, Reader]":
        """Readers of recordings by the name of their format."""
        raise NotImplementedError
