"""The events of a run as text: one line each, or one letter per event in a column per lane.

Rules
- Filters are all of a kind: an event is shown when every one of them fits it.
- The column log has a column per lane; a letter stands for the kind of event (:data:`words.LETTERS`), ``<`` for a
  lane that hears a message, ``!`` for a lane that enters a bad state.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event, read
from drycell.sim.report import lanes, words
from drycell.sim.report.timeline import BAD_STATES

TEXT_WIDTH = 56


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to show. ``from_ns`` and ``to_ns`` are simulated times, both inclusive; None is no limit."""

    kinds: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    from_ns: int | None = None
    to_ns: int | None = None
    pattern: re.Pattern[str] | None = None

    def fits(self, event: Event, text: str) -> bool:
        """Whether ``event``, told by ``text``, is shown."""
        lane = lanes.lane_of(event.actor)
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.actors or event.actor in self.actors or lane in self.actors)
            and (not self.sites or _site(event, lane) in self.sites)
            and (self.from_ns is None or event.t_ns >= self.from_ns)
            and (self.pattern is None or self.pattern.search(text) is not None)
        )


def _site(event: Event, lane: str) -> str:
    """The site that an event belongs to; empty when to none."""
    site = lanes.site_of_lane(lane) or event.fields.get("site")
    return str(site) if site is not None else lanes.site_in(str(event.fields.get("topic", "")))


def shown(journal: Path, wanted: Filter) -> Iterator[tuple[Event, str]]:
    """The events that ``wanted`` lets through, each with its text. Raises DrycellError for a damaged journal."""
    for event in read(journal):
        if wanted.to_ns is not None and event.t_ns > wanted.to_ns:
            return
        text = words.describe(event)
        if wanted.fits(event, text):
            yield event, text


def lines(events: Iterable[tuple[Event, str]]) -> Iterator[str]:
    """One line per event: number, simulated seconds, who, kind, what."""
    for event, text in events:
        who, kind = words.one_line(lanes.lane_of(event.actor)), words.one_line(event.kind)
        yield f"{event.seq:>8}  {event.t_ns / 1e9:>14.6f}  {who:<10}  {kind:<10}  {text}"


def column_log(journal: Path, wanted: Filter, sites: tuple[str, ...]) -> Iterator[str]:
    """One letter per event. The heading names the lanes from left to right."""
    found = lanes.in_order(lanes.lane_of(event.actor) for event in read(journal))
    place = {lane: index for index, lane in enumerate(found)}
    legend = "  ".join(f"{letter} {kind}" for kind, letter in words.LETTERS.items() if letter not in "E")
    yield f"letters: {legend}  E end  < hears  ! bad state"
    for index, lane in enumerate(found):
        yield f"{'':>26}{'|' * index}{words.one_line(lane)}"
    for event, text in shown(journal, wanted):
        row = ["·"] * len(found)
        content = words.content_of(event) if event.kind == "message" else None
        if event.kind == "message":
            for lane in lanes.receivers(str(event.fields.get("topic", "")), content, sites):
                if lane in place:
                    row[place[lane]] = "<"
        state = event.fields.get("to") if event.kind == "state" else words.announced(event, content)
        letter = "!" if state in BAD_STATES else words.LETTERS.get(event.kind, "?")
        row[place[lanes.lane_of(event.actor)]] = letter
        told = words.one_line(text, TEXT_WIDTH)
        yield f"{event.seq:>8}  {event.t_ns / 1e9:>14.6f}  {''.join(row)}  {told}"


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression, in which small letters fit capitals too. Raises DrycellError when it is none."""
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise DrycellError(f"--grep {text!r} is no regular expression ({error}); put \\ before its signs") from None
