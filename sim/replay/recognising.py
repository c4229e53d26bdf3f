"""From recordings to a scene: messages of dialect ``semi-ate``, answers of instruments, STDF records. Pure.

Rules
- A recording is read twice: first whose cell it is, then what happened. Of several lots one is taken.
- Only the messages say what happened; marks of our own journals (``fault``) say it for certain where there are any.
- What is concluded and not told is a deed with a reason, or a remark.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.errors import DrycellError
from drycell.sim.faults.select import content_of, kind_of
from drycell.sim.hooks import registry
from drycell.sim.replay.anchors import Anchors
from drycell.sim.replay.commands import Commands
from drycell.sim.replay.endings import Endings
from drycell.sim.replay.ground import Ground
from drycell.sim.replay.parts import Part, parts_of, touchdowns_of_records
from drycell.sim.replay.quirk_signs import QuirkSigns
from drycell.sim.replay.recording import Entry, Gap, GapList, Recording
from drycell.sim.replay.scene import Contact, Json, Scene, Touchdown
from drycell.sim.replay.services import Services

GAPS_TOLD = 20
"""So many gaps a scenario tells one by one; the others by reason."""
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
    if not scene.touchdowns and scene.sites:
        scene.remark("no touchdown was recorded: one device stands for the lot, and answers nothing")
        scene.touchdowns.append(Touchdown({scene.sites[0]: Contact(scene.sites[0], "1")}))
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
    missing = GapList(GAPS_TOLD)
    for item in recording.items():
        if isinstance(item, Gap):
            missing.add(item)
        elif not watcher.take(item):
            break
    watcher.finish()
    for gap in missing.told():
        scene.remark(f"missing: {gap.sentence()}")
    return scene


class _Watcher:
    """Takes the entries of a recording in order, and lets those listen who make something of them."""

    def __init__(self, scene: Scene, topics: Topics, lot: str | None) -> None:
        self._scene, self._topics, self._lot = scene, topics, lot
        self._ground = Ground(scene, topics, Anchors(topics))
        self._signs = QuirkSigns()
        self._commands = Commands(self._ground)
        self._endings = Endings(self._ground)
        self._services = Services(self._ground)
        self._sites: set[int] = set()
        self._misnamed = False

    def take(self, entry: Entry) -> bool:
        """Whether the lot still goes on after ``entry``."""
        goes_on = self._take(entry)
        self._ground.before_ns = entry.t_ns
        return goes_on

    def _take(self, entry: Entry) -> bool:
        if entry.kind == "mark":
            self._marked(entry)
        elif entry.kind == "scpi":
            self._services.measured(entry)
        elif entry.kind == "publish":
            content, kind = content_of(entry.payload), kind_of(self._topics, entry.topic)
            if kind == "handler-command" and content.get("type") == "load" and not self._is_ours(content):
                return False
            if kind:
                self._hear(entry, kind, content)
        return True

    def _is_ours(self, content: Json) -> bool:
        """Whether the lot to be loaded is the one that is taken; what came before another one is forgotten."""
        scene, payload = self._scene, content.get("payload") or {}
        name = str(payload.get("lot_number", ""))
        if self._misnamed:
            self._misnamed = False
            return True
        if scene.lot is None or (scene.lot != self._lot and name == self._lot):
            if scene.lot is not None:
                scene.forget()
                self._commands.forget()
                self._services.forget()
                self._ground.anchors = Anchors(self._topics)
            scene.lot, scene.part_type = name, str(payload.get("devicetype") or "") or None
            return True
        if name != scene.lot:
            scene.remark(f"lot {name} was loaded, too; import it with --lot {name}")
            return self._lot is not None and scene.lot != self._lot
        return True

    def _hear(self, entry: Entry, kind: str, content: Json) -> None:
        site = site_of(entry.topic)
        if site.isdecimal():
            self._sites.add(int(site))
        try:
            self._signs.hear(kind, site, entry, content)
            self._endings.hear(kind, entry, site, content)
            self._commands.hear(kind, entry, content)
            self._services.hear(kind, entry, content)
            if kind == "testresult":
                self._result(entry, site, content)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._scene.remark(f"a message on {entry.topic} was not of the agreed form and is left out")
        self._ground.anchors.hear(entry.t_ns, entry.topic, content)
        self._endings.heard(entry, site)

    def _marked(self, entry: Entry) -> None:
        """Our own journals say what was done; a name that another key has ends with ``_`` there."""
        fault = entry.detail.get("fault")
        if not isinstance(fault, str):
            return
        self._ground.told = True
        about = ("fault", "step", "event", "run_seed")
        given = {key.rstrip("_"): value for key, value in entry.detail.items() if key not in about}
        self._scene.seed, self._misnamed = entry.detail.get("run_seed"), fault == "wrong_lot" or self._misnamed
        if fault == "kill":
            given["site"] = int(given["site"])
        if fault not in FAULTS_IN_THE_ANSWERS:
            draws = fault in (known := registry().faults) and known[fault].draws
            drawn_as = entry.detail.get("step") if draws else None
            self._ground.did({fault: given}, self._ground.instant(entry.t_ns), drawn_as=drawn_as)

    def _result(self, entry: Entry, site: str, content: Json) -> None:
        for part in parts_of(content["payload"]):
            self._signs.result(part.records, entry.t_ns)
            contacts = (touchdown.contacts.get(int(site)) for touchdown in reversed(self._scene.touchdowns))
            contact = next((one for one in contacts if one is not None and one.part == part.part), None)
            if contact is not None:
                contact.records = part.records

    def finish(self) -> None:
        """What is known only when everything was heard."""
        scene = self._scene
        self._commands.finish(list(self._sites))
        scene.left_alone_ns = self._ground.before_ns if self._endings.in_soft_error else 0
        self._endings.finish()
        self._services.finish()
        if not self._ground.has_handler:
            scene.remark("no handler was heard: the simulated one stands in")
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
            contacts = {part.site: Contact(part.site, part.part, part.records, wafer=part.wafer) for part in parts}
            scene.touchdowns.append(Touchdown(contacts, answered=True))
        scene.sites = sorted({site for touchdown in scene.touchdowns for site in touchdown.contacts})
        return
    every = [contact for touchdown in scene.touchdowns for contact in touchdown.contacts.values()]
    _match(every, [part for parts in touchdowns for part in parts])


def _match(contacts: Sequence[Contact], parts: Iterable[Part]) -> None:
    """Each of ``parts`` belongs to a contact with a result, or to one whose result was lost if there are so many."""
    told: dict[tuple[int, str], list[Part]] = {}
    for part in parts:
        told.setdefault((part.site, part.part), []).append(part)
    heard = Counter((contact.site, contact.part) for contact in contacts if contact.records is not None)
    for contact in contacts:
        which = contact.site, contact.part
        left = told.get(which, [])
        if contact.records is not None:
            heard[which] -= 1
        elif len(left) <= heard[which]:
            continue
        if left:
            found = left.pop(0)
            contact.wafer = found.wafer
            contact.records = found.records if contact.records is None else contact.records
