"""The scenario model: what a run is made of, as one frozen value. The published JSON schema is derived from it.

Rules
- This is the only description of a scenario; loader, schema, canonical form and documentation follow from it.
- Short forms (``sites: 2``, ``handler: model``, ``devices: {lot: 20}``) become the long form on the way in.
- Text stays as written, paths too; :meth:`Scenario.path_of` finds a file when it is needed.
- Every field has a default except the format version and the name.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from drycell.sim.kernel.pace import Pace
from drycell.sim.scenario.cell import Cell
from drycell.sim.scenario.timeline import Step
from drycell.sim.scenario.words import (
    Instant,
    Lot,
    PaceWord,
    Seconds,
    Section,
    Share,
    Text,
    TopicLevel,
    Variable,
    Whole,
    distinct,
)
from drycell.sim.suggest import did_you_mean

FORMAT = 1
Rung = Literal["model", "process"]


class Program(Section):
    """The test program under rehearsal. Paths are relative to the scenario's folder."""

    definitions: Text | None = None
    """Folder with ``definitions/``, ``do/``, ``measures.json`` and ``binning.json``: rung model interprets it, rung
    process generates the real program from it."""
    path: Text | None = None
    """Script of a test program, instead of one generated from the definitions; one that imports
    ``drycell.runtime.program`` runs on rung model, too."""
    python: Text | None = None
    """Interpreter of the test program; null: drycell's own, for one that imports ``drycell.runtime.program``."""
    tests: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """Test instances to run, such as ``vout_1``, in the program's own order; none named: all."""


class Devices(Section):
    """The devices of the lot."""

    lot: Lot = "306426.001"
    """Lot number. A plain whole number here is the short form of ``size``."""
    size: Whole = Field(default=20, ge=1, le=1_000_000)
    """Number of devices."""
    model: Text = "ldo"
    """Name of the device model."""
    defects: Share = 0.0
    """Share of devices with a gross defect."""
    spread: Mapping[Text, Share] = {}
    """Relative standard deviation of the devices' parameters, by name."""
    part_type: Text | None = None
    """PART_TYP of the STDF file; null: the name of the model."""
    file: Text | None = None
    """For model ``recorded``: CSV file of what each device answered, and which touchdown it was in."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        if isinstance(data, dict) and type(data.get("lot")) is int:
            if "size" in data:
                raise ValueError("lot is a whole number and size is given too; put the lot number in quotes")
            return {**{key: value for key, value in data.items() if key != "lot"}, "size": data["lot"]}
        return data


class Instrument(Section):
    """A simulated instrument that the program reaches over TCP."""

    model: Text = "meter"
    """Name of the instrument model."""
    variable: Variable
    """Environment variable that tells the program the address as ``host:port``."""


class Bench(Section):
    """Instruments that share chamber, circuit and device of each site. Site 0 is their channel 1."""

    model: Text = "bench"
    """Name of the kind of bench."""
    file: Text | None = None
    """Its description, a YAML file as in docs/instruments.md; null: chamber, psu, dmm, load, smu, digitizer, switch
    and magnet."""
    profile: Literal["scpi", "seed"] | None = None
    """``seed``: errors are answered as lines."""
    variables: Mapping[Variable, Text] = {}
    """Environment variables and the instrument whose ``host:port`` each tells the program."""
    resources: Mapping[Text, Text] = {}
    """VISA resource names (``GPIB0::5::INSTR``) and the instrument that a program finds there; they come on top of
    those in ``file``."""


class Plugins(Section):
    """Names by which a real program asks its plugin manager for objects, and what of the cell is there."""

    instruments: Mapping[Text, Text] = {}
    """Name -> instrument: ``{Lab.Meter: dmm}``; instruments of the bench count too."""
    actuators: Mapping[Text, TopicLevel] = {}
    """Name -> type of a peripheral: ``{Lab.Oven: Temperature}``."""


class Stdf(Section):
    """The lot's STDF file."""

    cost_per_test_ms: Whole = Field(default=0, ge=0, le=1_000_000)
    """Added to TEST_T for each test of a part, since computing costs nothing in simulated time."""


class Limits(Section):
    """When a run is stopped although it has not ended, and how long it goes on that is lost."""

    virtual_s: Seconds = Field(default=86_400.0, gt=0)
    """Simulated duration."""
    wall_s: Seconds | None = Field(default=None, gt=0)
    """Real duration; null for none."""
    computing_s: Seconds = Field(default=60.0, gt=0)
    """Real duration that a program in virtual time may compute without waiting for anything."""
    on_hang: Literal["fail", "pace"] = "fail"
    """A program that computes for longer: the run fails; or it goes on at the pace of the wall clock until the
    program is back, and is not deterministic."""
    least_s: Seconds = 0.0
    """Simulated duration, at least, of a run that ends in a soft error because nobody resets."""
    events: Whole | None = Field(default=None, ge=1)
    """Events in the journal, which then ends there; null for none."""


def _wrong_step(place: tuple[str | int, ...], text: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("wrong_step", "{text}", {"text": text}), loc=place, input=None)


