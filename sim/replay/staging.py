"""From a scene to a scenario: the file a person reads, and the lot file beside it. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, median_low
from typing import Any

import orjson

from drycell.runtime.protocol.messages import OPTION_NAMES, OPTION_OFF
from drycell.sim.cell.program_model import ProgramModel
from drycell.sim.kernel import NS_PER_S
from drycell.sim.replay.answers import answers_of, heard, shared_questions
from drycell.sim.replay.lot_file import Answers, Row
from drycell.sim.replay.scene import Deed, Json, Scene, Service
from drycell.sim.scenario import Scenario, from_data
from drycell.sim.scenario.files import pretty

_QUICK_NS = 250_000_000
"""What is done so soon after an occurrence, on a real clock, is done with it."""
_JAM_NS = 5 * NS_PER_S
"""A handler that waits so much longer than usual is jammed."""
_LATE_NS = 2 * NS_PER_S
"""A peripheral that takes so much longer than usual is late."""
_MOST_ANSWERS = 1_000
_NOTES_TOLD = 200
"""A scenario file has its limits, and so has a reader."""
_OUTLASTS_NS = 1_000_000
"""So much longer than the trouble comes a handler is held that had not gone on until then."""
_USUAL_INDEX_NS = 300_000_000
_NO_WORD = re.compile(r"\W", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProgramChoice:
    """What the user says about the program; texts as the scenario file holds them."""

    definitions: str | None = None
    path: str | None = None
    python: str | None = None
    rung: str | None = None
    model: ProgramModel | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """``scenario``, the rows of its lot file, and ``notes``: what was guessed or is missing."""

    scenario: Scenario
    rows: Sequence[Row]
    notes: Sequence[str]

    def text(self, source: str) -> str:
        """The scenario file, with the notes on top."""
        lines = [f"# Made by drycell import from {source}.", *(f"# - {note}" for note in self.notes)]
        return "\n".join(line.replace("\r", " ") for line in lines) + "\n" + pretty(self.scenario)


def stage(scene: Scene, lot_file: str, program: ProgramChoice, folder: Path) -> Staged:
    """The scenario that plays ``scene`` again. ``lot_file``: how it names its lot file; ``folder``: its home."""
    notes = list(scene.remarks)
    rows = list(_rows(scene, program.model, notes))
    timeline = _timeline(scene, notes)
    data: Json = {
        "drycell": 1,
        "name": f"lot {scene.lot or 'unknown'} as recorded",
        "cell": _cell(scene, program.model, notes),
        "program": _program(scene, program, notes),
        "devices": _devices(scene, rows, lot_file),
        "instruments": _instruments(scene, program.model, notes),
        "timeline": timeline,
        **({"seed": scene.seed} if scene.seed is not None else {}),
        **({"limits": {"least_s": _s(scene.left_alone_ns)}} if scene.left_alone_ns else {}),
        **({"rung": program.rung} if program.rung else {}),
    }
    further = [f"and {len(notes) - _NOTES_TOLD} further notes"] if len(notes) > _NOTES_TOLD else []
    return Staged(from_data(data, folder=folder), rows, notes[:_NOTES_TOLD] + further)


def _cell(scene: Scene, model: ProgramModel | None, notes: list[str]) -> Json:
    peripherals = {kind: _peripheral(kind, service, scene, notes) for kind, service in sorted(scene.services.items())}
    for kind in sorted({test.peripheral.kind for test in (model.tests if model else ()) if test.peripheral}):
        if kind not in peripherals:
            notes.append(
                f"peripheral {kind}: nothing of it was recorded, but the program asks it; it answers at once"
            )
            peripherals[kind] = {"latency_s": 0.0}
    cell: Json = {
        "device_id": scene.device,
        "sites": scene.sites,
        "handler": {"id": scene.handler, "index_time_s": _index_s(scene)},
        "peripherals": {kind: entry for kind, entry in peripherals.items() if entry},
        "quirks": sorted(scene.quirks),
        **({"layout": scene.layout} if scene.layout else {}),
        **({"loglevel": scene.loglevel} if scene.loglevel is not None else {}),
    }
    if scene.resets_after_ns and _same(scene):
        cell["operator"] = {"resets": scene.resets, "reset_after_s": _s(scene.resets_after_ns[0])}
    notes += [f"quirk {name}: {why}" for name, why in scene.quirks.items() if why]
    if not all(scene.quirks.values()):
        notes.append("the other quirks come with these: they are of the same packages, and show only in trouble")
    return cell


def _same(scene: Scene) -> bool:
    """Whether every reset came after the same time, as far as a person can."""
    spread_ns = max(scene.resets_after_ns) - min(scene.resets_after_ns)
    return spread_ns <= (_QUICK_NS if scene.measured else 0)


def _index_s(scene: Scene) -> float:
    return _s(_usual_ns(scene), measured=scene.measured)


def _usual_ns(scene: Scene) -> int:
    """The usual pause; of an even number the shorter one, so that it is one that was. A simulated handler pauses as
    long before it loads, and has no other reason to; on a floor that is the operator's time."""
    loads_ns = [] if scene.measured else scene.load_pauses_ns
    pauses_ns = loads_ns or [pause.length_ns for pause in scene.pauses if not pause.cut_off]
    return median_low(pauses_ns) if pauses_ns else _USUAL_INDEX_NS


