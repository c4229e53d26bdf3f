"""Promises about test programs as processes: they end well, are silent when dead, leave nothing, and are mourned.

Rules: a program lives from its ``launch`` to its ``exit``; what it sent before its end may still be on the way for
:data:`IN_FLIGHT_S`; a fault of the scenario on its site in its life excuses how it ended, never what it left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from drycell.sim.kernel import Event
from drycell.sim.kernel.clock import NS_PER_S
from drycell.sim.oracles.base import Breach, Case, Oracle, at, cases
from drycell.sim.oracles.facts import Facts, Heard
from drycell.sim.oracles.interference import LATE_STARTS
from drycell.sim.oracles.states import CRASH

IN_FLIGHT_S = 0.25
"""How long after a program's end its last words may still arrive, and its connections may still be open."""


@dataclass(slots=True)
class Life:
    """One program from launch to exit. ``site`` is its site."""

    site: str
    launch: Event
    exit: Event | None = None


def lives(facts: Facts) -> list[Life]:
    """Every program of the run, in the order of their starts."""
    found: list[Life] = []
    running: dict[str, Life] = {}
    for event in facts.of_kind("launch", "exit"):
        site = event.actor.removeprefix("program")
        if event.kind == "launch":
            running[site] = Life(site, event)
            found.append(running[site])
        elif site in running:
            running.pop(site).exit = event
    return found


def _end_well(facts: Facts) -> Iterator[Case]:
    before: dict[str, int] = {}
    for life in facts.once(lives):
        if life.exit is None:
            continue
        first_seq, before[life.site] = before.get(life.site, 0), life.exit.seq
        code = life.exit.fields["exit_code"]
        wanted = life.exit.fields.get("wanted", False)
        if code != 0 and not wanted and not facts.fault_between(first_seq, life.exit.seq, life.site):
            said = life.exit.fields.get("stderr")
            text = f"the program of site {life.site} ended with {_code(code)}{f' ({said})' if said else ''}"
            yield Breach(text, life.exit, (life.launch,))
        else:
            yield None


def _code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _dead_are_silent(facts: Facts) -> Iterator[Case]:
    spans: dict[str, list[Life]] = {}
    for life in facts.once(lives):
        spans.setdefault(life.site, []).append(life)
    if not spans:
        return
    last: dict[str, Life] = {}
    start = f"testapp.{facts.device_id}."
    for heard in facts.messages:
        event = heard.event
        if not event.actor.startswith(start) or event.fields.get("will"):
            continue
        site = event.actor.removeprefix(start)
        known = last.get(site)
        if known is not None and (known.exit is None or event.seq < known.exit.seq):
            yield None
            continue
        there = spans.get(site, [])
        alive = next((one for one in there if _alive(one, event)), None)
        if alive is not None:
            last[site] = alive
        if alive is not None or facts.tampered(site, event.seq):
            yield None
        else:
            yield Breach(f"the program of site {site} sent {heard.place} {_why_dead(there, event)}", event)


def _alive(life: Life, event: Event) -> bool:
    grace_ns = int(IN_FLIGHT_S * NS_PER_S)
    return life.launch.seq < event.seq and (life.exit is None or event.t_ns <= life.exit.t_ns + grace_ns)


def _why_dead(there: list[Life], event: Event) -> str:
    before = [life for life in there if life.launch.seq < event.seq]
    if not before or before[-1].exit is None:
        return "before it was started"
    return f"after it had ended {at(before[-1].exit)}: somebody else speaks in its name;"


def _nothing_left(facts: Facts) -> Iterator[Case]:
    """A new start finds the old program gone; a finished lot leaves neither program nor connection."""
    running: dict[str, Event] = {}
    open_: dict[str, Event] = {}
    start = f"testapp.{facts.device_id}."
    for event in facts.of_kind("launch", "exit", "connect", "disconnect", "lot", "effect"):
        site = event.actor.removeprefix("program")
        if event.kind == "effect":
            if event.fields.get("broker") == "stopped":
                open_.clear()
        elif event.kind == "launch":
            before = running.get(site)
            yield None if before is None or _parted(facts, before, event, site) else _still_there(before, event, site)
            running[site] = event
        elif event.kind == "exit":
            running.pop(site, None)
        elif event.kind == "connect" and event.actor.startswith(start):
            open_[event.actor] = event
        elif event.kind == "disconnect":
            open_.pop(event.actor, None)
        elif event.kind == "lot":
            for site, launch in running.items():
                if facts.struck(facts.topics.control_status(site), event):
                    continue  # nobody could know better
                yield Breach(f"the program of site {site} still ran when the lot was unloaded", event, (launch,))
            yield None
    yield from _still_connected(facts, open_, start)


