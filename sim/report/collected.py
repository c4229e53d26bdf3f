"""Everything a report says, collected in one pass over the journal.

Rules
- One pass, in the journal's order; a payload is decoded once and kept only near evidence.
- What a damaged or unfinished run directory lacks is missing here too; only a journal that is no journal is an error.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from drycell.sim.cell.result import RunResult
from drycell.sim.cell.tally import Tally
from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event, read
from drycell.sim.report import lanes, words
from drycell.sim.report.notable import Notable, NotableLog
from drycell.sim.report.parts import Parts
from drycell.sim.report.stdf_facts import StdfFacts, stdf_facts
from drycell.sim.report.timeline import BAD_STATES, Timeline, marks_of
from drycell.sim.runs import Run
from drycell.sim.runs.store import State
from drycell.sim.scenario import Scenario

BEFORE, AFTER = 8, 4
"""How many events around each piece of evidence keep their payload."""
MOST_EVIDENCE = 60
MOST_TROUBLES = 40


@dataclass(slots=True)
class Collected:
    """One run. ``excerpts``: event number -> its fields, near evidence."""

    run: Run
    state: State
    scenario: Scenario | None
    result: RunResult | None
    failure: Mapping[str, Any]
    environment: Mapping[str, Any]
    tally: Tally = field(default_factory=Tally)
    timeline: Timeline = field(default_factory=Timeline)
    parts: Parts = field(default_factory=Parts)
    notable: NotableLog = field(default_factory=NotableLog)
    excerpts: dict[int, dict[str, Any]] = field(default_factory=dict)
    evidence: list[int] = field(default_factory=list)
    stdf: list[StdfFacts] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The scenario's name, else that of the run."""
        return self.scenario.name if self.scenario is not None else self.run.name

    @property
    def sites(self) -> tuple[str, ...]:
        """The cell's sites."""
        return () if self.scenario is None else tuple(str(site) for site in self.scenario.cell.sites)


def collect(run: Run) -> Collected:
    """Read the directory of ``run``. Raises DrycellError when its journal is damaged."""
    result = run.result()
    state = run.state()
    collected = Collected(run, state, _scenario(run), result, run.failure() or {}, _environment(run))
    collected.evidence = _evidence(result)
    if run.journal.is_file():
        _Pass(collected).events()
    collected.stdf = stdf_facts(run.path)
    return collected


def _scenario(run: Run) -> Scenario | None:
    try:
        return run.scenario()
    except DrycellError:
        return None


def _environment(run: Run) -> dict[str, Any]:
    try:
        record = orjson.loads((run.path / "environment.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _evidence(result: RunResult | None) -> list[int]:
    """Events that prove a violation, or that an oracle names otherwise, in order."""
    if result is None:
        return []
    proofs = [oracle.evidence[:MOST_EVIDENCE] for oracle in result.oracles if oracle.verdict != "holds"]
    return sorted({seq for proof in proofs for seq in proof})[: 4 * MOST_EVIDENCE]


_STATES = {"exit": "ended", "launch": "starting"}


class _Pass:
    """One pass over a journal."""

    def __init__(self, into: Collected) -> None:
        self.into = into
        self.sites = into.sites
        self.waiting = deque(into.evidence)
        self.recent: deque[Event] = deque(maxlen=BEFORE)
        self.keep_until = 0
        self.troubles = 0
        self.routes: dict[tuple[str, str], tuple[str, ...]] = {}
        self.states: dict[str, str] = {}
        self.own_states: set[str] = set()
        self.waited_for: set[str] = set()

    def events(self) -> None:
        for event in read(self.into.run.journal):
            self.take(event)
        if not self.into.evidence or self.waiting:  # nothing proven: the end is what one wants to see
            self._keep_recent()

    def take(self, event: Event) -> None:
        into = self.into
        into.tally.take(event)
        lane = lanes.lane_of(event.actor)
        content: Mapping[str, Any] | None = None
        to: tuple[str, ...] = ()
        to_stdf = False
        if event.kind == "message":
            topic = str(event.fields.get("topic", ""))
            content = words.content_of(event)
            to = self._receivers(topic, content)
            to_stdf = self._result(event, topic, content)
        elif event.kind == "contact":
            into.parts.contact(event)
            into.notable.contact(event)
            self.waited_for = {str(entry["site"]) for entry in event.fields.get("sites", ())}
        elif event.kind == "sorted":
            into.parts.sorted(event)
            into.notable.sorted_at.append(event.seq)
        state = self._state(event, lane, content)
        text = words.describe(event, content)
        marks = marks_of(event, state, to_stdf=to_stdf)
        into.timeline.add(event, lane, to, text, state=state, marks=marks)
        into.notable.take(Notable(event.seq, event.t_ns, lane, event.kind, state, marks, text, self._fields(event)))
        self._excerpt(event)

    def _result(self, event: Event, topic: str, content: Mapping[str, Any] | None) -> bool:
        """Take note of a result; whether the message goes into the STDF file."""
        if "/TestApp/testresult/" in topic:
            site = lanes.site_in(topic)
            self.waited_for.discard(site)
            self.into.parts.result(event, site, content)
            return True
        return "/TestApp/testsummary/" in topic

    def _state(self, event: Event, lane: str, content: Mapping[str, Any] | None) -> str:
        """The state that ``lane`` enters with ``event`` or "". Announcements count for lanes that journal none."""
        state = _STATES.get(event.kind, "")
        if event.kind == "state":
            state = str(event.fields.get("to", ""))
            self.own_states.add(lane)
        elif event.kind == "message":
            state = words.announced(event, content)
            if lane in self.own_states and state != "crash":
                state = ""
        if state:
            self.states[lane] = state
        return state

    def _fields(self, event: Event) -> Mapping[str, Any]:
        """The event's fields; a timeout also says who had not answered, and in which state everybody was."""
        if event.kind != "timeout":
            return event.fields
        return {**event.fields, "silent": sorted(self.waited_for), "states": dict(self.states)}

    def _receivers(self, topic: str, content: Mapping[str, Any] | None) -> tuple[str, ...]:
        named = str((content or {}).get("sites")) if lanes.needs_content(topic) else ""
        known = self.routes.get((topic, named))
        if known is None:
            known = self.routes[topic, named] = lanes.receivers(topic, content, self.sites)
        return known

    def _excerpt(self, event: Event) -> None:
        self.recent.append(event)
        if self._is_trouble(event):
            self._keep_recent()
            self.keep_until = event.seq + AFTER
        if self.waiting and event.seq >= self.waiting[0]:
            while self.waiting and event.seq >= self.waiting[0]:
                self.waiting.popleft()
            self._keep_recent()
            self.keep_until = event.seq + AFTER
        elif event.seq <= self.keep_until:
            self.into.excerpts[event.seq] = event.fields

    def _is_trouble(self, event: Event) -> bool:
        """A soft error of the master: what a story may be about although no oracle names it."""
        if event.kind != "state" or event.actor != lanes.MASTER or event.fields.get("to") not in BAD_STATES:
            return False
        self.troubles += 1
        return self.troubles <= MOST_TROUBLES

    def _keep_recent(self) -> None:
        for event in self.recent:
            self.into.excerpts[event.seq] = event.fields
