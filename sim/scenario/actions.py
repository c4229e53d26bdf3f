"""What a step of the timeline does: exactly one verb under ``do``, our own or a fault of the palette.

Rules
- ``options``, ``operator`` and ``kill`` are part of the format; every other verb is a fault that an installed plugin
  offers under that name (hook ``drycell_faults``), and its keys are the fields of that fault.
- ``do: {delay: testresult, by: 2s}`` is short for ``do: {delay: {message: testresult, by: 2s}}``: a bare value stands
  for the main field of the fault, and the keys beside it are its other fields.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from drycell.sim.scenario.words import Bin, Flag, LogLevel, Number, Section, Site, Text, Whole

if TYPE_CHECKING:
    from drycell.sim.faults import Fault

Command = Literal["load", "next", "unload", "reset"]
SignalName = Literal[
    "SIGABRT",
    "SIGBUS",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGKILL",
    "SIGPIPE",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTOP",
    "SIGTERM",
    "SIGUSR1",
    "SIGUSR2",
]


class Choice(Section):
    """A section of which only the keys in use are written: the unused ones are no part of the canonical form."""

    @model_serializer(mode="wrap")
    def _only_used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

    def used(self) -> tuple[str, ...]:
        """Names of the keys in use, in the order of the class."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


def _exactly_one(choice: Choice, what: str) -> None:
    used, known = choice.used(), ", ".join(type(choice).model_fields)
    if len(used) != 1:
        found = f"{', '.join(used)} together" if used else "none"
        raise ValueError(f"{what} takes exactly one of {known}, found {found}; make it one step each")


