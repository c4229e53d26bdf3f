"""What a cell looks like after an event: states, links, contacts, who waits for what, who said what last. Pure.

Everything derives from the journal, event by event, so a picture of any instant can be had without a live cell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from drycell.runtime.protocol.topics import site_of
from drycell.sim.kernel import Event
from drycell.sim.report.lanes import lane_of, program_lane

Json = dict[str, Any]


@dataclass(slots=True)
class Picture:
    """``states``: lane -> state; ``links``: lanes on the broker; ``touching``: site -> part; ``waiting``: what is
    waited for -> from whom, in the order of asking; ``last``: lane -> number of its last message or answer."""

    seq: int = 0
    t_ns: int = 0
    states: dict[str, str] = field(default_factory=dict)
    links: dict[str, bool] = field(default_factory=dict)
    touching: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, dict[str, None]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Picture":
        """One that does not change with this one."""
        waiting = {what: dict(whom) for what, whom in self.waiting.items()}
        return Picture(
            self.seq, self.t_ns, dict(self.states), dict(self.links), dict(self.touching), waiting, dict(self.last)
        )

    def take(self, event: Event) -> None:
        """The next event."""
        self.seq, self.t_ns = event.seq, event.t_ns
        change = _CHANGES.get(event.kind)
        if change is not None:
            change(self, event)

    def to_json(self) -> Json:
        """For programs; what nobody waits for is left out."""
        return {
            "seq": self.seq,
            "t_ns": self.t_ns,
            "states": dict(self.states),
            "links": dict(self.links),
            "touching": dict(self.touching),
            "waiting": {what: list(whom) for what, whom in self.waiting.items() if whom},
            "last": dict(self.last),
        }

    # changes, by the kind of event ---------------------------------------------------------------------------------

    def _state(self, event: Event) -> None:
        self.states[lane_of(event.actor)] = str(event.fields["to"])

    def _connect(self, event: Event) -> None:
        self.links[lane_of(event.actor)] = True

    def _disconnect(self, event: Event) -> None:
        self.links[lane_of(event.actor)] = False

    def _contact(self, event: Event) -> None:
        self.touching = {entry["site"]: entry["part"] for entry in event.fields["sites"]}

    def _exit(self, event: Event) -> None:
        lane = lane_of(event.actor)
        self.states[lane] = "ended"
        for whom in self.waiting.values():
            whom.pop(lane, None)

    def _ask(self, event: Event) -> None:
        self.last[event.actor] = event.seq

    def _message(self, event: Event) -> None:
        self.last[lane_of(event.actor)] = event.seq
        levels = event.fields["topic"].split("/")
        change = next((change for key, change in _MESSAGES.items() if key in event.fields["topic"]), None)
        if change is not None and len(levels) > 3:
            change(self, event, levels, site_of(event.fields["topic"]))

    def _status(self, event: Event, levels: list[str], site: str) -> None:
        state = _content(event).get("state")
        lane = program_lane(site)
        if isinstance(state, str):
            self.states[lane] = state
            self._answered("start", lane)
            self._answered("testing", lane)
            if state in ("crash", "error", "terminated"):
                self._answered("result", lane)

    def _result(self, event: Event, levels: list[str], site: str) -> None:
        self._answered("result", program_lane(site))

    def _command(self, event: Event, levels: list[str], site: str) -> None:
        content = _content(event)
        lanes = [program_lane(str(name)) for name in content.get("sites") or ()]
        if content.get("command") == "next":
            self.waiting["testing"] = dict.fromkeys(lanes)
            self.waiting["result"] = dict.fromkeys(lanes)
        elif content.get("command") == "reset":
            self.waiting.clear()

    def _load(self, event: Event, levels: list[str], site: str) -> None:
        if _content(event).get("command") == "loadTest":
            self.waiting["start"] = dict.fromkeys(program_lane(str(s)) for s in _content(event).get("sites") or ())

    def _request(self, event: Event, levels: list[str], site: str) -> None:
        kind = _content(event).get("periphery_type") if site else levels[2]
        self.waiting.setdefault(f"answer of {kind}", {})[lane_of(event.actor)] = None

    def _response(self, event: Event, levels: list[str], site: str) -> None:
        kind = levels[3] if levels[2] == "Master" else levels[2]
        waiting = self.waiting.get(f"answer of {kind}", {})
        answered = [lane for lane in waiting if (lane == "master") == (levels[2] != "Master")]
        for lane in answered:
            del waiting[lane]

    def _answered(self, what: str, lane: str) -> None:
        self.waiting.get(what, {}).pop(lane, None)


def _content(event: Event) -> Json:
    try:
        content = orjson.loads(event.fields.get("payload", "{}"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


_CHANGES: Mapping[str, Callable[[Picture, Event], None]] = {
    "state": Picture._state,
    "connect": Picture._connect,
    "disconnect": Picture._disconnect,
    "contact": Picture._contact,
    "exit": Picture._exit,
    "ask": Picture._ask,
    "message": Picture._message,
}
_MESSAGES: Mapping[str, Callable[[Picture, Event, list[str], str], None]] = {
    "/TestApp/status/": Picture._status,
    "/TestApp/testresult/": Picture._result,
    "/TestApp/cmd": Picture._command,
    "/Control/cmd": Picture._load,
    "/request": Picture._request,
    "/response": Picture._response,
}