class Shows(Section):
    """What a shipped scenario is there to show; the tests hold it to that."""

    verdict: Literal["holds", "violated", "unknown"]
    """The verdict of its run."""
    violates: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """The oracles that are violated: exactly these."""
    rungs: Annotated[tuple[Rung, ...], AfterValidator(distinct)] = ("model",)
    """The rungs on which this is so."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.verdict == "violated") != bool(self.violates):
            raise ValueError("violates names the violated oracles of a scenario that is violated, and of no other")
        return self


class Scenario(Section):
    """One run of a simulated test cell."""

    drycell: Literal[1]
    """Version of this format."""
    name: Text
    """What this scenario shows, in a few words."""
    seed: Whole = Field(default=0, ge=0, le=2**64 - 1)
    """Seed of everything random in the run."""
    epoch: Instant = datetime(2026, 1, 1, tzinfo=UTC)
    """UTC instant at which the simulated clock starts."""
    rung: Rung = "process"
    """``model``: modelled programs; ``process``: the real program in processes of its own."""
    pace: PaceWord | None = None
    """``virtual``, ``real`` or ``xF``; null: virtual."""
    cell: Cell = Cell()
    """The test cell."""
    program: Program = Program()
    """The test program."""
    devices: Devices = Devices()
    """The devices of the lot."""
    instruments: Mapping[Text, Instrument] = {}
    """Simulated instruments by name."""
    bench: Bench | None = None
    """A bench of SCPI instruments around the devices of the lot; null: none."""
    plugins: Plugins = Plugins()
    """What real programs find behind the names of plugin objects."""
    hosts: Mapping[Text, Text] = {}
    """Addresses built into the program, ``host:port`` (or ``host`` for every port), and the instrument that is there:
    ``{"192.168.0.5:5025": meter}``; instruments of the bench count too. For real programs in virtual time."""
    stdf: Stdf = Stdf()
    """The lot's STDF file."""
    timeline: tuple[Step, ...] = Field(default=(), max_length=10_000)
    """What happens when."""
    expect: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """Names of oracles, or sentences such as ``master reaches softerror within 31s``, that must hold."""
    limits: Limits = Limits()
    """When to stop at the latest."""
    shows: Shows | None = None
    """What a run of this scenario comes to, for scenarios that are tests of drycell itself."""
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_timeline()
        self._check_hosts()
        variables = [instrument.variable for instrument in self.instruments.values()]
        variables += self.bench.variables if self.bench else ()
        if len(set(variables)) != len(variables):
            raise ValueError("two instruments share one variable; give each its own")
        for name, kind in self.plugins.actuators.items():
            if kind not in self.cell.peripherals:
                advice = did_you_mean(kind, self.cell.peripherals)
                raise ValueError(f"plugins.actuators.{name}: the cell has no peripheral {kind!r}; {advice}")
        if self.bench is None and any(peripheral.does for peripheral in self.cell.peripherals.values()):
            raise ValueError("a peripheral tells an instrument of the bench what to do; there is no bench, add one")
        return self

    def _check_hosts(self) -> None:
        for address, name in self.hosts.items():
            host, colon, port = address.rpartition(":")
            if colon and not (host and port.isdigit() and 0 < int(port) < 65_536):
                raise ValueError(f"hosts: {address!r} is no address; write host:port or host")
            if name not in self.instruments and self.bench is None:
                raise ValueError(f"hosts: {address} leads to {name!r}; {did_you_mean(name, self.instruments)}")

    def _check_timeline(self) -> None:
        wrong = [*self._wrong_sites(), *self._unreachable_peripherals(), *self._wrong_successions()]
        if wrong:
            raise ValidationError.from_exception_data("Scenario", [_wrong_step(*finding) for finding in wrong])

    def _wrong_sites(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Sites that a step names and the cell does not have."""
        sites = self.cell.sites
        for index, step in enumerate(self.timeline):
            places: dict[tuple[str, ...], int | None] = {("when", "site"): step.when.site if step.when else None}
            for name in (*step.do.used(), *(step.do.model_extra or {})):
                part = getattr(step.do, name)
                places |= {
                    ("do", name, info.alias or field): getattr(part, field)
                    for field, info in type(part).model_fields.items()
                    if field in ("site", "as_site")
                }
            for place, site in places.items():
                if site is not None and site not in sites:
                    yield ("timeline", index, *place), f"the cell has no site {site}; it has {list(sites)}"

    def _unreachable_peripherals(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Faults of what a peripheral answers over the broker, when the master drives it without one."""
        own = {kind for kind, peripheral in self.cell.peripherals.items() if peripheral.owner == "master"}
        for index, step in enumerate(self.timeline):
            for name in step.do.model_extra or {}:
                if getattr(getattr(step.do, name), "peripheral", None) in own:
                    yield (
                        ("timeline", index, "do", name, "peripheral"),
                        "the master drives this peripheral itself, nothing passes the broker; strike its instrument,"
                        " or give it owner: tcc",
                    )

    def _wrong_successions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Steps that wait for a step that is not there, or for each other; names that are there twice."""
        named: dict[str, int] = {}
        for index, step in enumerate(self.timeline):
            if step.name is not None and named.setdefault(step.name, index) != index:
                yield ("timeline", index, "name"), f"another step is called {step.name!r}; give each its own name"
        for index, step in enumerate(self.timeline):
            if step.after is None:
                continue
            if step.after not in named:
                yield (
                    ("timeline", index, "after"),
                    f"no step is called {step.after!r}; {did_you_mean(step.after, named)}",
                )
                continue
            before: str | None = step.after
            seen = {index}
            while before is not None and before in named and named[before] not in seen:
                seen.add(named[before])
                before = self.timeline[named[before]].after
            if before is not None and before in named:
                yield ("timeline", index, "after"), "these steps wait for each other; begin with at, every or when"

    @property
    def effective_pace(self) -> Pace:
        """The pace of the run: as written, else virtual, or real when the broker runs elsewhere."""
        return Pace.parse(self.pace or ("real" if self.cell.broker else "virtual"))

    @property
    def folder(self) -> Path:
        """Where relative paths start: the folder of the scenario file."""
        return self._folder

    def path_of(self, text: str) -> Path:
        """The file that ``text`` (such as ``program.definitions``) names."""
        return self._folder / text

    def at_home(self, folder: Path) -> Self:
        """The same scenario with relative paths starting at ``folder``."""
        moved = self.model_copy()
        moved._folder = folder
        return moved
