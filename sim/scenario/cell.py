"""The test cell in a scenario: sites, handler or prober, operator, peripherals, tester, and their protocol."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.protocol.quirks import QUIRKS
from drycell.runtime.protocol.specification import AS_PRINTED, per_fragment
from drycell.sim.scenario.words import Bin, LogLevel, Seconds, Section, Site, Text, TopicLevel, Whole, distinct

_OK: JsonValue = {"status": "ok"}
TimeoutName = Literal[
    "start_s",
    "connecting_s",
    "loading_s",
    "testing_s",
    "results_s",
    "unloading_s",
    "peripheral_s",
    "handler_start_s",
    "handler_reset_s",
]


def _sites(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 256:
            raise ValueError(f"{value} sites are impossible; a cell has 1 to 256")
        return tuple(range(value))
    return value


def _at_least_one(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value:
        raise ValueError("no site is named; a cell has 1 to 256")
    return value


SitesForm = Annotated[
    tuple[Site, ...],
    BeforeValidator(_sites, json_schema_input_type=tuple[Site, ...] | int),
    AfterValidator(_at_least_one),
    AfterValidator(distinct),
]
SiteKey = Annotated[int, Field(ge=0, le=255)]  # a key of a mapping is a text in JSON


def _quirk(value: str) -> str:
    if value not in QUIRKS:
        raise ValueError(f"{value!r} is no quirk of the real peers; known are {', '.join(sorted(QUIRKS))}")
    return value


class Wafer(Section):
    """The wafers of a prober: round, on a grid of dies, stepped row by row."""

    columns: Whole = Field(default=10, ge=1, le=1000)
    """Dies in the longest row."""
    rows: Whole = Field(default=10, ge=1, le=1000)
    """Number of rows."""
    step_time_s: Seconds = 0.2
    """Time to step to the next dies."""
    change_time_s: Seconds = 20.0
    """Time to change the wafer."""


class Handler(Section):
    """What brings devices to the sites: a handler for packaged parts, or a prober for wafers."""

    id: TopicLevel = "handler"
    """Its name on MQTT: one topic level."""
    kind: Literal["handler", "prober"] = "handler"
    """Handler or prober."""
    index_time_s: Seconds = 0.3
    """Time from the last result to the next contact; a prober takes its wafer's ``step_time_s`` instead."""
    retest_bins: Annotated[tuple[Bin, ...], AfterValidator(distinct)] = ()
    """Hard bins whose devices are tested again."""
    retests: Whole = Field(default=1, ge=0, le=100)
    """How often a device of these bins is tested again at most."""
    wafer: Wafer | None = None
    """Wafer map and stepping; for a prober only."""

    @model_validator(mode="before")
    @classmethod
    def _probers_have_wafers(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("kind") == "prober":
            return {"wafer": {}, **data}
        return data

    @model_validator(mode="after")
    def _wafer_for_probers(self) -> Self:
        if (self.wafer is None) == (self.kind == "prober"):
            raise ValueError("wafer goes with kind prober only; remove it or set kind to prober")
        return self


def _handler(value: object) -> object:
    if isinstance(value, str) and value != "model":
        raise ValueError(f"{value!r} is no short form of a handler; write model or a mapping with its keys")
    return {} if value == "model" else value


HandlerForm = Annotated[Handler, BeforeValidator(_handler, json_schema_input_type=Handler | Literal["model"])]


class Operator(Section):
    """The person at the cell."""

    resets: Whole = Field(default=0, ge=0, le=1_000_000)
    """How often the operator presses reset after a soft error before giving up."""
    reset_after_s: Seconds = 5.0
    """Time from the soft error to the reset."""


class Deed(Section):
    """What a peripheral does on a request: a message to an instrument of the bench."""

    to: Text
    """Name of the instrument."""
    message: Text
    """What it is told; ``{temperature}`` stands for the parameter of that name in the request."""
    until: Text | None = None
    """A question asked every second; the peripheral answers its request when the instrument says 1."""


class Peripheral(Section):
    """A device around the cell that answers io-control requests, such as a chamber or a magnet."""

    owner: Literal["tcc", "master"] = "tcc"
    """Who drives it: the test cell controller, to which the master relays requests, or the master itself."""
    latency_s: Seconds = 0.05
    """Time from request to answer."""
    answer: JsonValue = _OK
    """The ``result`` of its answer."""
    answers: Mapping[Annotated[int, Field(ge=1)], JsonValue] = {}
    """Other results by the number of the request in the run, from 1."""
    does: Mapping[Text, Deed] = {}
    """What it does, by the request's ``ioctl_name``; other requests are only answered."""


class Tester(Section):
    """The tester that programs ask before each test, and that the master releases them at."""

    model: Text = "parallel"
    """``single`` (nobody waits), ``parallel`` (1 to 16 sites, released in the stages of the execution strategy),
    ``parallel simple`` (released as they ask), or one of your own plugins."""
    names: Annotated[tuple[Text, ...], AfterValidator(distinct)] = ()
    """Names by which real programs ask for it; none: whatever they ask for."""


class Cell(Section):
    """The test cell."""

    dialect: Literal["semi-ate", "specification"] = "semi-ate"
    """Which protocol its parties speak: that of the runtime packages, or that of the sequencer specification."""
    topics: Literal["canonical", "printed"] = "canonical"
    """``printed``: the topics as the sequencer specification prints them; both forms are heard."""
    result_window: Literal["run", "fragment"] = "run"
    """What ``results_s`` of dialect specification is for: the whole result, or each fragment after the one before."""
    device_id: TopicLevel = "demo"
    """Name of the cell on MQTT: one topic level."""
    port: Whole = Field(default=0, ge=0, le=65_535)
    """TCP port of the broker on 127.0.0.1; 0 takes a free one, and none on rung model."""
    broker: Text | None = None
    """``mqtt[s]://[user:password@]host[:port]``: a broker that runs elsewhere, at pace real; null: the built-in."""
    sites: SitesForm = (0,)
    """Site numbers, or how many sites (numbered from 0)."""
    layout: Mapping[SiteKey, tuple[Whole, Whole]] = {}
    """Place of each site on the load board as [x, y]; the i-th site is at [0, i] when nothing is said."""
    handler: HandlerForm = Handler()
    """The handler or prober; ``model`` stands for the defaults."""
    operator: Operator = Operator()
    """The person at the cell."""
    tester: Tester | None = None
    """The tester; null: real programs have that of their own environment, modelled ones none."""
    peripherals: Mapping[TopicLevel, Peripheral] = {}
    """Peripherals by type, as the program names them (``MagField``, ``Temperature``, ...)."""
    loglevel: LogLevel = 30
    """Log level that the master of dialect semi-ate sets when programs are loaded: 10 debug, 15 measure, 20 info,
    30 warning, 40 error."""
    timeouts: Mapping[TimeoutName, Seconds] = {}
    """Timeouts of the protocol that differ here; the others are as the protocol tables say."""
    quirks: Annotated[tuple[Annotated[str, AfterValidator(_quirk)], ...], AfterValidator(distinct)] = ()
    """Defects of the real master, control and handler that are imitated."""

    @property
    def protocol(self) -> Dialect:
        """The dialect, with the spelling of its topics and its result window."""
        dialect = AS_PRINTED if self.topics == "printed" else DIALECTS[self.dialect]
        return per_fragment(dialect) if self.result_window == "fragment" else dialect

    @model_validator(mode="after")
    def _one_dialect(self) -> Self:
        if self.dialect == "specification":
            if self.quirks:
                raise ValueError("quirks are of the runtime packages; dialect specification has none")
        elif self.topics == "printed" or self.result_window == "fragment":
            raise ValueError("topics and result_window belong to dialect specification; set dialect, or remove them")
        return self

    @model_validator(mode="after")
    def _complete_layout(self) -> Self:
        if not self.layout:
            object.__setattr__(self, "layout", default_layout(self.sites))
        if set(self.layout) != set(self.sites):
            given, sites = sorted(self.layout), sorted(self.sites)
            raise ValueError(f"layout places the sites {given}, but the cell has {sites}; place each site once")
        if len(set(self.layout.values())) != len(self.layout):
            raise ValueError("layout puts two sites on one place; give each its own [x, y]")
        return self


def default_layout(sites: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Where sites are when nothing is said: the i-th at [0, i]."""
    return {site: (0, index) for index, site in enumerate(sites)}
