"""The timeline of a scenario: what happens when. Each step is one trigger and one action.

Rules
- A trigger is an instant (``at``), a rhythm (``every``), an occurrence (``when``) or another step (``after``).
- A step acts once, unless ``count`` says more. Steps that fall on the same instant act in the order of the file.
- ``with_delay`` is the time from the trigger to the action, whatever the trigger is.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.actions import Action, Choice
from drycell.sim.scenario.words import Lot, Part, Seconds, Site, Text, Whole

MasterState = Literal[
    "connecting", "initialized", "loading", "ready", "testing", "unloading", "softerror", "error", "crash"
]
HandlerState = Literal["connecting", "initialized", "loading", "ready", "testing", "unloading", "error"]
ControlState = Literal["idle", "loading", "busy", "error", "crash"]
Said = Literal[
    "idle",
    "testing",
    "selftesting",
    "terminated",
    "Shutdown",
    "error",
    "crash",
    "testresult",
    "stdf",
    "testsummary",
    "log",
    "execution_strategy",
    "io-control",
]
MasterCommand = Literal[
    "loadTest",
    "next",
    "terminate",
    "reset",
    "setloglevel",
    "getexecutionstrategy",
    "sethbin",
    "setparameter",
]
_KINDS = ("touchdown", "says", "master", "handler", "control", "command", "topic")
_GOES_WITH = {  # key: the kinds of occurrence it goes with
    "site": ("says", "control"),
    "part": ("says", "command", "topic"),
    "lot": ("part", "touchdown", "says", "command", "topic"),
    "nth": ("says", "master", "handler", "control", "command", "topic"),
    "contains": ("topic",),
}


class Trigger(Choice):
    """An occurrence: one of ``part``, ``touchdown``, ``says``, ``master``, ``handler``, ``control``, ``command`` and
    ``topic``, narrowed down by the other keys."""

    part: Part | None = None
    """Alone: just before the touchdown in which the n-th device of the lot (from 1) is tested for the first time.
    With ``says``, ``command`` or ``topic``: only while this device is in contact."""
    touchdown: Whole | None = Field(default=None, ge=1)
    """Just before the n-th touchdown of the run (from 1)."""
    lot: Lot | None = None
    """Only while this lot is in work."""
    site: Site | None = None
    """With ``says`` and ``control``: only this site's; without it, any."""
    says: Said | None = None
    """When a program announces this state, or sends a message of this kind."""
    master: MasterState | None = None
    """When the master announces this state."""
    handler: HandlerState | None = None
    """When the handler announces this state."""
    control: ControlState | None = None
    """When a control announces this state."""
    command: MasterCommand | None = None
    """When the master sends this command to programs or controls."""
    topic: Text | None = None
    """When a message comes on a topic that this MQTT filter takes."""
    contains: Text | None = None
    """With ``topic``: only messages with this text in them."""
    nth: Whole | None = Field(default=None, ge=1)
    """The n-th time (from 1, the default)."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = [name for name in _KINDS if getattr(self, name) is not None]
        if len(kinds) > 1 or (kinds == ["touchdown"] and self.part is not None):
            kinds += ["part"] if self.part is not None else []
            raise ValueError(f"when takes exactly one occurrence, found {' and '.join(kinds)} together; choose one")
        if not kinds and self.part is None:
            raise ValueError(f"when takes exactly one of part, {', '.join(_KINDS)}, found none; choose one")
        kind = kinds[0] if kinds else "part"
        for key, companions in _GOES_WITH.items():
            if getattr(self, key) is not None and key != kind and kind not in companions:
                listed = " and ".join(companions)
                raise ValueError(f"{key} goes with {listed} only, not with {kind}; leave it out")
        return self

    @property
    def occurrence(self) -> int:
        """Which time counts, from 1."""
        return 1 if self.nth is None else self.nth


class Step(Choice):
    """One line of the timeline: ``{at: 90s, do: ...}``, ``{every: 10s, count: 3, do: ...}``, ``{when: ..., do: ...}``
    or ``{after: name, do: ...}``."""

    name: Text | None = None
    """What other steps call it in their ``after``."""
    at_s: Seconds | None = Field(default=None, alias="at")
    """Simulated seconds since the run began. With ``every``: the first time."""
    every_s: Seconds | None = Field(default=None, alias="every", gt=0)
    """From one time to the next; ``count`` says how often."""
    when: Trigger | None = None
    """The occurrence that sets it off."""
    after: Text | None = None
    """Name of the step after which it acts, each time that one has acted."""
    count: Whole | None = Field(default=None, ge=1, le=1_000_000)
    """With ``every``: how often. With ``when``: at how many of the occurrences in a row, from the n-th on."""
    with_delay_s: Seconds | None = Field(default=None, alias="with_delay")
    """Time from the trigger to the action."""
    draws_as: Whole | None = Field(default=None, ge=1)
    """The step (from 1) of another run with the same seed whose draws its fault repeats; null: its own place. Imports
    of runs need this."""
    do: Action
    """What then happens."""

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        given = [key for key in ("at_s", "every_s", "when", "after") if getattr(self, key) is not None]
        if len(given) != 1 and given != ["at_s", "every_s"]:
            names = [key.removesuffix("_s") for key in given]
            found = "neither" if not names else "both" if names == ["at", "when"] else " and ".join(names)
            raise ValueError(f"a step takes either at or when (or every, or after), found {found}; write one of them")
        if "every_s" in given and self.count is None:
            raise ValueError("every needs a count; say how often, such as count: 3")
        if self.count is not None and "every_s" not in given and "when" not in given:
            raise ValueError("count goes with every and when only; leave it out")
        return self

    @property
    def at_ns(self) -> int | None:
        """The first instant in whole nanoseconds, for a step with ``at`` or ``every``."""
        first_s = self.every_s if self.at_s is None else self.at_s
        return None if first_s is None else ns(first_s)

    @property
    def every_ns(self) -> int:
        """From one time to the next, in nanoseconds; 0 for a step without ``every``."""
        return 0 if self.every_s is None else ns(self.every_s)

    @property
    def delay_ns(self) -> int:
        """From trigger to action, in nanoseconds."""
        return 0 if self.with_delay_s is None else ns(self.with_delay_s)

    @property
    def times(self) -> int:
        """How often it acts."""
        return 1 if self.count is None else self.count
