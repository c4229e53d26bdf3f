"""What oracles read: a run's events in order, with everything that several of them need decoded once.

Rules: a fact follows from the journal (and the STDF file of the run) alone; nothing here judges.
"""

import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import orjson

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.semi_ate import SEMI_ATE
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.cell.fragments import Fragments, records_of
from drycell.sim.kernel import Event
from drycell.sim.oracles.interference import ENDINGS, HOLDING, TELLING, Strike, strikes
from drycell.sim.oracles.results import PartResult, part_result
from drycell.sim.oracles.stdf_facts import StdfFacts, read_stdf
from drycell.sim.oracles.touchdowns import Story, tell

T = TypeVar("T")


class Heard:
    """One message on the broker, or what a master says to a peripheral of its own and hears from it.

    ``place`` is the topic without device, handler, site and peripheral: ``TestApp/status``, ``Master/cmd``,
    ``Peripheral/request``. ``site`` and ``peripheral`` are "" for a topic without one.
    """

    __slots__ = ("_content", "event", "peripheral", "place", "site", "topic")

    def __init__(self, event: Event, where: "_Where") -> None:
        self.event = event
        self.topic, self.place, self.site, self.peripheral = where
        self._content: Any = _UNREAD

    @property
    def content(self) -> Mapping[str, Any] | None:
        """The JSON object of the message, None when it is none."""
        if self._content is _UNREAD:
            payload = payload_of(self.event)
            self._content = _often_said(payload) if len(payload) <= _SHORT else decode(payload)
        found: Mapping[str, Any] | None = self._content
        return found


_Where = tuple[str, str, str, str]
_UNREAD = object()
_SEQ, _HEARD_SEQ = attrgetter("seq"), attrgetter("event.seq")
_BY_HAND = {"drive": "Peripheral/request", "driven": "Peripheral/response"}
"""What a master does at a peripheral of its own, and the place of the message that it stands for."""


def payload_of(message: Event) -> str | bytes:
    """The payload of ``message``: bytes when it is no text in UTF-8."""
    text: str | None = message.fields.get("payload")
    return b64decode(message.fields.get("payload_b64", "")) if text is None else text


def decode(payload: str | bytes) -> Mapping[str, Any] | None:
    """The JSON object in ``payload`` (NaN and Infinity allowed, and bytes in UTF-16 or UTF-32, as peers read them),
    None when it is none."""
    try:
        content = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    return content if isinstance(content, dict) else None


@lru_cache(maxsize=16)
def _places(topics: Topics) -> Callable[[str], _Where]:
    """Where each topic is in a cell; there are few, and many runs of one cell."""

    @lru_cache(maxsize=4096)
    def where(topic: str) -> _Where:
        levels = topics.canonical(topic).split("/")
        if levels[0] != "ate" or len(levels) < 4:
            return topic, "", "", ""
        if levels[1] == topics.handler and levels[2] == "Handler":
            return topic, f"Handler/{levels[3]}", "", ""
        if levels[1] != topics.device:
            return topic, "", "", ""
        if levels[2] == "Master" and levels[-1] == "response" and len(levels) == 5:
            return topic, "Master/peripheral", "", levels[3]
        if levels[3] == "io-control" and levels[2] != "TestApp":
            return topic, f"Peripheral/{levels[-1]}", "", levels[2]
        return topic, f"{levels[2]}/{levels[3]}", site_of(topic), ""

    return where


_often_said = lru_cache(maxsize=4096)(decode)
"""For messages that are said over and over again, in every run: states, commands, requests."""
_SHORT = 500
"""Such messages have no more characters than this."""


def objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects in the list ``value``; whatever is none is passed over, and no list has none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


