"""From recordings to a scene: messages of dialect ``semi-ate``, answers of instruments, STDF records. Pure.

Rules
- A recording is read twice: first whose cell it is, then what happened. Of several lots one is taken.
- Only the messages say what happened; marks of our own journals (``fault``) say it for certain where there are any.
- What is concluded and not told is a deed with a reason, or a remark.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from drycell.runtime.protocol.messages import OPTION_NAMES, OPTION_OFF
from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.errors import DrycellError
from drycell.sim.faults.select import content_of, kind_of, state_in
from drycell.sim.kernel import NS_PER_S
from drycell.sim.replay.anchors import Anchors
from drycell.sim.replay.parts import parts_of, touchdowns_of_records
from drycell.sim.replay.questions import Questions
from drycell.sim.replay.quirk_signs import QuirkSigns
from drycell.sim.replay.recording import Entry, Gap, Recording
from drycell.sim.replay.scene import Contact, Deed, Json, Scene, Service, Touchdown

ROLES = ("TestApp", "Control", "Master")
FAULTS_IN_THE_ANSWERS = frozenset(
    {"device_changes", "double_feed", "contact_failure", "wrong_answer", "drift", "noise", "stuck"}
)
"""Faults that need not be done again: what they did stands in the recorded answers."""


def recognise(recordings: Sequence[Recording], *, device: str | None = None, lot: str | None = None) -> Scene:
    """The scene of one lot. ``device``, ``lot``: which, when there are several; else the busiest, and the first.

    Raises DrycellError when there is nothing in it that could be replayed.
    """
    cells, handlers = Counter[str](), Counter[str]()
    for recording in recordings:
        _count_cells(recording, cells, handlers)
    scene: Scene | None = None
    records: list[Json] = []
    for recording in recordings:
        if any(entry.kind == "publish" and entry.topic.startswith("ate/") for entry in recording):
            if scene is not None:
                raise DrycellError("two recordings hold messages of a cell; import them one by one")
            scene = _of_messages(recording, _chosen(cells, device), handlers, lot)
        else:
            records += [
                {**entry.detail, "type": entry.topic, "single": True} for entry in recording if entry.kind == "record"
            ]
    if scene is None:
        scene = Scene(device or "recorded")
        scene.remark("only STDF records were there: the cell around the devices is guessed")
    if records:
        _add_records(scene, records)
    if not scene.touchdowns:
        raise DrycellError("no touchdown was recorded: there is neither a command next nor a result of a device")
    return scene


def _count_cells(recording: Recording, cells: Counter[str], handlers: Counter[str]) -> None:
    for entry in recording:
        levels = entry.topic.split("/")
        if entry.kind != "publish" or levels[0] != "ate" or len(levels) < 4:
            continue
        if levels[2] == "TestApp" and levels[3] == "stdf":
            raise DrycellError("the programs speak dialect specification; only dialect semi-ate can be imported")
        if levels[2] in ROLES:
            cells[levels[1]] += 1
        elif levels[2:] == ["Handler", "status"]:
            handlers[levels[1]] += 1


def _chosen(cells: Counter[str], device: str | None) -> str:
    if device is not None and device not in cells:
        raise DrycellError(f"no cell {device!r} was recorded; there are {', '.join(sorted(cells)) or 'none'}")
    if not cells:
        raise DrycellError("no message of a test cell was recorded (topics ate/<device>/TestApp, Control, Master)")
    return device or max(cells, key=lambda name: (cells[name], name))


def _of_messages(recording: Recording, device: str, handlers: Counter[str], lot: str | None) -> Scene:
    handler = max(handlers, key=lambda name: (handlers[name], name)) if handlers else "handler"
    scene = Scene(device, handler, measured=recording.format != "journal")
    watcher = _Watcher(scene, Topics(device, handler), lot)
    for item in recording.items():
        if isinstance(item, Gap):
            scene.remark(f"missing: {item.sentence()}")
        elif not watcher.take(item):
            break
    watcher.finish()
    return scene


class _Watcher:
    """Takes the entries of a recording in order."""

    def __init__(self, scene: Scene, topics: Topics, lot: str | None) -> None:
        self._scene, self._topics, self._lot = scene, topics, lot
        self._anchors = Anchors(topics)
        self._signs = QuirkSigns()
        self._questions = Questions()
        self._master = ""
        self._failed_ns: int | None = None
        self._master_gone_ns: int | None = None
        self._gone_where: Json = {}
        self._ready_ns: int | None = None
        self._sites: dict[int, None] = {}
        self._said_sites: set[int] = set()
        self._told = False
        self._level: tuple[int, Json] | None = None
        self._handler_asked: set[str] = set()
        self._has_handler = False
        self._first_of_load = False
        self._layout: list[Any] = []
        self._inputs: dict[str, float] = {}
        self._open: dict[str, int] = {}
        self._answered_ns: int | None = None
        self._crashed: dict[str, tuple[Json, int]] = {}
        self._last_of: dict[str, tuple[int, Json]] = {}
        self._last_idle: dict[str, int] = {}

    def take(self, entry: Entry) -> bool:
        """Whether the lot still goes on after ``entry``."""
        if entry.kind == "mark":
            self._marked(entry)
        elif entry.kind == "scpi":
            for site, question, answer in self._questions.take(entry):
                self._asked(site, question, answer, entry.topic)
        elif entry.kind == "publish":
            content = content_of(entry.payload)
            kind = kind_of(self._topics, entry.topic)
            if kind == "handler-command" and content.get("type") == "load" and not self._is_ours(content):
                return False
            self._hear(entry, kind, content)
            self._anchors.hear(entry.t_ns, entry.topic, content)
            if "/TestApp/" in entry.topic:
                self._last_of[site_of(entry.topic)] = (entry.t_ns, self._anchors.trigger())
        return True

    def _is_ours(self, content: Json) -> bool:
        """Whether the lot to be loaded is the one that is taken; what came before another one is forgotten."""
        scene, name = self._scene, str((content.get("payload") or {}).get("lot_number", ""))
        if scene.lot is None or (scene.lot != self._lot and name == self._lot):
            if scene.lot is not None:
                scene.touchdowns.clear()
                scene.deeds.clear()
                self._anchors = Anchors(self._topics)
            scene.lot = name
            scene.part_type = str((content.get("payload") or {}).get("devicetype") or "") or None
            return True
        if name != scene.lot:
            scene.remark(f"lot {name} was loaded, too; import it with --lot {name}")
            return self._lot is not None and scene.lot != self._lot
        return True

    def _hear(self, entry: Entry, kind: str, content: Json) -> None:
        site = site_of(entry.topic)
        if site.isdecimal() and kind:
            self._said_sites.add(int(site))
        self._signs.hear(kind, site, entry, content)
        listener = self._listeners.get(kind)
        if listener is None:
            return
        try:
            listener(self, entry, site, content)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._scene.remark(f"a message on {entry.topic} was not of the agreed form and is left out")

    # what is told ------------------------------------------------------------------------------------------------

    def _marked(self, entry: Entry) -> None:
        fault = entry.detail.get("fault")
        if isinstance(fault, str):
            self._told = True
            given = {key: value for key, value in entry.detail.items() if key not in ("fault", "step", "event")}
            given = {key.removesuffix("_") if key.endswith("_") else key: value for key, value in given.items()}
            if fault not in FAULTS_IN_THE_ANSWERS:
                self._deed(entry.t_ns, {fault: given})

    def _deed(self, t_ns: int, do: Json, why: str = "") -> None:
        trigger = self._anchors.trigger()
        delay_ns = t_ns - self._anchors.last_ns
        self._scene.deeds.append(Deed(trigger, do, delay_ns, why))

    def _operator(self, t_ns: int, action: Any) -> None:
        self._deed(t_ns, {"operator": action})

    # messages ----------------------------------------------------------------------------------------------------

    def _handler_command(self, entry: Entry, site: str, content: Json) -> None:
        name = str(content.get("type"))
        payload = content.get("payload") or {}
        self._has_handler = True
        self._handler_asked.add(name)
        if name == "site-layout":
            self._layout = payload.get("sites") or []
        elif name == "next":
            self._contact(entry.t_ns, payload.get("sites") or [])

    def _contact(self, t_ns: int, infos: Sequence[Json]) -> None:
        scene = self._scene
        contacts = {
            int(info["siteid"]): Contact(int(info["siteid"]), str(info.get("partid")), inputs=dict(self._inputs))
            for info in infos
            if isinstance(info, dict) and str(info.get("siteid")).isdecimal()
        }
        if self._answered_ns is not None:
            pause_ns, self._answered_ns = t_ns - self._answered_ns, None
            scene.index_ns.append(pause_ns)
        elif self._ready_ns is not None:
            scene.first_index_ns.append(t_ns - self._ready_ns)
        self._ready_ns = None
        scene.touchdowns.append(Touchdown(t_ns, contacts, first_of_load=self._first_of_load))
        self._first_of_load = False

    def _program_command(self, entry: Entry, site: str, content: Json) -> None:
        name = content.get("command")
        self._flush_level(name)
        if name == "next":
            self._next(entry, content)
        elif name == "setloglevel":
            self._level = (int(content.get("level", 30)), {**self._where(entry.t_ns)})
        elif name == "getexecutionstrategy":
            self._layout = self._layout or content.get("layout") or []
        elif name == "sethbin":
            self._operator(entry.t_ns, {"bin": {"soft": int(content["sbin"]), "hard": int(content["hbin"])}})
        elif name == "setparameter":
            for parameter in content.get("parameters") or ():
                given, value = str(parameter["parametername"]), float(parameter["value"])
                self._inputs[given] = value
                self._operator(entry.t_ns, {"parameter": {"name": given, "value": value}})
        elif name == "terminate" and "unload" not in self._handler_asked and self._has_handler:
            self._operator(entry.t_ns, "unload")
        elif name == "reset":
            self._reset(entry.t_ns)

    def _where(self, t_ns: int) -> Json:
        return {"trigger": self._anchors.trigger(), "delay_ns": t_ns - self._anchors.last_ns}

    def _flush_level(self, following: object) -> None:
        """A log level right before ``getexecutionstrategy`` is the master's own; any other is the operator's."""
        if self._level is None:
            return
        (level, where), self._level = self._level, None
        if following == "getexecutionstrategy":
            if self._scene.loglevel not in (None, level):
                self._scene.remark(f"the master's log level changed to {level} between two loads")
            self._scene.loglevel = level
        else:
            self._scene.deeds.append(Deed(do={"operator": {"loglevel": level}}, **where))

    def _next(self, entry: Entry, content: Json) -> None:
        data = content.get("job_data") or {}
        infos = data.get("sites_info") or []
        scene = self._scene
        if "next" not in self._handler_asked:
            if self._has_handler:
                self._operator(entry.t_ns, "next")
                return
            self._contact(entry.t_ns, infos)
        self._handler_asked.discard("next")
        if scene.touchdowns:
            asked = {name: data[name] for name in OPTION_NAMES if isinstance(data.get(name), dict)}
            scene.touchdowns[-1].options = {**dict.fromkeys(OPTION_NAMES, OPTION_OFF), **asked}

    def _reset(self, t_ns: int) -> None:
        if self._failed_ns is not None:
            self._scene.resets_after_ns.append(t_ns - self._failed_ns)
        self._failed_ns = None
        self._inputs.clear()

    def _control_command(self, entry: Entry, site: str, content: Json) -> None:
        self._sites |= dict.fromkeys(int(name) for name in content.get("sites") or () if str(name).isdecimal())
        if content.get("command") != "loadTest":
            return
        parameters = content.get("testapp_params") or {}
        self._scene.script = f"{parameters.get('cwd', '.')}/{parameters.get('testapp_script_path', '')}"
        self._first_of_load = True
        self._inputs.clear()
        if self._has_handler and "load" not in self._handler_asked:
            self._operator(entry.t_ns, "load")
        self._handler_asked -= {"load", "unload"}

    def _master_status(self, entry: Entry, site: str, content: Json) -> None:
        state, before = state_in(content), self._master
        self._master = state
        if state == "ready":
            self._ready_ns = entry.t_ns
        elif state == "softerror" and before != "softerror":
            self._failed_ns = entry.t_ns
            self._answered_ns = None
        elif state == "crash":
            self._master_gone_ns = entry.t_ns
            self._gone_where = self._where(entry.t_ns)
        elif state == "connecting" and self._master_gone_ns is not None:
            down_s = (entry.t_ns - self._master_gone_ns) / NS_PER_S
            if not self._told:
                why = "the master's last will came, and it connected again"
                self._scene.deeds.append(Deed(do={"master_restart": {"down": down_s}}, why=why, **self._gone_where))
            self._master_gone_ns = None

    def _handler_status(self, entry: Entry, site: str, content: Json) -> None:
        if state_in(content) == "error" and self._master == "softerror":
            self._failed_ns = entry.t_ns

    def _master_response(self, entry: Entry, site: str, content: Json) -> None:
        if content.get("type") == "next" and self._scene.touchdowns:
            self._scene.touchdowns[-1].answered = True
            self._answered_ns = entry.t_ns

    def _status(self, entry: Entry, site: str, content: Json) -> None:
        state = state_in(content)
        if state == "idle":
            self._last_idle[site] = entry.t_ns
        if state == "crash":
            last_ns, trigger = self._last_of.get(site, (self._anchors.last_ns, self._anchors.trigger()))
            self._crashed[site] = (trigger, entry.t_ns - last_ns)
            return
        if site in self._crashed:
            self._ended(site, {"cut": int(site)}, "the program's last will came, and it connected again")

    def _control_status(self, entry: Entry, site: str, content: Json) -> None:
        if state_in(content) in ("error", "idle") and site in self._crashed:
            self._ended(
                site, {"kill": {"site": int(site)}}, "the program's last will came, and its control missed it"
            )

    def _ended(self, site: str, do: Json, why: str) -> None:
        trigger, delay_ns = self._crashed.pop(site)
        if not self._told and self._scene.measured:
            self._scene.deeds.append(Deed(trigger, do, delay_ns, why))

    def _result(self, entry: Entry, site: str, content: Json) -> None:
        payload = content.get("payload")
        found = parts_of(payload) if isinstance(payload, list) else []
        for part in found:
            contact = self._contact_of(site, part.part)
            if contact is not None:
                contact.records = part.records
            self._signs.result(part.records, entry.t_ns)
        idle_ns = self._last_idle.get(site)
        late_ns = 0 if idle_ns is None else entry.t_ns - idle_ns
        if late_ns > 2 * NS_PER_S and self._scene.measured and not self._told and site.isdecimal():
            do = {"delay": {"message": "testresult", "site": int(site), "by": late_ns / NS_PER_S}}
            count = len(self._scene.touchdowns)
            self._scene.deeds.append(Deed({"touchdown": count}, do, why="the result came that late after idle"))

    def _contact_of(self, site: str, part: str) -> Contact | None:
        for touchdown in reversed(self._scene.touchdowns):
            contact = touchdown.contacts.get(int(site)) if site.isdecimal() else None
            if contact is not None and contact.part == part:
                return contact
        return None

    def _asked(self, site: str, question: str, answer: str, instrument: str) -> None:
        if instrument not in self._scene.instruments:
            self._scene.instruments.append(instrument)
        now = self._scene.touchdowns[-1].contacts if self._scene.touchdowns else {}
        contact = now.get(int(site)) if site.isdecimal() else (next(iter(now.values())) if len(now) == 1 else None)
        if contact is not None:
            contact.asked.setdefault(question, []).append(answer)

    def _peripheral_request(self, entry: Entry, site: str, content: Json) -> None:
        kind = entry.topic.split("/")[2]
        if kind in self._open:
            self._scene.services.setdefault(kind, Service()).unanswered += 1
        self._open[kind] = entry.t_ns

    def _peripheral_response(self, entry: Entry, site: str, content: Json) -> None:
        kind = entry.topic.split("/")[2]
        asked_ns = self._open.pop(kind, None)
        if asked_ns is not None:
            service = self._scene.services.setdefault(kind, Service())
            service.latencies_ns.append(entry.t_ns - asked_ns)
            service.results.append(content.get("result"))

    _listeners: Mapping[str, Callable[["_Watcher", Entry, str, Json], None]] = {
        "handler-command": _handler_command,
        "program-command": _program_command,
        "control-command": _control_command,
        "master-status": _master_status,
        "handler-status": _handler_status,
        "master-response": _master_response,
        "status": _status,
        "control-status": _control_status,
        "testresult": _result,
        "peripheral-request": _peripheral_request,
        "peripheral-response": _peripheral_response,
    }

    # the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """What is known only when everything was heard."""
        scene = self._scene
        self._flush_level(None)
        scene.sites = list(self._sites or dict.fromkeys(sorted(self._said_sites)) or [0])
        places = [tuple(place) for place in self._layout if isinstance(place, list) and len(place) == 2]
        if len(places) == len(scene.sites):
            scene.layout = dict(zip(scene.sites, places, strict=True))
        for site in list(self._crashed):
            if scene.touchdowns and self._master not in ("crash", "initialized"):
                self._ended(site, {"kill": {"site": int(site)}}, "the program's last will came")
        for kind in self._open:
            scene.services.setdefault(kind, Service()).unanswered += 1
        if not self._has_handler:
            scene.remark("no handler was heard: the simulated one stands in, with an index time that is guessed")
            for touchdown in scene.touchdowns:
                touchdown.answered = any(contact.records for contact in touchdown.contacts.values())
        scene.quirks = self._signs.found()


def _add_records(scene: Scene, records: Iterable[Json]) -> None:
    """Results from an STDF file: for contacts whose result was not heard, or as the only touchdowns."""
    records = list(records)
    for record in records:
        if record["type"] == "MIR":
            scene.lot = scene.lot or record.get("LOT_ID") or None
            scene.part_type = record.get("PART_TYP") or scene.part_type
    touchdowns = touchdowns_of_records(records)
    if not scene.touchdowns:
        for parts in touchdowns:
            contacts = {part.site: Contact(part.site, part.part, part.records) for part in parts}
            scene.touchdowns.append(Touchdown(0, contacts, answered=True))
        scene.sites = sorted({site for touchdown in scene.touchdowns for site in touchdown.contacts})
        return
    told: dict[tuple[int, str], list[list[Json]]] = {}
    for part in (part for parts in touchdowns for part in parts):
        told.setdefault((part.site, part.part), []).append(part.records)
    for touchdown in scene.touchdowns:
        for contact in touchdown.contacts.values():
            left = told.get((contact.site, contact.part))
            found = left.pop(0) if left else None
            if contact.records is None:
                contact.records = found