def _parted(facts: Facts, before: Event, start: Event, site: str) -> bool:
    """Whether the scenario parted the program that began with ``before`` from its control, and nobody could end it
    until ``start``: it heard no reset, there was another fault as well, or masters tell programs of no reset."""
    struck = {strike.name for strike in facts.strikes if strike.concerns(site) and strike.event.seq < start.seq}
    if "orphan" not in struck:
        return False
    return facts.dialect.name == "specification" or len(struck) > 1 or not _heard_reset(facts, before, start, site)


def _heard_reset(facts: Facts, before: Event, start: Event, site: str) -> bool:
    """Whether the program that began with ``before`` was told to reset after it had subscribed to commands."""
    since = next((seq for seq in facts.subscribed(site) if seq > before.seq), start.seq)
    return any(
        since < heard.event.seq < start.seq and (heard.content or {}).get("command") == "reset"
        for heard in facts.heard("TestApp/cmd")
    )


def _still_there(before: Event, event: Event, site: str) -> Breach:
    text = f"the program of site {site} was started while the one before was still running: control left an orphan"
    return Breach(text, event, (before,))


def _still_connected(facts: Facts, open_: dict[str, Event], start: str) -> Iterator[Case]:
    ends = {life.site: life.exit for life in facts.once(lives)}
    for actor, connect in open_.items():
        exit_ = ends.get(actor.removeprefix(start))
        if facts.held_up(actor.removeprefix(start), facts.events[-1]):
            continue
        if exit_ is None or connect.seq > exit_.seq or facts.end_ns - exit_.t_ns <= IN_FLIGHT_S * NS_PER_S:
            continue
        yield Breach(f"the connection {actor} was never closed although its program had ended", exit_, (connect,))


def _lost_are_announced(facts: Facts) -> Iterator[Case]:
    """Who goes without DISCONNECT has a last will, and the broker publishes it at once (MQTT 3.1.1, 3.1.2.5).

    Every program leaves a will (semi-ate, section 3; specification, section 7): without one nobody would be told.
    """
    programs = f"testapp.{facts.device_id}."
    wills: dict[str, str] = {}
    published = [event for event in facts.of_kind("message") if event.fields.get("will")]
    swallowed = {strike.topic for strike in facts.strikes}
    for event in facts.of_kind("connect", "disconnect"):
        if event.kind == "connect":
            wills[event.actor] = event.fields.get("will_topic", "")
            continue
        topic = wills.pop(event.actor, "")
        if event.fields.get("cause") == "disconnect" or not event.actor.startswith(programs):
            continue
        if not topic:
            if facts.tampered(event.actor.removeprefix(programs), event.seq):
                continue  # it may be another client under the same name
            yield Breach(f"the connection {event.actor} was lost, and its program had left no will", event)
            continue
        will = next((will for will in published if _is_will(will, topic, event)), None)
        if will is not None and facts.fault_between(event.seq, will.seq, event.actor.removeprefix(programs)):
            yield None
        elif will is not None and CRASH not in str(will.fields.get("payload")):
            yield Breach(f"the last will of {event.actor} does not say that it crashed", will, (event,))
        elif will is not None or topic in swallowed:
            yield None
        else:
            cause = event.fields.get("cause")
            text = f"the connection {event.actor} was lost ({cause}) and the broker did not publish its will"
            yield Breach(text, event)


def _is_will(will: Event, topic: str, lost: Event) -> bool:
    late_ns = will.t_ns - lost.t_ns
    return will.fields["topic"] == topic and will.seq > lost.seq and late_ns <= IN_FLIGHT_S * NS_PER_S


