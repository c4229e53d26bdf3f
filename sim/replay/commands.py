"""Commands of handler, operator and master: lots, touchdowns, options, log levels, bins, inputs. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from drycell.runtime.protocol.messages import OPTION_NAMES, OPTION_OFF
from drycell.sim.faults.select import state_in
from drycell.sim.replay.ground import Ground, Instant
from drycell.sim.replay.recording import Entry
from drycell.sim.replay.scene import Contact, Json, Pause, Touchdown


class Commands:
    """What was commanded becomes touchdowns and deeds; what the handler did not ask for, the operator did."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._scene = ground.scene
        self._asked: set[str] = set()
        self._first_of_load = self._load_sent = False
        self._level: tuple[int, Instant] | None = None
        self._inputs: dict[str, float] = {}
        self._ready: tuple[int, int] | None = None
        self._initialized_ns: int | None = None
        self._readies = 0
        self._sites: dict[int, None] = {}
        self._layout: list[Any] = []

    def hear(self, kind: str, entry: Entry, content: Json) -> None:
        """The next message. Raises ValueError, KeyError or TypeError for one that is not of the agreed form."""
        listener = _LISTENERS.get(kind)
        if listener is not None:
            listener(self, entry, content)

    def forget(self) -> None:
        """What was counted until now was of another lot."""
        self._readies, self._ready = 0, None

    def finish(self, heard_sites: Sequence[int]) -> None:
        """Sites in the order of the master, else those that were heard; their places on the load board."""
        self._end_level(None)
        sites = list(self._sites) or sorted(heard_sites) or [0]
        places = [tuple(place) for place in self._layout if isinstance(place, list) and len(place) == 2]
        self._scene.sites = sites
        if len(places) == len(sites):
            self._scene.layout = dict(zip(sites, places, strict=True))

    def _of_handler(self, entry: Entry, content: Json) -> None:
        name, payload = str(content.get("type")), content.get("payload") or {}
        self._ground.has_handler = True
        self._asked.add(name)
        if name == "site-layout":
            self._layout = payload.get("sites") or []
        elif name == "load" and self._initialized_ns is not None:
            self._scene.load_pauses_ns.append(entry.t_ns - self._initialized_ns)
        elif name == "next":
            self._contact(entry.t_ns, payload.get("sites") or [])

    def _handler_says(self, entry: Entry, content: Json) -> None:
        self._initialized_ns = entry.t_ns if state_in(content) == "initialized" else None

    def _contact(self, t_ns: int, infos: Sequence[Json]) -> None:
        sites = {int(info["siteid"]): str(info.get("partid")) for info in infos if str(info["siteid"]).isdecimal()}
        contacts = {site: Contact(site, part, inputs=dict(self._inputs)) for site, part in sites.items()}
        if self._ready is not None:
            self._scene.pauses.append(Pause(*self._ready, t_ns))
            self._ready = None
        self._scene.touchdowns.append(Touchdown(contacts, first_of_load=self._first_of_load))
        self._deeds_of_the_contact(t_ns)
        self._first_of_load = False

    def _deeds_of_the_contact(self, t_ns: int) -> None:
        """What was done at the instant of the contact, but before ``next`` was heard, was done with the contact."""
        deeds, here = self._scene.deeds, {"touchdown": len(self._scene.touchdowns)}
        for index in range(len(deeds) - 1, -1, -1):
            if deeds[index].t_ns != t_ns or "touchdown" in deeds[index].trigger:
                return
            deeds[index] = replace(deeds[index], trigger=here, delay_ns=0)

    def _to_programs(self, entry: Entry, content: Json) -> None:
        name, now = content.get("command"), self._ground.instant(entry.t_ns)
        self._end_level(name)
        if name == "next":
            self._next(entry.t_ns, content.get("job_data") or {})
        elif name == "setloglevel":
            self._level = int(content["level"]), now
        elif name == "getexecutionstrategy":
            self._layout = self._layout or content.get("layout") or []
        elif name == "sethbin":
            self._ground.operator({"bin": {"soft": int(content["sbin"]), "hard": int(content["hbin"])}}, now)
        elif name == "setparameter":
            for parameter in content["parameters"]:
                given, value = str(parameter["parametername"]), float(parameter["value"])
                self._inputs[given] = value
                self._ground.operator({"parameter": {"name": given, "value": value}}, now)
        elif name == "terminate" and self._unasked("unload"):
            self._ground.operator("unload", now)
        elif name == "reset":
            self._inputs.clear()

    def _unasked(self, command: str) -> bool:
        return self._ground.has_handler and command not in self._asked

    def _end_level(self, following: object) -> None:
        """A log level right before ``getexecutionstrategy`` is the master's own; any other is the operator's."""
        if self._level is None:
            return
        (level, when), self._level = self._level, None
        if following != "getexecutionstrategy":
            self._ground.operator({"loglevel": level}, when)
            return
        if self._scene.loglevel not in (None, level):
            self._scene.remark(f"the master's log level changed to {level} between two loads")
        self._scene.loglevel = level

    def _next(self, t_ns: int, data: Json) -> None:
        if self._unasked("next"):
            self._ground.operator("next", self._ground.instant(t_ns))
            return
        if "next" not in self._asked:
            self._contact(t_ns, data.get("sites_info") or [])
        self._asked.discard("next")
        if self._scene.touchdowns:
            told = {name: data[name] for name in OPTION_NAMES if isinstance(data.get(name), dict)}
            self._scene.touchdowns[-1].options = {**dict.fromkeys(OPTION_NAMES, OPTION_OFF), **told}

    def _to_controls(self, entry: Entry, content: Json) -> None:
        self._sites |= dict.fromkeys(int(name) for name in content.get("sites") or () if str(name).isdecimal())
        if content.get("command") != "loadTest":
            return
        parameters = content["testapp_params"]
        self._scene.script = f"{parameters.get('cwd', '.')}/{parameters.get('testapp_script_path', '')}"
        self._first_of_load = self._load_sent = True
        self._inputs.clear()
        if self._unasked("load"):
            self._ground.operator("load", self._ground.instant(entry.t_ns))
        self._asked -= {"load", "unload"}

    def _of_master(self, entry: Entry, content: Json) -> None:
        if state_in(content) == "loading":
            if not self._load_sent and self._unasked("load"):
                self._ground.operator("load", self._ground.instant(entry.t_ns))
                self._asked.add("load")
        elif state_in(content) == "initialized":
            self._load_sent = False
            self._asked.discard("load")
        elif state_in(content) == "ready":
            self._readies += 1
            self._ready = self._readies, entry.t_ns
        elif self._ready is not None and state_in(content) not in ("testing", "unloading"):
            self._scene.pauses.append(Pause(*self._ready, entry.t_ns, cut_off=True))
            self._ready = None

    def _answered(self, entry: Entry, content: Json) -> None:
        if content.get("type") == "next" and self._scene.touchdowns:
            self._scene.touchdowns[-1].answered = True


_LISTENERS: Mapping[str, Callable[[Commands, Entry, Json], None]] = {
    "handler-command": Commands._of_handler,
    "handler-status": Commands._handler_says,
    "program-command": Commands._to_programs,
    "control-command": Commands._to_controls,
    "master-status": Commands._of_master,
    "master-response": Commands._answered,
}
