"""Promise about peripherals: one request, one relay, one answer, forwarded once and unchanged.

Rules (semi-ate, section 8): all sites that still test ask for the same, then the master asks the peripheral once; its
answer, or ``Timeout`` after ``peripheral_s``, goes to the programs once; only then may the next request follow. The
master's own ``Teardown`` is judged elsewhere. A touchdown that begins while a peripheral owes an answer to an earlier
request is not judged: nobody can tell which of the two it answers. What the scenario held back may come at any later
time, so after that nothing is judged any more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from drycell.runtime.protocol.specification import TEARDOWN
from drycell.sim.kernel import Event
from drycell.sim.kernel.clock import NS_PER_S
from drycell.sim.oracles.base import Breach, Case, Oracle, cases
from drycell.sim.oracles.facts import Facts, Heard
from drycell.sim.oracles.touchdowns import Touchdown
from drycell.sim.oracles.trouble import SLACK_S

_PLACES = ("TestApp/io-control", "Peripheral/request", "Peripheral/response", "Master/peripheral")


@dataclass(slots=True)
class _Exchange:
    """What is open: the sites' requests, the master's request, its answer."""

    asked: dict[str, Heard] = field(default_factory=dict)
    relayed: Heard | None = None
    answered: Heard | None = None
    expired: set[str] = field(default_factory=set)


class _Owed:
    """The requests that peripherals have not answered yet, and for how long an answer must be reckoned with."""

    def __init__(self, patience_s: float) -> None:
        self._patience_ns = patience_s * NS_PER_S
        self._asked_ns: dict[str, list[int]] = defaultdict(list)

    def step(self, heard: Heard) -> None:
        """Take a message into account."""
        asked_ns = self._asked_ns[heard.peripheral]
        if heard.place == "Peripheral/request":
            asked_ns.append(heard.event.t_ns)
        elif heard.place == "Peripheral/response" and asked_ns:
            asked_ns.pop(0)

    def at(self, t_ns: int) -> bool:
        """Whether an answer to an earlier request may come after this instant."""
        return any(asked_ns and asked_ns[-1] + self._patience_ns >= t_ns for asked_ns in self._asked_ns.values())


def _once(facts: Facts) -> Iterator[Case]:
    touchdowns = iter([*facts.story.touchdowns, None])
    touchdown, following = None, next(touchdowns)
    open_, owed, unclear = _Exchange(), _Owed(facts.timeout_s("peripheral_s")), False
    messages = facts.heard(*_PLACES)
    topics = {heard.topic for heard in messages}
    struck = next((strike.event.seq for strike in facts.strikes if strike.topic in topics), facts.end_seq)
    for heard in messages:
        if heard.event.seq > struck:
            return
        while following is not None and following.event.seq < heard.event.seq:
            if touchdown is not None:
                yield from _left_over(facts, touchdown, open_)
            touchdown, following, open_ = following, next(touchdowns), _Exchange()
            unclear = owed.at(touchdown.event.t_ns)
        owed.step(heard)
        if touchdown is None or touchdown.disturbed_sites or (heard.content or {}).get("ioctl_name") == TEARDOWN:
            continue
        if not unclear:
            yield from _step(open_, heard, touchdown)
    if touchdown is not None:
        yield from _left_over(facts, touchdown, open_)


def _never_unasked(facts: Facts) -> Iterator[Case]:
    """In no moment of the run has a peripheral given more answers than there were requests."""
    open_: Counter[str] = Counter()
    meddled = (s.event.seq for s in facts.strikes if s.topic or s.name.startswith("peripheral"))
    until = next(meddled, facts.end_seq)
    for heard in facts.heard("Peripheral/request", "Peripheral/response"):
        if heard.event.seq > until:
            return
        open_[heard.peripheral] += 1 if heard.place == "Peripheral/request" else -1
        if open_[heard.peripheral] < 0:
            yield Breach(f"peripheral {heard.peripheral} answered although nobody had asked it", heard.event)


def _step(open_: _Exchange, heard: Heard, touchdown: Touchdown) -> Iterator[Case]:
    if heard.place == "TestApp/io-control":
        open_.asked[heard.site] = heard
    elif heard.place == "Peripheral/request":
        yield from _relayed(open_, heard)
    elif heard.place == "Peripheral/response":
        yield from _answered(open_, heard, touchdown)
    else:
        yield from _forwarded(open_, heard)


def _relayed(open_: _Exchange, heard: Heard) -> Iterator[Case]:
    kind = heard.peripheral
    if open_.relayed is not None:
        text = f"the master asked peripheral {kind} again before its first request was answered"
        yield Breach(text, heard.event, (open_.relayed.event,))
    elif not open_.asked:
        yield Breach(f"the master asked peripheral {kind} although no program had", heard.event)
    for site, asked in open_.asked.items():
        content = asked.content or {}
        if content.get("periphery_type") != kind or _wish(content) != _wish(heard.content or {}):
            text = f"the master asked peripheral {kind} for something else than the program of site {site} had"
            yield Breach(text, heard.event, (asked.event,))
    open_.relayed = heard


def _wish(content: Mapping[str, Any]) -> tuple[object, object]:
    return content.get("ioctl_name"), content.get("parameters")


def _ids(heard: Heard) -> object:
    return (heard.content or {}).get("request_ids")


def _answered(open_: _Exchange, heard: Heard, touchdown: Touchdown) -> Iterator[Case]:
    kind = heard.peripheral
    if touchdown.failed is not None and touchdown.failed.seq < heard.event.seq:
        open_.answered = heard  # late after the soft error, of no consequence but that the master may pass it on
        return
    if open_.relayed is None and kind in open_.expired:
        open_.expired.discard(kind)  # too late: the programs were told that it does not answer
        return
    if open_.relayed is not None and _ids(heard) and _ids(heard) != _ids(open_.relayed):
        return  # too late as well: it says itself that it answers an earlier request
    if open_.answered is not None:
        text = f"peripheral {kind} answered one request twice"
        yield Breach(text, heard.event, (open_.answered.event,))
    elif open_.relayed is None:
        yield Breach(f"peripheral {kind} answered although nobody had asked it", heard.event)
    elif open_.relayed.peripheral != kind:
        text = f"peripheral {kind} answered a request to {open_.relayed.peripheral}"
        yield Breach(text, heard.event, (open_.relayed.event,))
    open_.answered = heard


def _forwarded(open_: _Exchange, heard: Heard) -> Iterator[Case]:
    kind, payload = heard.peripheral, heard.event.fields.get("payload")
    if open_.relayed is None:
        yield Breach(f"the master told the programs an answer of {kind} that nobody waited for", heard.event)
    elif open_.answered is None and (heard.content or {}).get("result") != "Timeout":
        text = f"the master told the programs an answer of {kind} that it had not given"
        yield Breach(text, heard.event, (open_.relayed.event,))
    elif open_.answered is not None and open_.answered.event.fields.get("payload") != payload:
        text = f"the master changed the answer of peripheral {kind} on its way to the programs"
        yield Breach(text, heard.event, (open_.answered.event,))
    else:
        yield None
    if open_.answered is None:
        open_.expired.add(kind)
    open_.asked, open_.relayed, open_.answered = {}, None, None


def _left_over(facts: Facts, touchdown: Touchdown, open_: _Exchange) -> Iterator[Case]:
    """A request that was still open when its touchdown was over, or longer than a peripheral may take."""
    if touchdown.disturbed_sites:
        return
    first: Event | None = next((h.event for h in open_.asked.values()), None)
    if open_.relayed is not None:
        yield from _unanswered(facts, touchdown, open_.relayed.event, f"peripheral {open_.relayed.peripheral}")
    elif first is not None:
        sites = ", ".join(sorted(open_.asked))
        yield from _unanswered(facts, touchdown, first, f"the master (asked by site {sites})")


def _unanswered(facts: Facts, touchdown: Touchdown, asked: Event, who: str) -> Iterator[Case]:
    limit_ns = asked.t_ns + round((facts.timeout_s("peripheral_s") + SLACK_S) * NS_PER_S)
    failed = touchdown.failed
    over_ns = failed.t_ns if failed is not None else facts.end_ns
    if over_ns > limit_ns or (failed is None and touchdown.sorted):
        yield Breach(f"{who} never answered an io-control request; asked", asked, (failed,) if failed else ())


PERIPHERAL_ORACLES = (
    Oracle(
        "peripherals answer once",
        "Each request of the programs reaches its peripheral once, and its answer reaches them once and unchanged.",
        cases(
            lambda facts: chain(_once(facts), _never_unasked(facts)),
            held="{count} requests to peripherals were relayed, answered and forwarded once",
            unknown="no program asked a peripheral",
        ),
        "an io-control request in a touchdown",
    ),
)
