"""The story of a run: its touchdowns, and what was said, measured, found and sorted in each. Pure.

Rules
- A touchdown begins with the handler's ``contact`` and ends before the next one.
- A result that the scenario delayed or copied disturbs the touchdown in which it arrives. So does what comes of a
  command or answer that it delayed or copied, or of a next that the operator sends by hand.
- Meter questions belong to the site in their channel list, ``(@SITE)``.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from drycell.sim.kernel import Event
from drycell.sim.oracles.interference import INSTRUMENT_FAULTS
from drycell.sim.oracles.results import PartResult

if TYPE_CHECKING:
    from drycell.sim.oracles.facts import Facts, Heard

_CHANNEL = re.compile(r"\(@(\d+)\)")


@dataclass(slots=True)
class Touchdown:
    """One contact and its consequences; mappings are by site. ``parts``: the part ids in contact.

    ``asked``: the ``next`` that the master sent; ``testing``: the first ``testing`` of each site; ``answers``: what
    the master answered to the handler; ``failed``: the master's first soft error; ``given_up``: the handler's first
    error.
    """

    event: Event
    lot: str
    parts: Mapping[str, str]
    asked: "Heard | None" = None
    testing: dict[str, Event] = field(default_factory=dict)
    results: dict[str, list[PartResult]] = field(default_factory=dict)
    asks: dict[str, list[Event]] = field(default_factory=dict)
    triggers: dict[str, list[Event]] = field(default_factory=dict)
    answers: list["Heard"] = field(default_factory=list)
    sorted: list[Event] = field(default_factory=list)
    failed: Event | None = None
    given_up: Event | None = None
    disturbed_sites: set[str] = field(default_factory=set)
    meddled_sites: set[str] = field(default_factory=set)

    @property
    def job(self) -> Mapping[str, Any]:
        """The ``job_data`` of the ``next``."""
        content = self.asked.content if self.asked is not None else None
        job = (content or {}).get("job_data")
        return job if isinstance(job, dict) else {}

    def option(self, name: str) -> Mapping[str, Any]:
        """A test option of this cycle as sent; {} when it was off."""
        entry = self.job.get(name)
        return entry if isinstance(entry, dict) and entry.get("active") else {}

    def disturbed(self, site: str) -> bool:
        """Whether the scenario itself interfered with ``site`` in this touchdown."""
        return bool(self.disturbed_sites) and ("" in self.disturbed_sites or site in self.disturbed_sites)

    def meddled(self, site: str) -> bool:
        """The same, but for faults of the instruments and peripherals that the program asks."""
        return bool(self.meddled_sites) and ("" in self.meddled_sites or site in self.meddled_sites)

    def disturb(self, sites: Collection[str], fault: str = "") -> None:
        """Note that ``fault`` of the scenario interfered with ``sites``."""
        self.disturbed_sites.update(sites)
        if fault not in INSTRUMENT_FAULTS:
            self.meddled_sites.update(sites)

    def judged(self) -> Iterator[PartResult]:
        """The results with a PRR from sites in contact that the scenario left alone."""
        return (result for result in self.reported() if not self.disturbed(result.site))

    def reported(self) -> Iterator[PartResult]:
        """These, and those of programs to whose instruments it did something.

        Whatever these say, a result agrees with itself and with what they said.
        """
        for site, results in self.results.items():
            if site in self.parts and not self.meddled(site):
                yield from (result for result in results if result.has_part)


@dataclass
class Story:
    """All touchdowns. ``strays``: results that came before any device was in contact."""

    touchdowns: list[Touchdown] = field(default_factory=list)
    strays: list[PartResult] = field(default_factory=list)

    @cached_property
    def judged(self) -> Sequence[tuple[Touchdown, PartResult]]:
        """Every result to be judged with its touchdown, see :meth:`Touchdown.judged`."""
        return [(touchdown, result) for touchdown in self.touchdowns for result in touchdown.judged()]

    @cached_property
    def reported(self) -> Sequence[tuple[Touchdown, PartResult]]:
        """The same of :meth:`Touchdown.reported`."""
        return [(touchdown, result) for touchdown in self.touchdowns for result in touchdown.reported()]


@lru_cache(maxsize=4096)
def question(line: str) -> tuple[str, str]:
    """The site in the channel list of a question to a meter ("" for none), and the question without it."""
    found = _CHANNEL.search(line)
    return (found[1], line.replace(found[0], "(@)")) if found else ("", line)


def tell(facts: "Facts") -> Story:
    """The story of ``facts``, in one pass over the events that matter."""
    story = Story()
    results = {result.event.seq: result for result in facts.results}
    strikes = {strike.event.seq: strike for strike in facts.strikes}
    lasting = [strike for strike in facts.strikes if strike.last_seq > strike.event.seq]
    displaced: set[str] = set()
    told = chain.from_iterable(map(facts.heard, ("TestApp/cmd", "TestApp/status", "Master/response")))
    heard = {one.event.seq: one for one in told}
    carries = f"/{facts.dialect.stdf.kind}/"
    moving = {facts.topics.master_cmd, facts.topics.program_cmd, facts.topics.master_response}
    now: Touchdown | None = None
    for event in facts.events:
        seq, _, actor, kind, fields = event
        if kind == "message":
            if seq in results:
                if now is None:
                    story.strays.append(results[seq])
                else:
                    _result(now, results[seq], displaced)
            elif seq in heard and now is not None:
                _message(now, heard[seq])
        elif kind == "contact":
            parts = {entry["site"]: entry["part"] for entry in fields["sites"]}
            now = Touchdown(event, str(fields["lot"]), parts)
            story.touchdowns.append(now)
            for strike in lasting:
                if strike.event.seq < seq <= strike.last_seq:
                    now.disturb(strike.sites, strike.name)
        elif seq in strikes:
            strike = strikes[seq]
            if carries in strike.topic:
                displaced |= strike.sites
            elif strike.topic in moving and now is not None:
                displaced |= now.parts.keys()
            if now is not None and not strike.armed_only:
                now.disturb(strike.sites, strike.name)
        elif now is None:
            continue
        elif kind == "state":
            _state(now, event)
        elif kind == "ask":
            site = fields["site"] if "site" in fields else question(str(fields.get("line")))[0]
            now.asks.setdefault(site, []).append(event)
        elif kind == "sorted":
            now.sorted.append(event)
        elif kind == "trigger":
            now.triggers.setdefault(actor.removeprefix("sequencer"), []).append(event)
        elif kind == "operator" and fields.get("command") == "next":
            now.disturbed_sites.add("")
            displaced |= now.parts.keys()
    return story


def _result(now: Touchdown, result: PartResult, displaced: set[str]) -> None:
    """A result that is one too many, or of another part, may be one that the scenario delayed or kept a copy of."""
    there = now.results.setdefault(result.site, [])
    if result.site in displaced and (there or now.parts.get(result.site) != result.part):
        displaced.remove(result.site)
        now.disturb({result.site})
    there.append(result)


def _state(now: Touchdown, event: Event) -> None:
    if event.actor == "master" and event.fields["to"] == "softerror" and now.failed is None:
        now.failed = event
    elif event.actor == "handler" and event.fields["to"] == "error" and now.given_up is None:
        now.given_up = event


def _message(now: Touchdown, heard: "Heard") -> None:
    content = heard.content or {}
    if heard.place == "TestApp/status":
        if content.get("state") == "testing":
            now.testing.setdefault(heard.site, heard.event)
    elif heard.place == "Master/response":
        if content.get("type") == "next":
            now.answers.append(heard)
    elif content.get("command") == "next" and now.asked is None:
        now.asked = heard