class Option(Section):
    """One test option as the master sends it in ``job_data`` of ``next``."""

    active: Flag = True
    """Whether the option is on."""
    value: Whole = Field(default=-1, ge=-1, le=2**31 - 1)
    """Its argument, such as a test number; -1 for none."""

    @model_serializer(mode="wrap")
    def _flag(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """Without an argument, in the plain form, the short form."""
        return self.active if info.exclude_defaults and self.value == -1 else handler(self)


def _from_flag(data: object) -> object:
    return {"active": data} if isinstance(data, bool) else data


OptionForm = Annotated[Option, BeforeValidator(_from_flag, json_schema_input_type=Option | bool)]


class Options(Choice):
    """Test options to change; those not named stay as they are. Each is true, false or {active, value}."""

    stop_on_fail: OptionForm | None = None
    """End a device's cycle after its first failing test."""
    single_step: OptionForm | None = None
    """Transported to the program, which ignores it (Semi-ATE 1.0.17)."""
    stop_on_test: OptionForm | None = None
    """Transported to the program, which ignores it (Semi-ATE 1.0.17)."""
    trigger_on_test: OptionForm | None = None
    """Pulse the tester's trigger output just before test number ``value``, counted from 0."""
    trigger_on_fail: OptionForm | None = None
    """Pulse the tester's trigger output after each failing test."""
    trigger_site_specific: OptionForm | None = None
    """Transported to the program, which ignores it (Semi-ATE 1.0.17)."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.used():
            raise ValueError(f"no option is named; name at least one of {', '.join(type(self).model_fields)}")
        return self


class BinMap(Section):
    """Moves a soft bin to a hard bin while the lot runs."""

    soft: Bin
    """Soft bin to move."""
    hard: Bin
    """Hard bin it goes to from now on."""


class Parameter(Section):
    """Sets a shmooable static input of a test while the lot runs."""

    name: Text
    """``<test instance>.<input>``, such as ``vout_1.vset``."""
    value: Number
    """New value in the input's own unit."""


class OperatorAction(Choice):
    """What the operator does at the master's panel: exactly one of the keys. A bare word is a ``command``."""

    command: Command | None = None
    """A button of the panel: load, next, unload or reset."""
    loglevel: LogLevel | None = None
    """New log level of the programs: 10 debug, 15 measure, 20 info, 30 warning, 40 error."""
    bin: BinMap | None = None
    """A soft bin moved to another hard bin."""
    parameter: Parameter | None = None
    """A test's input set to another value."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, "operator")
        return self

    @model_serializer(mode="wrap")
    def _word(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """A command, in the plain form, as a bare word."""
        return self.command if info.exclude_defaults and self.command else self._only_used(handler)


def _from_word(data: object) -> object:
    return {"command": data} if isinstance(data, str) else data


OperatorForm = Annotated[OperatorAction, BeforeValidator(_from_word, json_schema_input_type=OperatorAction | Command)]


class Kill(Section):
    """Sends a signal to the program of one site."""

    site: Site
    """Site number."""
    signal: SignalName = "SIGKILL"
    """Name of the signal."""


def palette() -> Mapping[str, "type[Fault]"]:
    """The faults of all installed plugins by name. Loaded when the first one is needed."""
    from drycell.sim.hooks import registry  # not before: plugins import this room

    return registry().faults


class _Called(tuple[str, Any]):
    """A fault on its way through validation: its name and what was written below it."""

    __slots__ = ()


def _fault(called: object) -> Any:
    """The fault that was called by name; mistakes in its fields come out with their place."""
    if not isinstance(called, _Called):
        return called
    name, data = called
    found = palette().get(name)
    if found is None:
        raise PydanticKnownError("extra_forbidden")
    return data if isinstance(data, found) else found.model_validate(data)


def _plain(value: Any, info: SerializationInfo) -> Any:
    """A fault as plain values."""
    return value.model_dump(mode="json", by_alias=True, exclude_defaults=info.exclude_defaults)


class Action(Choice):
    """What a step does: exactly one of the keys, or a fault by its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(_fault), PlainSerializer(_plain)]]

    options: Options | None = None
    """Change test options; they go out with the next ``next``."""
    operator: OperatorForm | None = None
    """Let the operator act."""
    kill: Kill | None = None
    """Send a signal to a program."""

    @model_validator(mode="before")
    @classmethod
    def _faults_by_name(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = _long_form(data)
        verbs = [str(key) for key in data if key in cls.model_fields or key in palette()]
        if len(verbs) > 1:
            raise ValueError(_one_verb(verbs))
        return {key: value if key in cls.model_fields else _Called((key, value)) for key, value in data.items()}

    @model_validator(mode="after")
    def _one(self) -> Self:
        used = (*self.used(), *(self.__pydantic_extra__ or {}))
        if len(used) != 1:
            raise ValueError(_one_verb(used))
        return self

    @property
    def fault(self) -> "tuple[str, Fault] | None":
        """Name and value of the fault, when it is one of the palette."""
        return next(iter((self.__pydantic_extra__ or {}).items()), None)

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """Our own verbs and the faults of the palette."""
        return (*super().known_keys(), *palette())

    @classmethod
    def inside(cls, key: str | int) -> Any:
        """The fault of that name, for looking up what its keys mean."""
        return super().inside(key) or palette().get(str(key))

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        faults = {name: (fault, _inlined(fault.model_json_schema())) for name, fault in palette().items()}
        own = schema["properties"]
        whole = {**schema, "additionalProperties": False}
        whole["properties"] = {**own, **{name: about for name, (_, about) in faults.items()}}
        short = [_short_schema(name, fault, about) for name, (fault, about) in faults.items() if fault.main]
        about: JsonSchemaValue = {key: whole.pop(key) for key in ("title", "description") if key in whole}
        schema.clear()
        schema.update(about | {"properties": own, "anyOf": [whole, *short]})
        return reference


def _short_schema(name: str, fault: "type[Fault]", about: dict[str, Any]) -> dict[str, Any]:
    """The schema of ``{name: main value, other keys}``."""
    main = fault.model_fields[str(fault.main)].alias or fault.main
    fields = {key: entry for key, entry in about["properties"].items() if key != main}
    return {
        "type": "object",
        "properties": {name: about["properties"][main], **fields},
        "required": [name, *(key for key in about.get("required", ()) if key != main)],
        "additionalProperties": False,
    }


def _one_verb(found: Sequence[str]) -> str:
    together = f"{', '.join(found)} together" if found else "none"
    listed = ", ".join(Action.model_fields)
    return f"do takes exactly one of {listed} or a fault by its name, found {together}; make it one step each"


def _long_form(data: dict[str, Any]) -> dict[str, Any]:
    """The same with ``{delay: testresult, by: 2s}`` written out."""
    for name, value in data.items():
        if name in Action.model_fields or isinstance(value, Mapping | BaseModel):
            continue
        fault = palette().get(name) if isinstance(name, str) else None
        if fault is not None and fault.main is not None:
            main = fault.model_fields[fault.main].alias or fault.main
            others = {key: other for key, other in data.items() if key != name}
            if any(key in Action.model_fields or key in palette() for key in others):
                return data
            return {name: others if value is None else {main: value, **others}}
    return data


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with its own definitions in place of the references to them."""
    definitions = schema.pop("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name in definitions:
            return {**walk(definitions[name]), **{k: walk(v) for k, v in value.items() if k != "$ref"}}
        return {key: walk(entry) for key, entry in value.items()}

    inlined: dict[str, Any] = walk(schema)
    return inlined