def _peripheral(kind: str, service: Service, scene: Scene, notes: list[str]) -> Json:
    if not service.results:
        notes.append(f"peripheral {kind} never answered, so it is left out")
        return {}
    texts = {number: orjson.dumps(result) for number, result in service.results.items()}
    usual, _ = Counter(texts.values()).most_common(1)[0]
    others = {number: service.results[number] for number, text in texts.items() if text != usual}
    if len(others) > _MOST_ANSWERS or not scene.measured:
        if others:
            notes.append(f"peripheral {kind} gave {len(others)} other answers; the most frequent one is used")
        others = {}
    latencies_ns = service.latencies_ns.values()
    if scene.measured:
        least, most = _s(min(latencies_ns)), _s(max(latencies_ns))
        notes.append(f"peripheral {kind}: latency is the median of {len(latencies_ns)}, {least} to {most} s")
    latency_s = _s(median(latencies_ns), measured=scene.measured)
    return {"latency_s": latency_s, "answer": orjson.loads(usual), **({"answers": others} if others else {})}


def _troubles(kind: str, service: Service, notes: list[str]) -> Iterator[Json]:
    """Steps, all from the beginning, for answers of a peripheral that came late or not at all on a floor. What comes
    late is counted first: a later step does not see the answers that an earlier one has taken away."""
    usual_ns = median(service.latencies_ns.values()) if service.latencies_ns else 0
    for number, latency_ns in service.latencies_ns.items():
        if latency_ns > usual_ns + _LATE_NS:
            notes.append(f"timeline: request {number} to peripheral {kind} was answered after {_s(latency_ns)} s")
            late = {"peripheral": kind, "nth": number, "by": _s(latency_ns - usual_ns, measured=True)}
            yield {"at": 0, "do": {"peripheral_late": late}}
    lost = [number for number in range(1, service.requests + 1) if number not in service.results]
    for gone, number in enumerate(lost if service.results else ()):
        notes.append(f"timeline: request {number} to peripheral {kind} was not answered")
        yield {"at": 0, "do": {"peripheral_silent": {"peripheral": kind, "nth": number - gone}}}


def _program(scene: Scene, program: ProgramChoice, notes: list[str]) -> Json:
    chosen = {"definitions": program.definitions, "path": program.path, "python": program.python}
    if program.definitions is None and program.path is None:
        chosen["path"] = scene.script
        notes.append("program: no program was named, this is where the floor had it; name yours, and its python")
    return {key: value for key, value in chosen.items() if value is not None}


def _devices(scene: Scene, rows: Sequence[Row], lot_file: str) -> Json:
    size = len({row.part for row in rows if row.part})
    part_type = {"part_type": scene.part_type} if scene.part_type else {}
    return {"lot": scene.lot or "unknown", "size": size, "model": "recorded", **part_type, "file": lot_file}


def _instruments(scene: Scene, model: ProgramModel | None, notes: list[str]) -> Json:
    names = list(scene.instruments)
    if not names:
        asked = {
            output.instrument for test in (model.tests if model else ()) for output in test.outputs if output.ask
        }
        names = sorted(name for name in asked if name) or ["meter"]
        if model is None:
            notes.append(
                "instruments: no question was recorded, so the columns of the lot file are named after the outputs; "
                "put the question that the program asks in their place, or name --definitions"
            )
    notes.append("instruments: how the program finds them is guessed from their names")
    return {name: {"model": "recorded", "variable": f"DRYCELL_{_NO_WORD.sub('_', name).upper()}"} for name in names}


