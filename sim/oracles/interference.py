"""What the scenario itself did to the cell: which sites it concerned, and when it was over. Pure.

Rules
- A ``fault`` event says that a fault begins, with all its keys; each time it strikes later there is an ``effect``
  event with the same ``step``, and the ``topic`` when it strikes a message.
- A fault that chooses messages or answers (it has ``nth``) concerns nobody before it strikes.
- What a slow link carries comes later by its latency; nobody knows by how much when its bandwidth is limited.
- A connection that nobody tells of its end is what the scenario made it until the broker gives it up.
- A program that its control knows nothing of speaks in its site's name until it ends; for good when another one has
  been started beside it.
- A fault concerns the site that it names and the one in whose name it speaks (``as``); without any, the whole cell.
  A message that all sites hear concerns all of them.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from drycell.runtime.protocol.topics import site_of
from drycell.sim.kernel import Event
from drycell.sim.kernel.clock import NS_PER_S

WHOLE_CELL = ""
ENDINGS = frozenset({"kill", "signal", "segfault", "exit", "out_of_memory", "teardown_failure"})
"""Faults that end a program and do nothing else: whatever is said in its name later is not their doing."""
LATE_STARTS = frozenset({"slow_start"})
"""Faults of a start: what is said after it is said as ever."""
MULTIPLYING = frozenset({"broker_outage", "orphan", "packet", "slow_link", "take_over"})
"""Faults after which a message may well be sent twice, or by two."""
FILE_FAULTS = frozenset({"disk_full", "read_only_folder", "leftover_file"})
"""Faults that hinder the writing of the STDF file while they last."""
INSTRUMENT_FAULTS = frozenset(
    {"no_answer", "late_answer", "wrong_answer", "drift", "noise", "stuck"}
    | {"peripheral_silent", "peripheral_late", "peripheral_wrong", "peripheral_elsewhere"}
)
"""Faults of what a program asks: what it says of its device may be wrong then, but not what it says it was told."""
CUTTING = frozenset({"broker_outage", "cut", "half_open", "take_over"})
"""Faults after which a program hears nothing until it has subscribed again."""
DELIVERING = frozenset({"PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP"})
"""Packets of messages: a fault of one of them may hold up all messages that follow."""
HOLDING = frozenset({"half_open", "packet", "slow_link", "take_over"})
"""Faults after which a connection may be open although its program has ended, or be a stranger's under its name."""
STANDING = frozenset({"disk_full", "read_only_folder", "handler_jam", "slow_link", "tcc_gone"})
"""Faults that no reset removes: they last for their ``for`` seconds, or for good."""
LAST_UNTIL = {"half_open": "disconnect", "orphan": "exit"}
"""Faults that last until such an event of the program in question."""
SPEAKING = frozenset({"orphan"})
"""Those of them that count as if they struck at every event until then: somebody else speaks in the site's name."""
TELLING = ("fault", "effect", "disconnect", "launch", "exit")
"""Kinds of events that say what was done and when it was over."""
HARMLESS = frozenset({"operator_resets"})
"""Faults that are no fault at all for a cell that works: the operator presses reset."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One moment at which the scenario interfered. ``last_ns``: when it is over, None for never; ``over_seq``: the
    event since which it can be. ``last_seq``: the last event for which it counts as if it struck there."""

    event: Event
    name: str
    sites: frozenset[str]
    topic: str
    last_ns: int | None
    armed_only: bool
    last_seq: int
    over_seq: int

    def concerns(self, site: str) -> bool:
        """Whether it concerns ``site``, once it strikes."""
        return not self.armed_only and (WHOLE_CELL in self.sites or site in self.sites)

    def lasts_at(self, event: Event) -> bool:
        """Whether it had begun and was not over when ``event`` happened."""
        return self.event.seq < event.seq and (self.last_ns is None or event.t_ns <= self.last_ns)


def cuts_off(strike: Strike) -> bool:
    """Whether a program may hear nothing after ``strike`` until it has subscribed again."""
    return strike.name in CUTTING or (strike.name == "packet" and strike.event.fields.get("packet") in DELIVERING)


def strikes(events: Iterable[Event]) -> Sequence[Strike]:
    """What the scenario did, by ``events`` of the kinds in :data:`TELLING`, in order."""
    begun: dict[object, Event] = {}
    found: list[Strike] = []
    lasting: dict[tuple[str, str], list[int]] = {}
    for event in events:
        if event.kind in ("disconnect", "exit"):
            for index in lasting.pop((event.kind, _site_of_program(event)), ()):
                last_seq = min(found[index].last_seq, event.seq)
                found[index] = replace(found[index], last_ns=event.t_ns, last_seq=last_seq, over_seq=event.seq)
            continue
        if event.kind == "launch":
            lasting.pop(("exit", _site_of_program(event)), None)
            continue
        name = str(event.fields.get("fault"))
        if name in HARMLESS or event.fields.get("missed"):
            continue
        if event.kind == "fault":
            begun[event.fields.get("step")] = event
        origin = begun.get(event.fields.get("step"), event)
        armed_only = event.kind == "fault" and "nth" in event.fields
        topic = str(event.fields.get("topic", "")) if event.kind == "effect" else ""
        sites = _sites(event, origin)
        if name in LAST_UNTIL:
            for site in sites:
                lasting.setdefault((LAST_UNTIL[name], site), []).append(len(found))
        last_seq = sys.maxsize if name in SPEAKING else event.seq
        found.append(Strike(event, name, sites, topic, _last_ns(event, name), armed_only, last_seq, event.seq))
    return found


def _site_of_program(event: Event) -> str:
    """The site of the program or connection of one (``program0``, ``testapp.DEVICE.0``); anything for others."""
    return event.actor.removeprefix("program").rpartition(".")[2]


def _sites(event: Event, origin: Event) -> frozenset[str]:
    topic = str(event.fields.get("topic", ""))
    named = {site_of(topic)} - {""}
    if event.kind == "effect" and topic and not named:
        return frozenset({WHOLE_CELL})
    for key in ("site", "as"):
        for source in (event, origin):
            if isinstance(source.fields.get(key), int | str):
                named.add(str(source.fields[key]))
    return frozenset(named or {WHOLE_CELL})


def _last_ns(event: Event, name: str) -> int | None:
    lasts, late = event.fields.get("for"), event.fields.get("latency", 0)
    if event.kind == "fault" and isinstance(lasts, int | float) and "nth" not in event.fields:
        return None if "bytes_per_s" in event.fields else event.t_ns + round((lasts + late) * NS_PER_S)
    if event.kind == "effect":
        return event.t_ns + 1  # what comes late is told of a nanosecond before it comes
    return None if name in STANDING | LAST_UNTIL.keys() else event.t_ns
