"""What a recording tells about a cell: who was there, what was done to it, what its devices answered. Values only.

Stimuli are what somebody did: commands, options, contacts, answers of peripherals, ends of programs. Responses are
what followed; a replay makes them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Asked = dict[tuple[str, str], list[str]]
"""Instrument and question -> the answers, in order."""


@dataclass(slots=True)
class Contact:
    """A device at a site. ``records``: its result, None when none came; ``asked``: what instruments said;
    ``inputs``: what ``setparameter`` had set until then."""

    site: int
    part: str
    records: list[Json] | None = None
    asked: Asked = field(default_factory=dict)
    inputs: Mapping[str, float] = field(default_factory=dict)
    wafer: str = ""


@dataclass(slots=True)
class Touchdown:
    """One ``next``. ``answered``: whether its devices were binned; ``options``: of its ``job_data``."""

    contacts: dict[int, Contact]
    options: Mapping[str, Json] = field(default_factory=dict)
    answered: bool = False
    first_of_load: bool = False


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done: ``do`` as a scenario writes it, ``trigger`` and ``delay_ns`` when.

    ``t_ns``: when on the recording's clock, -1 for unknown. ``drawn_as``: the step of the recorded run that it was.
    ``why`` is set where it was concluded and not told.
    """

    trigger: Json
    do: Json
    delay_ns: int = 0
    why: str = ""
    t_ns: int = -1
    drawn_as: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """The mechanics moved, from ``ready`` number ``nth`` of the master to the contact, or to trouble in its place."""

    nth: int
    begin_ns: int
    end_ns: int
    cut_off: bool = False

    @property
    def length_ns(self) -> int:
        """How long."""
        return self.end_ns - self.begin_ns


@dataclass(slots=True)
class Service:
    """A peripheral: how many ``requests`` it had, and by their number from 1 when and what it answered."""

    requests: int = 0
    latencies_ns: dict[int, int] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Scene:
    """A cell and one lot in it.

    ``measured``: times were taken from a clock on the wall, not from a simulation. ``load_pauses_ns``: from a handler
    that is initialized to its ``load``. ``seed``: what the run drew by, if it says so. ``left_alone_ns``: how long it
    went on that ended in a soft error, 0 for any other. ``resets_after_ns``: from each soft error to its reset;
    ``resets``: how often somebody pressed reset, since a handler's error calls for it as well.
    ``asked_outside``: what instruments said outside of a contact, by the site that was asked about, None for none.
    """

    device: str
    handler: str = "handler"
    measured: bool = True
    seed: int | None = None
    left_alone_ns: int = 0
    sites: list[int] = field(default_factory=list)
    layout: dict[int, tuple[int, int]] = field(default_factory=dict)
    lot: str | None = None
    part_type: str | None = None
    script: str | None = None
    loglevel: int | None = None
    touchdowns: list[Touchdown] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    services: dict[str, Service] = field(default_factory=dict)
    instruments: list[str] = field(default_factory=list)
    asked_outside: dict[int | None, Asked] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    load_pauses_ns: list[int] = field(default_factory=list)
    resets_after_ns: list[int] = field(default_factory=list)
    resets: int = 0
    quirks: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """What happened until now, not who is there."""
        for happened in (
            self.touchdowns, self.deeds, self.services, self.pauses, self.load_pauses_ns, self.resets_after_ns,
            self.asked_outside,
        ):  # fmt: skip
            happened.clear()
        self.resets = 0

    def remark(self, text: str) -> None:
        """A note for the reader, once."""
        if text not in self.remarks:
            self.remarks.append(text)