@dataclass(frozen=True)
class Facts:
    """A journal as oracles see it. ``device_id`` and ``handler_id`` are those of the cell's topics.

    ``timeouts_s``: timeouts of the scenario that differ from those of ``dialect``. ``stdf_path``: the lot's STDF file
    or None. ``actuators``: the cell's peripherals.
    """

    events: Sequence[Event]
    device_id: str
    handler_id: str
    lot_size: int
    timeouts_s: Mapping[str, float] = field(default_factory=dict)
    stdf_path: Path | bytes | None = None
    dialect: Dialect = SEMI_ATE
    actuators: Sequence[str] = ()

    @cached_property
    def topics(self) -> Topics:
        """The topics of the cell."""
        return self.dialect.topics(self.device_id, self.handler_id)

    def timeout_s(self, name: str) -> float:
        """The timeout ``name`` of this run, in seconds."""
        return self._all_timeouts_s[name]

    @cached_property
    def _all_timeouts_s(self) -> Mapping[str, float]:
        return {**self.dialect.timeouts_s, **self.timeouts_s}

    # events --------------------------------------------------------------------------------------------------------

    @cached_property
    def _by_kind(self) -> Mapping[str, Sequence[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            found[event.kind].append(event)
        return found

    def of_kind(self, *kinds: str) -> Iterator[Event]:
        """Events of these kinds, in order."""
        there = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        return iter(sorted(chain.from_iterable(there), key=_SEQ) if len(there) > 1 else chain.from_iterable(there))

    @property
    def end_seq(self) -> int:
        """The number of the last event."""
        return self.events[-1].seq if self.events else 0

    @property
    def end_ns(self) -> int:
        """When the journal ends."""
        return self.events[-1].t_ns if self.events else 0

    @cached_property
    def end(self) -> str:
        """Why the run ended, "" when the journal is cut off."""
        ends = self._by_kind.get("end", ())
        return str(ends[-1].fields.get("reason", "")) if ends else ""

    @property
    def stopped(self) -> bool:
        """Whether the run was cut off, by a limit or from outside, before it came to an end of its own."""
        return self.end == "" or self.end.startswith("stopped")

    # faults --------------------------------------------------------------------------------------------------------

    @cached_property
    def strikes(self) -> Sequence[Strike]:
        """What the scenario did to the cell, in order."""
        return strikes(self.of_kind(*TELLING))

    def fault_between(self, first_seq: int, last_seq: int, site: str, but: Collection[str] = frozenset()) -> bool:
        """Whether the scenario interfered with ``site`` from event ``first_seq`` to ``last_seq``, by any faults
        ``but`` these."""
        return any(
            s.event.seq <= last_seq and first_seq <= s.last_seq and s.concerns(site) and s.name not in but
            for s in self.strikes
        )

    def tampered(self, site: str, before_seq: int) -> bool:
        """Whether the scenario interfered with what ``site`` says, in any way but ending its program, before then."""
        return self.fault_between(0, before_seq, site, ENDINGS)

    def struck(self, topic: str, before: Event) -> bool:
        """Whether a fault struck a message on ``topic`` before this event: what is heard there now may be its doing,
        or come once more, or never have come."""
        return any(s.topic == topic and s.event.seq < before.seq for s in self.strikes)

    def held_up(self, site: str, before: Event) -> bool:
        """Whether a fault before this event may hold open a connection of ``site``, with what was said there."""
        return any(s.name in HOLDING and s.concerns(site) and s.event.seq < before.seq for s in self.strikes)

    @cached_property
    def _outages(self) -> Sequence[tuple[int, int]]:
        """When the broker was down: from and to, in nanoseconds."""
        found: list[tuple[int, int]] = []
        down_ns: int | None = None
        for event in self.of_kind("effect"):
            now = event.fields.get("broker")
            if now == "stopped":
                down_ns = event.t_ns
            elif now == "started" and down_ns is not None:
                found.append((down_ns, event.t_ns))
                down_ns = None
        return found if down_ns is None else [*found, (down_ns, self.end_ns)]

    def broker_was_down(self, first_ns: int, last_ns: int) -> bool:
        """Whether the broker was down at any time from ``first_ns`` to ``last_ns``."""
        return any(down_ns <= last_ns and up_ns >= first_ns for down_ns, up_ns in self._outages)

    @cached_property
    def resets(self) -> Sequence[Event]:
        """The operator's resets that the master took, but for those that came so fast after an error that what was on
        its way when it happened undid them in the same instant."""
        refused = {event.seq for event in self.of_kind("refused")}
        pressed = [
            e for e in self.of_kind("operator") if e.fields.get("command") == "reset" and e.seq + 1 not in refused
        ]
        errors = [e for e in self.of_kind("state") if e.actor == "master" and e.fields["to"] == "softerror"]
        at_once = [(press, [e.seq for e in errors if e.t_ns == press.t_ns]) for press in pressed]
        return [press for press, seqs in at_once if not seqs or not seqs[0] < press.seq < seqs[-1]]

    def reset_after_faults(self) -> Event | None:
        """The first reset after everything that the scenario did was over, None when there is none."""
        if any(strike.last_ns is None for strike in self.strikes):
            return None
        over_ns = max((strike.last_ns or 0 for strike in self.strikes), default=0)
        over_seq = max((strike.over_seq for strike in self.strikes), default=0)
        return next((reset for reset in self.resets if reset.seq > over_seq and reset.t_ns >= over_ns), None)

    @property
    def why_no_reset(self) -> str:
        """Why :meth:`reset_after_faults` finds none, in words."""
        standing = next((strike for strike in self.strikes if strike.last_ns is None), None)
        if standing is not None:
            return f"the scenario's {standing.name} never ended"
        what = f"the scenario's {self.strikes[-1].name}" if self.strikes else "the soft error"
        return f"nobody pressed reset after {what}"

    def subscribed(self, site: str) -> Iterator[int]:
        """When a program of ``site`` subscribed to commands: event numbers, in order."""
        for event in self.of_kind("subscribe"):
            if event.actor.rpartition(".")[2] == site and event.fields["topic_filter"] == self.topics.program_cmd:
                yield event.seq

    # messages ------------------------------------------------------------------------------------------------------

    @cached_property
    def messages(self) -> Sequence[Heard]:
        """All messages, in the order they passed the broker."""
        where = _places(self.topics)
        return [Heard(event, where(event.fields["topic"])) for event in self._by_kind.get("message", ())]

    @cached_property
    def _by_place(self) -> Mapping[str, Sequence[Heard]]:
        found: dict[str, list[Heard]] = defaultdict(list)
        for heard in self.messages:
            found[heard.place].append(heard)
        for kind, place in _BY_HAND.items():
            by_hand = [Heard(e, ("", place, "", e.fields["peripheral"])) for e in self._by_kind.get(kind, ())]
            if by_hand:
                found[place] = sorted([*found.get(place, ()), *by_hand], key=_HEARD_SEQ)
        return found

    def heard(self, *places: str) -> Sequence[Heard]:
        """Messages at these places, in order."""
        if len(places) == 1:
            return self._by_place.get(places[0], ())
        return sorted(chain.from_iterable(self._by_place.get(place, ()) for place in places), key=_HEARD_SEQ)

    def program(self, kind: str) -> Sequence[Heard]:
        """Messages of the test programs on their ``kind`` topics."""
        return self.heard(f"TestApp/{kind}")

    # what follows from them ----------------------------------------------------------------------------------------

    @cached_property
    def results(self) -> Sequence[PartResult]:
        """Every result that a program sent, in order; one in fragments came when its program was idle again."""
        if self.dialect.stdf.fragments:
            return list(self._assembled())
        return [
            part_result(heard.event, heard.site, decode(payload_of(heard.event)))
            for heard in self.program("testresult")
        ]

    def _assembled(self) -> Iterator[PartResult]:
        fragments = Fragments()
        for heard in self.heard("TestApp/stdf", "TestApp/status"):
            if heard.place == "TestApp/stdf":
                fragments.fragment(heard.site, str(heard.event.fields.get("payload", "")).encode())
                continue
            payloads = fragments.status(heard.site, (heard.content or {}).get("state"))
            if payloads is None or (heard.content or {}).get("state") != "idle":
                continue
            try:
                yield part_result(heard.event, heard.site, {"payload": records_of(payloads)})
            except ValueError as error:
                yield part_result(heard.event, heard.site, None)._replace(fault=str(error))

    @cached_property
    def story(self) -> Story:
        """The touchdowns of the run, in order, with all that belongs to each."""
        return tell(self)

    @cached_property
    def stdf(self) -> StdfFacts | None:
        """What the lot's STDF file says, None when there is none."""
        return None if self.stdf_path is None else read_stdf(self.stdf_path)

    @cached_property
    def stdf_read_thoroughly(self) -> StdfFacts | None:
        """The same, with every record decoded."""
        return None if self.stdf_path is None else read_stdf(self.stdf_path, thoroughly=True)

    def once(self, make: "Callable[[Facts], T]") -> T:
        """What ``make`` finds in these facts, found once however many oracles ask."""
        if make not in self._found:
            self._found[make] = make(self)
        found: T = self._found[make]
        return found

    @cached_property
    def _found(self) -> dict[Any, Any]:
        return {}
