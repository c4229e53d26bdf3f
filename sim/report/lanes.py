"""Who is who in a journal: actors become lanes, topics become receivers.

Rules
- A site's program is one lane, whatever names its process, its MQTT client and its state machine have.
- Who hears a message follows from its topic (dialect ``semi-ate``, :mod:`drycell.runtime.protocol.topics`); the
  journal records senders only.
- Lanes are ordered as material flows: handler, master, controls, programs, TCC, instruments, and what is no peer.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from drycell.runtime.protocol.topics import site_of

HANDLER, MASTER, TCC, SCENARIO, STDF = "handler", "master", "tcc", "scenario", "STDF"
_PROGRAM = re.compile(r"(?:program|sequencer|testapp\..*\.)(\d+)")
_CONTROL = re.compile(r"control(\d+)")
_NOBODY = {"cell": SCENARIO, "timeline": SCENARIO, "operator": SCENARIO, "limits": SCENARIO}
_RANKS = {HANDLER: 0, MASTER: 1, "control": 2, "site": 3, TCC: 4, STDF: 6, SCENARIO: 7}
_INSTRUMENT_RANK = 5


def program_lane(site: str) -> str:
    """The lane of the test program of ``site``."""
    return f"site {site}"


def control_lane(site: str) -> str:
    """The lane of the control of ``site``."""
    return f"control {site}"


@lru_cache(maxsize=4096)
def lane_of(actor: str) -> str:
    """The lane of an actor; an actor that is nobody's process, such as an instrument, has a lane of its own."""
    match = _PROGRAM.fullmatch(actor)
    if match:
        return program_lane(match[1])
    match = _CONTROL.fullmatch(actor)
    if match:
        return control_lane(match[1])
    return _NOBODY.get(actor, actor)


def site_of_lane(lane: str) -> str:
    """The site of a program's or control's lane; empty for the others."""
    kind, _, site = lane.partition(" ")
    return site if kind in ("site", "control") else ""


def called(lane: str) -> str:
    """What a sentence calls a lane."""
    site = site_of_lane(lane)
    if lane.startswith("site ") and site:
        return f"the test program of site {site}"
    if lane.startswith("control ") and site:
        return f"the control of site {site}"
    return {TCC: "the test cell controller", SCENARIO: "the scenario"}.get(lane, f"the {lane}")


def in_order(lanes: Iterable[str]) -> list[str]:
    """Lanes from left to right."""
    return sorted(set(lanes), key=_place)


def _place(lane: str) -> tuple[int, int, str]:
    kind, _, number = lane.partition(" ")
    return _RANKS.get(kind, _INSTRUMENT_RANK), int(number) if number.isdecimal() else 0, lane


def receivers(topic: str, content: Mapping[str, Any] | None, sites: Iterable[str]) -> tuple[str, ...]:
    """The lanes that act on a message. ``content``: its JSON object, needed for commands; ``sites``: the cell's."""
    levels = topic.split("/")
    if len(levels) < 4 or levels[0] != "ate":
        return ()
    who, what = levels[2], levels[3]
    if what == "cmd" and who in ("TestApp", "Control"):
        named = (content or {}).get("sites")
        lane = program_lane if who == "TestApp" else control_lane
        chosen = [str(site) for site in named] if isinstance(named, list) else list(sites)
        return tuple(lane(site) for site in chosen)
    if who == "Master":
        return _from_master(levels, sites)
    if who in ("TestApp", "Control", "Handler"):
        return (MASTER,)
    if what == "io-control":
        return (TCC,) if levels[-1] == "request" else (MASTER,)
    return ()


def _from_master(levels: list[str], sites: Iterable[str]) -> tuple[str, ...]:
    if levels[3] == "cmd":
        return (MASTER,)
    if levels[3] in ("status", "response"):
        return (HANDLER,)
    return tuple(program_lane(site) for site in sites) if levels[-1] == "response" else ()


def needs_content(topic: str) -> bool:
    """Whether :func:`receivers` has to look into messages of this topic."""
    return topic.endswith("/cmd")


def site_in(topic: str) -> str:
    """The site that a topic names; empty when it names none."""
    return site_of(topic)
