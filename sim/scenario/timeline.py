"""The timeline of a scenario: what happens when. Each step is one trigger and one action.

Rules
- A trigger is an instant (``at``) or an occurrence (``when``); an action is exactly one verb under ``do``.
- A step fires once. Steps that fall on the same instant act in the order of the file.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import Bin, Flag, Number, Seconds, Section, Site, Text, Whole

SequencerState = Literal["idle", "testing", "selftesting", "terminated", "error", "crash"]
MasterState = Literal[
    "connecting", "initialized", "loading", "ready", "testing", "unloading", "softerror", "error", "crash"
]
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
    loglevel: Literal[10, 15, 20, 30, 40] | None = None
    """New log level of the programs: 10 debug, 15 measure, 20 info, 30 warning, 40 error."""
    bin: BinMap | None = None
    """A soft bin moved to another hard bin."""
    parameter: Parameter | None = None
    """A test's input set to another value."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, "operator")
        return self


def _from_word(data: object) -> object:
    return {"command": data} if isinstance(data, str) else data


OperatorForm = Annotated[OperatorAction, BeforeValidator(_from_word, json_schema_input_type=OperatorAction | Command)]


class Kill(Section):
    """Sends a signal to the program of one site."""

    site: Site
    """Site number."""
    signal: SignalName = "SIGKILL"
    """Name of the signal."""


class Action(Choice):
    """What a step does: exactly one of the keys."""

    options: Options | None = None
    """Change test options; they go out with the next ``next``."""
    operator: OperatorForm | None = None
    """Let the operator act."""
    kill: Kill | None = None
    """Send a signal to a program."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, "do")
        return self


class Trigger(Choice):
    """An occurrence: one of ``part``, ``touchdown``, ``says`` (with or without ``site``) and ``master``."""

    part: Whole | None = Field(default=None, ge=1)
    """Just before the touchdown in which the n-th device of the lot (from 1) is tested for the first time."""
    touchdown: Whole | None = Field(default=None, ge=1)
    """Just before the n-th touchdown of the run (from 1)."""
    site: Site | None = None
    """With ``says``: only this site's program; without it, any."""
    says: SequencerState | None = None
    """When a program announces this state."""
    master: MasterState | None = None
    """When the master announces this state."""
    nth: Whole | None = Field(default=None, ge=1)
    """With ``says`` and ``master``: the n-th time (from 1, the default)."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = [name for name in ("part", "touchdown", "says", "master") if getattr(self, name) is not None]
        if len(kinds) != 1:
            found = f"{', '.join(kinds)} together" if kinds else "none"
            raise ValueError(f"when takes exactly one of part, touchdown, says and master, found {found}; choose one")
        if self.site is not None and kinds != ["says"]:
            raise ValueError(f"site goes with says only, not with {kinds[0]}; leave it out")
        if self.nth is not None and kinds[0] not in ("says", "master"):
            raise ValueError(f"nth goes with says and master only, not with {kinds[0]}; leave it out")
        return self

    @property
    def occurrence(self) -> int:
        """Which time counts, from 1."""
        return 1 if self.nth is None else self.nth


class Step(Choice):
    """One line of the timeline: ``{at: 90s, do: ...}`` or ``{when: ..., do: ...}``."""

    at_s: Seconds | None = Field(default=None, alias="at")
    """Simulated seconds since the run began."""
    when: Trigger | None = None
    """The occurrence that sets it off."""
    do: Action
    """What then happens."""

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.at_s is None) == (self.when is None):
            found = "neither" if self.when is None else "both"
            raise ValueError(f"a step takes either at or when, found {found}; write one of them")
        return self

    @property
    def at_ns(self) -> int | None:
        """:attr:`at_s` in whole nanoseconds."""
        return None if self.at_s is None else ns(self.at_s)
