"""Instants of a recording by what happened there: "the third time site 1 said idle". Pure.

A time on the clock means nothing in another run; an occurrence does. Log lines and repeated statuses of controls are
no anchors: how many there are depends on log levels and quirks; nor is what the operator did. From a contact until
the programs are told, the touchdown is the anchor, since steps that wait for it act before the programs are told.
"""

from collections import Counter
from typing import Any, get_args

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.faults.select import kind_of, state_in
from drycell.sim.scenario.timeline import ControlState, HandlerState, MasterCommand, MasterState, Said

Json = dict[str, Any]

_STATES = {
    "status": ("says", get_args(Said)),
    "control-status": ("control", get_args(ControlState)),
    "master-status": ("master", get_args(MasterState)),
    "handler-status": ("handler", get_args(HandlerState)),
}
_COMMANDS = ("program-command", "control-command")
_KINDS = ("testresult", "testsummary", "execution_strategy", "io-control")
_NEVER = ("log", "control-status")
_TOLD = ("setloglevel", "sethbin", "setparameter")


class Anchors:
    """Counts messages. ``last_ns`` and ``trigger()``: the last one that another run has as well."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._last: Json = {}
        self._touchdowns = 0
        self.last_ns = 0

    def hear(self, t_ns: int, topic: str, content: Json) -> None:
        """Take the next message."""
        kind = kind_of(self._topics, topic)
        named = self._named(kind, topic, content)
        self._seen[tuple(named.items())] += 1
        if not self._passes(kind, content):
            self._last = {**named, "nth": self._seen[tuple(named.items())]}
            self.last_ns = t_ns
        if kind == "handler-command" and content.get("type") == "next":
            self._touchdowns += 1
            self._last = {"touchdown": self._touchdowns}

    def _passes(self, kind: str, content: Json) -> bool:
        """Whether a message is no anchor here."""
        told = kind == "program-command" and content.get("command") in _TOLD
        return kind in _NEVER or told or ("touchdown" in self._last and kind == "handler-status")

    def trigger(self) -> Json:
        """The last anchor as ``when`` says it; empty before the first message."""
        nth = self._last.get("nth")
        return {key: value for key, value in self._last.items() if key != "nth" or nth != 1}

    def _named(self, kind: str, topic: str, content: Json) -> Json:
        site = site_of(topic)
        at = {"site": int(site)} if site.isdecimal() else {}
        if kind in _STATES:
            word, known = _STATES[kind]
            state = state_in(content)
            if state in known:
                return {word: state, **(at if word in ("says", "control") else {})}
        elif kind in _KINDS:
            return {"says": kind, **at}
        elif kind in _COMMANDS and content.get("command") in get_args(MasterCommand):
            return {"command": content["command"]}
        return {"topic": topic}