def _rows(scene: Scene, model: ProgramModel | None, notes: list[str]) -> Any:
    """One row per contact. A touchdown that failed and came again is one planned touchdown with several contacts."""
    number, before = 0, None
    contacts = [contact for touchdown in scene.touchdowns for contact in touchdown.contacts.values()]
    shared = shared_questions([*(contact.asked for contact in contacts), *scene.asked_outside.values()])
    for site, asked in scene.asked_outside.items():
        yield Row(0, scene.sites[0] if site is None else site, "", heard(asked, shared))
    for touchdown in scene.touchdowns:
        again = before is not None and not before.answered
        parts = {contact.part for contact in touchdown.contacts.values()}
        if not again or before is None or not parts <= {contact.part for contact in before.contacts.values()}:
            if again:
                notes.append(f"touchdown {number} had no answer, and its devices did not come again at once")
            number += 1
        before = touchdown
        for contact in touchdown.contacts.values():
            answers: Answers = answers_of(contact, model, shared)
            if not answers and contact.records is None:
                notes.append(
                    f"part {contact.part} on site {contact.site}: no result was recorded in touchdown {number}"
                )
            yield Row(number, contact.site, contact.part, answers, contact.wafer)


def _timeline(scene: Scene, notes: list[str]) -> list[Json]:
    steps = [*_options(scene), *_jams(scene, notes)]
    if scene.resets_after_ns and not _same(scene):
        steps += [
            {"when": {"master": "softerror", "nth": nth}, "with_delay": _s(ns), "do": {"operator": "reset"}}
            for nth, ns in enumerate(scene.resets_after_ns, start=1)
        ]
    for kind, service in sorted(scene.services.items() if scene.measured else ()):
        steps += _troubles(kind, service, notes)
    for deed in scene.deeds:
        if deed.why:
            notes.append(f"timeline: {next(iter(deed.do))} is guessed, because {deed.why}")
        step = _step(deed, scene.measured)
        if deed.drawn_as not in (None, len(steps) + 1):
            step["draws_as"] = deed.drawn_as
        steps.append(step)
    return steps


def _step(deed: Deed, measured: bool) -> Json:
    delay = {} if deed.delay_ns <= (_QUICK_NS if measured else 0) else {"with_delay": _s(deed.delay_ns)}
    if not deed.trigger:
        return {"at": _s(deed.delay_ns), "do": deed.do}
    return {"when": deed.trigger, **delay, "do": deed.do}


def _options(scene: Scene) -> list[Json]:
    """Steps that make the options of every ``next`` what they were; each load switches all of them off."""
    off = dict.fromkeys(OPTION_NAMES, OPTION_OFF)
    sent, told = dict(off), dict(off)
    steps = []
    for number, touchdown in enumerate(scene.touchdowns, start=1):
        sent = dict(off) if touchdown.first_of_load else sent
        wanted: Mapping[str, Json] = touchdown.options or sent
        if wanted != sent:
            changed = {name: option for name, option in wanted.items() if option != told[name]}
            named = changed or {name: option for name, option in wanted.items() if option["active"]}
            steps.append(
                {"when": {"touchdown": number}, "do": {"options": {n: _option(o) for n, o in named.items()}}}
            )
            sent = told = dict(wanted)
    return steps


def _option(option: Json) -> Any:
    return option["active"] if option["value"] == -1 else option


def _jams(scene: Scene, notes: list[str]) -> list[Json]:
    """Steps for the long pauses of a handler; a simulated one always has a reason for them, such as a new wafer."""
    longest_ns = _usual_ns(scene) + (_JAM_NS if scene.measured else 0)
    jams_ns = [deed.t_ns for deed in scene.deeds if "handler_jam" in deed.do]
    steps = []
    for pause in scene.pauses:
        is_told = any(pause.begin_ns <= jam_ns <= pause.end_ns for jam_ns in jams_ns)
        if pause.length_ns > longest_ns and not is_told:
            then, more_ns = ("trouble", _OUTLASTS_NS) if pause.cut_off else ("contact", 0)
            passed = f"{_s(pause.length_ns)} s went by between ready number {pause.nth} and the {then}"
            notes.append(f"timeline: {passed}; why is not told")
            jam = {"handler_jam": {"for": _s(pause.length_ns + more_ns)}}
            steps.append({"when": {"master": "ready", "nth": pause.nth}, "do": jam})
    return steps


def _s(time_ns: float, *, measured: bool = False) -> float:
    seconds = time_ns / NS_PER_S
    return float(f"{seconds:.3g}") if measured else seconds