def _ready_means_idle(facts: Facts) -> Iterator[Case]:
    """When loading is over, every program that was to be loaded has said that it is idle."""
    loads = [heard for heard in facts.heard("Control/cmd") if (heard.content or {}).get("command") == "loadTest"]
    idle = [heard for heard in facts.program("status") if (heard.content or {}).get("state") == "idle"]
    for event in facts.of_kind("state"):
        if event.actor != "master" or _step(event) != ("loading", "ready"):
            continue
        load = next((heard for heard in reversed(loads) if heard.event.seq < event.seq), None)
        if load is None or facts.struck(load.topic, load.event):
            continue
        said = {heard.site for heard in idle if load.event.seq < heard.event.seq < event.seq}
        sites = (load.content or {}).get("sites")
        silent = [
            site
            for site in map(str, sites if isinstance(sites, list) else ())
            if site not in said and not facts.fault_between(load.event.seq, event.seq, site, LATE_STARTS)
        ]
        text = f"the master was ready although the program of site {silent[0]} had not said idle" if silent else ""
        yield Breach(text, event, (load.event,)) if silent else None


def _step(event: Event) -> tuple[object, object]:
    return event.fields.get("from"), event.fields.get("to")


def _ends_are_told(facts: Facts) -> Iterator[Case]:
    """A control whose program ends badly, unasked, announces an error."""
    bad = [e for e in facts.of_kind("exit") if e.fields.get("exit_code") != 0 and not e.fields.get("wanted")]
    if not bad:
        return
    struck = {strike.topic for strike in facts.strikes}
    errors = [heard for heard in facts.heard("Control/status") if _state_of(heard) == "error"]
    for event in bad:
        site = event.actor.removeprefix("program")
        due_ns = event.t_ns + int(IN_FLIGHT_S * NS_PER_S)
        control = [e for e in facts.of_kind("state") if e.actor == f"control{site}" and e.seq < event.seq]
        if not control or _step(control[-1])[1] != "busy" or facts.end_ns < due_ns:
            continue
        if facts.broker_was_down(event.t_ns, due_ns):
            continue
        topic = facts.topics.control_status(site)
        if topic in struck or any(
            e.site == site and event.seq < e.event.seq and e.event.t_ns <= due_ns for e in errors
        ):
            yield None
        else:
            yield Breach(f"the program of site {site} ended badly and its control did not announce it", event)


def _state_of(heard: Heard) -> object:
    payload = (heard.content or {}).get("payload")
    return payload.get("state") if isinstance(payload, dict) else None


PROGRAM_ORACLES = (
    Oracle(
        "controls tell of bad ends",
        "A control whose program ends with an exit code or by a signal, unasked, announces an error.",
        cases(
            _ends_are_told,
            held="{count} bad ends were announced by their controls",
            unknown="no program ended badly unasked",
        ),
        "a program ended badly while its control was busy",
    ),
    Oracle(
        "ready means idle",
        "When loading is over and the master is ready, every program has said that it is idle.",
        cases(
            _ready_means_idle,
            held="{count} times the master was ready all programs were",
            unknown="the master was never ready",
        ),
        "loading came to an end",
    ),
    Oracle(
        "programs end well",
        "Every test program that ends, ends with exit code 0 unless somebody killed it.",
        cases(_end_well, held="{count} programs ended as they should", unknown="no program ended"),
        "a program ended",
    ),
    Oracle(
        "the dead are silent",
        "Nothing is said in the name of a program before it was started or after it ended, but for its last will.",
        cases(
            _dead_are_silent,
            held="{count} messages of programs came while they lived",
            unknown="no program that was started said anything",
        ),
        "a started program sent a message",
    ),
    Oracle(
        "nothing is left behind",
        "No program and no connection of one outlives its lot, and none is started beside its predecessor.",
        cases(
            _nothing_left,
            held="{count} starts and unloadings found nothing left of what was before",
            unknown="no program was started",
        ),
        "a program was started",
    ),
    Oracle(
        "lost programs are announced",
        "When a program goes without DISCONNECT, the broker publishes its last will at once, which says crash.",
        cases(
            _lost_are_announced,
            held="{count} lost programs were announced by their last will",
            unknown="no program was lost",
        ),
        "the connection of a program ended without DISCONNECT",
    ),
)
