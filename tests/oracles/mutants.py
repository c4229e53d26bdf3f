"""Mutants: modelled peers with one defect each. Every oracle must be tripped by at least one of them.

A mutant is installed with pytest's monkeypatch, so the real modelled cell runs with the defect in it. ``changes`` is
what the scenario must be like for the defect to show; a mutant without ``install`` is a quirk of the real packages.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drycell.runtime.protocol import messages
from drycell.runtime.protocol import specification as spec
from drycell.sim.broker.embedded import EmbeddedBroker
from drycell.sim.cell.control import Control
from drycell.sim.cell.handler import Handler
from drycell.sim.cell.lot import Lot
from drycell.sim.cell.master import Master
from drycell.sim.cell.master_specification import SpecificationMaster
from drycell.sim.cell.modelled_program import ModelledProgram
from drycell.sim.cell.peripherals import PeripheralRelay
from drycell.sim.cell.programs import ModelPrograms
from drycell.sim.cell.sequencer import ModelledSequencer, Options
from drycell.sim.cell.sequencer_specification import SpecificationSequencer
from drycell.sim.cell.site_view import SiteView
from drycell.sim.cell.stdf_file import StdfFile
from drycell.sim.cell.tcc import TestCellController
from drycell.sim.cell.teardowns import Teardowns
from drycell.sim.cell.touchdown import Touchdown
from drycell.sim.kernel import ns

Json = dict[str, Any]
Values = Mapping[str, tuple[float, ...]]
Patch = pytest.MonkeyPatch
KILL = {"kill": {"site": 0}}
BAD = {"size": 12, "defects": "60%"}
STOP = {"when": {"touchdown": 2}, "do": {"options": {"stop_on_fail": True}}}


@dataclass(frozen=True)
class Mutant:
    """``what`` is wrong with whom, which oracle must notice (``trips``), and the story in which it shows."""

    what: str
    trips: str
    install: Callable[[Patch], None] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def wrap(patch: Patch, owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    patch.setattr(owner, name, make(getattr(owner, name)))


# results that a program sends --------------------------------------------------------------------------------------


def results(change: Callable[[int, list[Json]], list[Json] | None]) -> Callable[[Patch], None]:
    """Change the records of each result; ``change`` gets its running number (from 1) over all sites."""

    def install(patch: Patch) -> None:
        count = [0]

        def make(tell: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
                if kind == "testresult":
                    count[0] += 1
                    message = {**message, "payload": change(count[0], message["payload"]) or message["payload"]}
                return tell(self, kind, message)

            return changed

        wrap(patch, ModelledSequencer, "_tell", make)

    return install


def record(kind: str, nth: int, **fields: Any) -> Callable[[Patch], None]:
    """Fields of the first record of a kind in the nth result are others."""

    def change(number: int, data: list[Json]) -> list[Json] | None:
        if number != nth:
            return None
        place = next(index for index, entry in enumerate(data) if entry["type"] == kind)
        return [*data[:place], {**data[place], **fields}, *data[place + 1 :]]

    return results(change)


def passed_all(number: int, data: list[Json]) -> list[Json]:
    return [{**entry, "TEST_FLG": 0} if entry["type"] == "FTR" else entry for entry in data]


def twice(patch: Patch) -> None:
    def make(tell: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
            if kind == "testresult":
                tell(self, kind, message)
            return tell(self, kind, message)

        return changed

    wrap(patch, ModelledSequencer, "_tell", make)


def foreign_part(number: int, data: list[Json]) -> list[Json] | None:
    return [*data[:-1], {**data[-1], "PART_ID": "1"}] if number == 5 else None


def remembering(*, shared: bool, when: Callable[[int], bool]) -> Callable[[Patch], None]:
    """The nth measurement of vout_1 gives the value before, on the same site or (``shared``) on any, ``when(n)``."""

    def install(patch: Patch) -> None:
        last: dict[str, Any] = {}
        count = [0]

        def make(measure: Callable[..., Any]) -> Callable[..., Any]:
            def changed(program: ModelledSequencer, test: Any, inputs: Any) -> Any:
                values = yield from measure(program, test, inputs)
                if test.instance != "vout_1":
                    return values
                count[0] += 1
                key = "all" if shared else program._site
                old, last[key] = last.get(key), values
                return old if old is not None and when(count[0]) else values

            return changed

        wrap(patch, ModelledSequencer, "_measure", make)

    return install


def measures(change: Callable[[Values, Values], Values]) -> Callable[[Patch], None]:
    """The values of each test are others; ``change`` gets them and those of the device before on the site."""

    def install(patch: Patch) -> None:
        last: dict[tuple[str, str], Values] = {}

        def make(measure: Callable[..., Any]) -> Callable[..., Any]:
            def changed(program: ModelledSequencer, test: Any, inputs: Any) -> Any:
                values = yield from measure(program, test, inputs)
                old = last.get((program._site, test.instance), values)
                last[program._site, test.instance] = values
                return change(values, old)

            return changed

        wrap(patch, ModelledSequencer, "_measure", make)

    return install


def calibrated(values: Values, *, gain: float = 1.002) -> Values:
    return {name: tuple(gain * value for value in entries) for name, entries in values.items()}


def calibrated_sometimes_late(values: Values, old: Values) -> Values:
    """Late after a device that draws much current."""
    return calibrated(old if old.get("iq_1.iq", (0.0,))[0] > 59.0 else values)


def calibrated_and_too_good(values: Values, old: Values) -> Values:
    """A current above 80 uA is taken for 79 uA."""
    return calibrated(
        {name: tuple(min(v, 79.0) if name == "iq_1.iq" else v for v in entries) for name, entries in values.items()}
    )


def other_bin_on_site_1(number: int, data: list[Json]) -> list[Json] | None:
    """A device with a wrong voltage is in the bin of devices that draw too much current."""
    wrong = data[-1]["SITE_NUM"] == 1 and data[-1]["SOFT_BIN"] == 12
    return [*data[:-1], {**data[-1], "SOFT_BIN": 13, "HARD_BIN": 4}] if wrong else None


# programs ----------------------------------------------------------------------------------------------------------


def status(change: Callable[[int, str], str | None]) -> Callable[[Patch], None]:
    """Change the state that a program announces (None: say nothing); ``change`` gets the number and the state."""

    def install(patch: Patch) -> None:
        count = [0]

        def make(tell: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
                if kind == "status":
                    count[0] += 1
                    state = change(count[0], message["state"])
                    if state is None:
                        done = self._kernel.clock.event()
                        done.succeed()
                        return done
                    message = messages.program_status(state)
                return tell(self, kind, message)

            return changed

        wrap(patch, ModelledSequencer, "_tell", make)

    return install


def talks_as_neighbour(patch: Patch) -> None:
    def make(tell: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
            if kind == "testresult" and self._site == "0":
                line = messages.encode(messages.typed("log", "TestApp1 |hello"))
                self._client.publish(self._topics.program("log", "1"), line, 2, None)
            return tell(self, kind, message)

        return changed

    wrap(patch, ModelledSequencer, "_tell", make)


def hangs(after: int, owner: type[ModelledProgram] = ModelledSequencer) -> Callable[[Patch], None]:
    """From the nth device on, a program tests for ever."""

    def install(patch: Patch) -> None:
        count = [0]

        def make(run_test: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: ModelledProgram, test: Any) -> Any:
                count[0] += test.instance == "contact_1"
                if count[0] >= after:
                    yield self._kernel.clock.timeout(ns(100_000))
                return (yield from run_test(self, test))

            return changed

        wrap(patch, owner, "_run_test", make)

    return install


def talks_after_death(patch: Patch) -> None:
    def end(self: ModelledSequencer, code: int, last_words: str) -> None:
        self._on_exit(code, last_words)
        self._on_exit = lambda code, last_words: None

    patch.setattr(ModelledSequencer, "end", end)


def bad_exit(patch: Patch) -> None:
    def make(leave: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, code, words: leave(self, 3, words)

    wrap(patch, ModelledSequencer, "_leave", make)


def orphans(patch: Patch) -> None:
    """Control forgets its program on reset, and the program does not listen."""
    patch.setattr(Control, "_kill", lambda self: setattr(self, "_running", None))
    handlers = {**ModelledSequencer._handlers, "reset": lambda self, command: None}
    patch.setattr(ModelledSequencer, "_handlers", handlers)

    def start(self: ModelPrograms, site: str, params: Json, on_exit: Any) -> Any:
        table = {int(hard): tuple(map(int, softs)) for hard, softs in params["bin_table"].items()}
        self._kernel.journal.record("launch", f"program{site}", script=params["testapp_script_path"])

        def ended(code: int, words: str) -> None:
            self.running.pop(site, None)
            self._kernel.journal.record("exit", f"program{site}", exit_code=code)
            on_exit(code, words)

        self.running[site] = self._make(site, table, ended)
        return self.running[site]

    patch.setattr(ModelPrograms, "start", start)


def foreign_topic(patch: Patch) -> None:
    def make(enter: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, event: str) -> Any:
            if event == "done":
                topic = self._topics.program("log", str(1 - int(self._site)))
                self._client.publish(topic, messages.encode(messages.typed("log", "hello")), 2, lambda *_: None)
            return enter(self, event)

        return changed

    wrap(patch, ModelledSequencer, "_enter", make)


def summary_miscounts(patch: Patch) -> None:
    def make(tell: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
            if kind == "testsummary":
                first, *rest = message["payload"]
                message = {**message, "payload": [{**first, "EXEC_CNT": first["EXEC_CNT"] + 1}, *rest]}
            return tell(self, kind, message)

        return changed

    wrap(patch, ModelledSequencer, "_tell", make)


def active(**taken: bool) -> Callable[[Patch], None]:
    """A program takes options to be as ``taken`` whatever it is told."""

    def install(patch: Patch) -> None:
        def make(read: Callable[..., Options]) -> Callable[..., Options]:
            return lambda self, job: replace(read(self, job), **taken)

        wrap(patch, ModelledSequencer, "_read_job", make)

    return install


def old_options(patch: Patch) -> None:
    """A program uses the options of the cycle before."""
    before: dict[str, Json] = {}

    def make(read: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, job: Json | None) -> Any:
            read(self, job)
            options = Options.read(before.get(self._site, {}))
            before[self._site] = job or {}
            return options

        return changed

    wrap(patch, ModelledSequencer, "_read_job", make)


# master, control, handler ------------------------------------------------------------------------------------------


def swapped_parts(patch: Patch) -> None:
    def make(send: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Master) -> None:
            infos = self._touchdown.sites_info
            parts = [info["partid"] for info in infos][::-1]
            self._touchdown.sites_info = [{**i, "partid": p} for i, p in zip(infos, parts, strict=True)]
            send(self)

        return changed

    wrap(patch, Master, "_send_next", make)


def swapped_bins(patch: Patch) -> None:
    def make(answer: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Touchdown) -> list[Json]:
            told = answer(self)
            bins = [entry["binning"] for entry in told][::-1]
            return [{**entry, "binning": bin_} for entry, bin_ in zip(told, bins, strict=True)]

        return changed

    wrap(patch, Touchdown, "answer", make)


def forgets_options(patch: Patch) -> None:
    def make(send: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Master) -> None:
            self.options = {}
            send(self)

        return changed

    wrap(patch, Master, "_send_next", make)


def endless_patience(patch: Patch) -> None:
    def make(init: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Master, *args: Any, **kwargs: Any) -> None:
            names = ("start_s", "connecting_s", "loading_s", "testing_s", "results_s", "unloading_s")
            init(self, *args, **{**kwargs, "timeouts_s": dict.fromkeys(names, 50_000.0)})

        return changed

    wrap(patch, Master, "__init__", make)


def deaf_to_crashes(patch: Patch) -> None:
    """The master ignores wills, errors and what the controls report."""
    listeners = dict(Master._program_listeners)
    hear = listeners["status"]
    listeners["status"] = lambda self, site, content: (
        None if content.get("state") in ("crash", "error") else hear(self, site, content)
    )
    patch.setattr(Master, "_program_listeners", listeners)
    patch.setattr(Master, "_judge_control", lambda self, site, state, reason: (
        self._control_is_idle(site) if state == "idle" and self.state in ("connecting", "unloading") else None
    ))  # fmt: skip


def says_not_why(patch: Patch) -> None:
    def announce(self: Master, state: str, message: str) -> None:
        self._port.publish(self._topics.master_status, messages.master_status(state, None))

    patch.setattr(Master, "_announce", announce)


def skips(owner: type, skipped: str) -> Callable[[Patch], None]:
    """A role does not announce one of its states."""

    def install(patch: Patch) -> None:
        def make(announce: Callable[..., Any]) -> Callable[..., Any]:
            return lambda self, state, message: None if state == skipped else announce(self, state, message)

        wrap(patch, owner, "_announce", make)

    return install


def stuck_after_reset(patch: Patch) -> None:
    """A control never becomes idle again after a reset while it runs a program."""
    gone = Control._gone
    patch.setattr(Control, "_gone", lambda self: None if self._running or self._params_seen() else gone(self))
    patch.setattr(Control, "_params_seen", lambda self: getattr(self, "_loaded_once", False), raising=False)

    def make(load: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Control, params: Json) -> None:
            self._loaded_once = True
            load(self, params)

        return changed

    wrap(patch, Control, "_load", make)


def sorts(how: Callable[[list[Json]], list[Json]]) -> Callable[[Patch], None]:
    """The handler sorts other entries than it was told."""

    def install(patch: Patch) -> None:
        def make(sort: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: Handler) -> None:
                self._answer = how(self._answer)
                sort(self)

            return changed

        wrap(patch, Handler, "_sort", make)

    return install


def forgets_failed_touchdowns(patch: Patch) -> None:
    patch.setattr(Lot, "put_back", lambda self, touch: None)
    patch.setattr(Lot, "done", property(lambda self: not self.touches))


def ready_too_early(patch: Patch) -> None:
    def make(idle: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Master, site: str, previous: str | None) -> None:
            if self.state == "loading":
                self._peer.fire("programs_idle")
            else:
                idle(self, site, previous)

        return changed

    wrap(patch, Master, "_program_is_idle", make)


def sends_again_after_reconnect(patch: Patch) -> None:
    last: dict[str, Json] = {}

    def remembering_tell(tell: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
            if kind == "testresult":
                last[self._site] = message
            return tell(self, kind, message)

        return changed

    def telling_again(connected: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: ModelledSequencer) -> None:
            connected(self)
            if self._site in last:
                self._tell("testresult", last[self._site])

        return changed

    wrap(patch, ModelledSequencer, "_tell", remembering_tell)
    wrap(patch, ModelledSequencer, "_connected_again", telling_again)


# peripherals, broker, files ----------------------------------------------------------------------------------------


def answers_twice(patch: Patch) -> None:
    def make(requested: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: TestCellController, *args: Any) -> None:
            requested(self, *args)
            requested(self, *args)

        return changed

    wrap(patch, TestCellController, "_requested", make)


def rewrites_answers(patch: Patch) -> None:
    def make(finish: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: PeripheralRelay, answer: Any) -> None:
            finish(self, {**json.loads(answer), "result": "fine"} if isinstance(answer, bytes) else answer)

        return changed

    wrap(patch, PeripheralRelay, "_finish", make)


def relays_each_site(patch: Patch) -> None:
    def request(self: PeripheralRelay, site: str, asked: Json) -> None:
        relayed = {key: value for key, value in asked.items() if key != "periphery_type"}
        self._port.publish(self._topics.peripheral_request(str(asked["periphery_type"])), relayed, qos=0)
        first = not self._requests
        self._requests[site] = asked
        if first:
            self.review()

    patch.setattr(PeripheralRelay, "request", request)


def no_wills(patch: Patch) -> None:
    def make(ended: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: EmbeddedBroker, connection: Any, *args: Any) -> None:
            if connection.session is not None:
                connection.session.will = None
            ended(self, connection, *args)

        return changed

    wrap(patch, EmbeddedBroker, "ended", make)


def loses_parts(patch: Patch) -> None:
    count = [0]

    def make(result: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: StdfFile, site: str, data: list[Json]) -> None:
            count[0] += 1
            if count[0] != 3:
                result(self, site, data)

        return changed

    wrap(patch, StdfFile, "result", make)


def writes_at_the_end(patch: Patch) -> None:
    """Results are kept in memory and written when the lot is unloaded."""
    kept: list[tuple[str, list[Json]]] = []
    write, finish = StdfFile.result, StdfFile.finish

    def finish_all(self: StdfFile) -> None:
        for site, data in kept:
            write(self, site, data)
        finish(self)

    patch.setattr(StdfFile, "result", lambda self, site, data: kept.append((site, data)))
    patch.setattr(StdfFile, "finish", finish_all)


# dialect specification ---------------------------------------------------------------------------------------------


def after_idle(patch: Patch) -> None:
    """From the second device on, a program sends one more byte of STDF after idle."""

    def make(finish: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: SpecificationSequencer) -> None:
            finish(self)
            self._devices = getattr(self, "_devices", 0) + 1
            if self._devices > 1:
                self._publish(self._topics.program("stdf", self._site), spec.fragment(b"\0"))

        return changed

    wrap(patch, SpecificationSequencer, "_finish_cycle", make)


def takes_stray_fragments(patch: Patch) -> None:
    """The master takes STDF at any time."""
    listeners = dict(SpecificationMaster._program_listeners)
    hear = listeners["stdf"]
    listeners["stdf"] = lambda self, view, payload: hear(self, view, payload) if view.state == "testing" else None
    patch.setattr(SpecificationMaster, "_program_listeners", listeners)


def never_late(patch: Patch) -> None:
    patch.setattr(SiteView, "_timed_out", lambda self, timeout, seconds: None)
    patch.setattr(SpecificationMaster, "fail", lambda self, message: None)


def asks_actuators(times: int) -> Callable[[Patch], None]:
    """The master asks for Teardown that often."""

    def install(patch: Patch) -> None:
        def make(run: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: Teardowns, on_done: Callable[[str], None]) -> None:
                for _ in range(times - 1):
                    run(self, lambda failures: None)
                run(self, on_done) if times else self._port.later(0, lambda: on_done(""))

            return changed

        wrap(patch, Teardowns, "run", make)

    return install


def tells_teardown(change: Callable[[str, Json], list[Json]]) -> Callable[[Patch], None]:
    """What is announced of a teardown callback is what ``change`` makes of its name and arguments."""

    def install(patch: Patch) -> None:
        def make(tell: Callable[..., Any]) -> Callable[..., Any]:
            def changed(self: SpecificationSequencer, callback: str, **kwargs: Any) -> None:
                for other in change(callback, kwargs):
                    tell(self, callback, **other)

            return changed

        wrap(patch, SpecificationSequencer, "_tell_teardown", make)

    return install


def teardown_after_shutdown(patch: Patch) -> None:
    """A program announces Shutdown and tears down then."""

    def make(announce: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: SpecificationSequencer, message: str = "") -> Any:
            done = announce(self, message)
            if self._machine.state == "shutdown":
                done = self._tell("log", spec.teardown_ran("program_teardown"))
            return done

        return changed

    tells_teardown(lambda callback, told: [told] if callback == "cycle_teardown" else [])(patch)
    wrap(patch, SpecificationSequencer, "_announce", make)


def fails_in_silence(patch: Patch) -> None:
    patch.setattr(SpecificationSequencer, "_prepare", lambda self: self._leave(1, "no bins") or "no bins")


KILL_3 = [{"when": {"part": 3}, "do": KILL}]
RESET = {"operator": {"resets": 1, "reset_after_s": 2}}
SPEC = {"cell": {"dialect": "specification"}}

MUTANTS = {
    "handler loses a device": Mutant(
        "the handler drops one device instead of sorting it", "lot completes", sorts(lambda told: told[1:])
    ),
    "handler forgets a failed touchdown": Mutant(
        "the handler does not test the devices of a failed touchdown again",
        "no device is lost",
        forgets_failed_touchdowns,
        {"cell": RESET, "timeline": [{"when": {"touchdown": 2}, "do": KILL}]},
    ),
    "handler sorts twice": Mutant(
        "the handler counts a device twice",
        "touchdowns end in bins or a soft error",
        sorts(lambda told: [*told, told[0]]),
    ),
    "program sends its result twice": Mutant("a program repeats its result", "one result per device", twice),
    "program reports another device": Mutant(
        "a result carries the part id of an earlier device", "one result per device", results(foreign_part)
    ),
    "program sends its last result again": Mutant(
        "a program that connects again repeats its last result",
        "results are sent once",
        sends_again_after_reconnect,
        {"cell": RESET, "timeline": [{"when": {"handler": "ready", "nth": 3}, "do": {"cut": 0}}]},
    ),
    "master swaps part ids": Mutant(
        "next names each site's device for the other site", "next matches the contact", swapped_parts
    ),
    "master swaps bins": Mutant(
        "the master answers with the bins of the other site", "bins agree", swapped_bins, {"devices": BAD}
    ),
    "program sends PRR first": Mutant(
        "the PRR comes before the tests",
        "records are in order",
        results(lambda number, data: [data[-1], *data[:-1]]),
    ),
    "program says another site": Mutant(
        "a PTR carries the number of the other site", "records are in order", record("PTR", 3, SITE_NUM=1)
    ),
    "program passes failing tests": Mutant(
        "every FTR says passed", "tests follow their limits", results(passed_all), {"devices": BAD}
    ),
    "program compares unscaled": Mutant(
        "quirk sequencer-compares-unscaled",
        "flags follow the limits",
        changes={"cell": {"quirks": ["sequencer-compares-unscaled"]}},
    ),
    "program miscounts its tests": Mutant(
        "NUM_TEST is one too few", "devices follow their tests", record("PRR", 4, NUM_TEST=6)
    ),
    "program takes a foreign hard bin": Mutant(
        "HARD_BIN is not the one of SOFT_BIN", "devices follow their tests", record("PRR", 4, HARD_BIN=9)
    ),
    "program talks on another site's topic": Mutant(
        "a program sends a log line as its neighbour",
        "programs keep to their topics",
        talks_as_neighbour,
    ),
    "program repeats a value": Mutant(
        "one device gets the voltage of the device before",
        "values are of this device",
        remembering(shared=False, when=lambda count: count == 5),
    ),
    "program repeats a value after an exception": Mutant(
        "quirk sequencer-repeats-stale-value, while a meter is silent",
        "values are of this device",
        changes={
            "cell": {"quirks": ["sequencer-repeats-stale-value"]},
            "timeline": [{"when": {"part": 5}, "do": {"no_answer": {"asked": "VOUT", "part": 5, "count": 1}}}],
        },
    ),
    "program is always one device late": Mutant(
        "every device gets the voltage of the device before",
        "values are of this device",
        remembering(shared=False, when=lambda count: True),
    ),
    "program takes the other site's value": Mutant(
        "a site reports the voltage of its neighbour",
        "values are of this device",
        remembering(shared=True, when=lambda count: count == 6),
    ),
    "program calibrates values of the device before": Mutant(
        "a program corrects its readings, and some of them are those of the device before",
        "values fit the true device",
        measures(calibrated_sometimes_late),
        {"devices": {"size": 30}},
    ),
    "program calibrates bad values away": Mutant(
        "a program corrects its readings and takes too high ones for good ones",
        "true failures are failed",
        measures(calibrated_and_too_good),
        {"devices": {"size": 30, "defects": "60%"}},
    ),
    "program bins equal failures differently": Mutant(
        "the program of one site takes another soft bin",
        "equal failures get equal bins",
        results(other_bin_on_site_1),
        {"devices": {"size": 20, "defects": "60%"}},
    ),
    "master forgets options": Mutant(
        "the master sends default options", "options go out with next", forgets_options, {"timeline": [STOP]}
    ),
    "program never triggers": Mutant(
        "trigger_on_fail is ignored",
        "triggers follow the options",
        active(trigger_on_fail=False),
        {"devices": BAD, "timeline": [{"when": {"touchdown": 2}, "do": {"options": {"trigger_on_fail": True}}}]},
    ),
    "program uses old options": Mutant(
        "a program honours the options of the cycle before",
        "triggers follow the options",
        old_options,
        {
            "timeline": [
                {"when": {"touchdown": 2}, "do": {"options": {"trigger_on_test": {"active": True, "value": 2}}}}
            ]
        },
    ),
    "program never stops": Mutant(
        "stop_on_fail is ignored",
        "stop on fail stops",
        active(stop_on_fail=False),
        {"devices": BAD, "timeline": [STOP]},
    ),
    "program always stops": Mutant(
        "a program stops at a failing test unasked",
        "stop on fail stops",
        active(stop_on_fail=True),
        {"devices": BAD},
    ),
    "program passes stopped devices": Mutant(
        "quirk sequencer-passes-part-on-stop",
        "stopped devices are failed devices",
        changes={"cell": {"quirks": ["sequencer-passes-part-on-stop"]}, "devices": BAD, "timeline": [STOP]},
    ),
    "peripheral answers twice": Mutant("the TCC repeats each answer", "peripherals answer once", answers_twice),
    "master rewrites answers": Mutant(
        "the master changes what the peripheral said", "peripherals answer once", rewrites_answers
    ),
    "master asks for each site": Mutant(
        "the master relays the same request of every site", "peripherals answer once", relays_each_site
    ),
    "program ends badly": Mutant("a program ends with exit code 3 after terminate", "programs end well", bad_exit),
    "program talks after its death": Mutant(
        "a killed program goes on talking",
        "the dead are silent",
        talks_after_death,
        {"cell": RESET, "timeline": KILL_3},
    ),
    "control leaves an orphan": Mutant(
        "a control does not end its program on reset",
        "nothing is left behind",
        orphans,
        {"cell": RESET, "timeline": [{"at": "1s", "do": {"kill": {"site": 0}}}]},
    ),
    "broker keeps wills": Mutant(
        "the broker does not publish last wills", "lost programs are announced", no_wills, {"timeline": KILL_3}
    ),
    "program leaves a mild will": Mutant(
        "the last will of a program says that it terminated",
        "lost programs are announced",
        lambda patch: patch.setattr(ModelledSequencer, "_will", lambda self: messages.program_status("terminated")),
        {"timeline": [{"when": {"touchdown": 2}, "do": KILL}]},
    ),
    "master is ready too early": Mutant(
        "the master is ready when the first program is", "ready means idle", ready_too_early
    ),
    "control hides bad ends": Mutant(
        "a control takes no notice of a program that was killed",
        "controls tell of bad ends",
        lambda patch: patch.setattr(Control, "_ended", lambda self, life, code, words: None),
        {"cell": RESET, "timeline": [{"when": {"touchdown": 2}, "do": KILL}]},
    ),
    "program hangs": Mutant("a program tests for ever", "results in time", hangs(3)),
    "program does not say testing": Mutant(
        "a program does not announce that it tests",
        "results in time",
        status(lambda number, state: None if state == "testing" and number > 8 else state),
    ),
    "master waits for ever": Mutant(
        "the master has no timeouts",
        "deadlines are kept",
        lambda patch: (hangs(3)(patch), endless_patience(patch))[0],
        {"limits": {"virtual_s": 1000}},
    ),
    "master ignores crashes": Mutant(
        "the master does not react to wills and controls",
        "crashes end in soft error",
        deaf_to_crashes,
        {"timeline": KILL_3},
    ),
    "master ignores everything": Mutant(
        "the master reacts neither to crashes nor to its own timeouts",
        "crashes end in soft error",
        lambda patch: (deaf_to_crashes(patch), endless_patience(patch))[0],
        {"timeline": KILL_3, "limits": {"virtual_s": 1000}},
    ),
    "master does not say why": Mutant(
        "the master announces soft errors without a message",
        "soft errors say why",
        says_not_why,
        {"timeline": KILL_3},
    ),
    "control stays away after a reset": Mutant(
        "a control that was reset never becomes idle",
        "the cell comes back",
        stuck_after_reset,
        {"cell": RESET, "timeline": KILL_3},
    ),
    "program uses another site's topic": Mutant(
        "a program sends a log line on the topic of the other site", "programs keep to their topics", foreign_topic
    ),
    "summary miscounts": Mutant(
        "a summary counts one execution too many", "summaries count the results", summary_miscounts
    ),
    "STDF file lacks a device": Mutant("the master does not write one of the results", "stdf agrees", loses_parts),
    "STDF file is written at the end": Mutant(
        "results are written when the lot is unloaded",
        "stdf is recoverable",
        writes_at_the_end,
        {"timeline": KILL_3},
    ),
    "master does not announce loading": Mutant(
        "the master does not announce loading", "master states follow the table", skips(Master, "loading")
    ),
    "control does not announce loading": Mutant(
        "a control does not announce loading", "control states follow the table", skips(Control, "loading")
    ),
    "program announces a wrong state": Mutant(
        "a program says selftesting after testing",
        "sequencer states follow the table",
        status(lambda number, state: "selftesting" if number == 5 else state),
    ),
    "handler does not announce ready": Mutant(
        "the handler does not announce ready", "handler states follow the table", skips(Handler, "ready")
    ),
    "specification: program sends STDF after idle": Mutant(
        "a program sends one more byte after idle", "nothing after idle", after_idle, SPEC
    ),
    "specification: master takes stray STDF": Mutant(
        "the master takes no offence at STDF after idle",
        "broken rules are system errors",
        lambda patch: (after_idle(patch), takes_stray_fragments(patch))[0],
        {**SPEC, "devices": {"size": 20}},
    ),
    "specification: master waits for ever": Mutant(
        "the master does not mind a program that tests longer than 15 s",
        "broken rules are system errors",
        lambda patch: (hangs(3, SpecificationSequencer)(patch), never_late(patch))[0],
        {**SPEC, "limits": {"virtual_s": 60}},
    ),
    "specification: master spares the actuators": Mutant(
        "the master never asks for Teardown", "actuators are torn down", asks_actuators(0), SPEC
    ),
    "specification: master tears down twice": Mutant(
        "the master asks for Teardown twice", "actuators are torn down", asks_actuators(2), SPEC
    ),
    "specification: program forgets its cycle teardown": Mutant(
        "a program does not run cycle_teardown",
        "cycle teardown follows every device",
        tells_teardown(lambda callback, told: [told] if callback == "program_teardown" else []),
        SPEC,
    ),
    "specification: program tears down twice": Mutant(
        "a program runs program_teardown twice",
        "program teardown is the end",
        tells_teardown(lambda callback, told: [told, told] if callback == "program_teardown" else [told]),
        SPEC,
    ),
    "specification: program tears down after Shutdown": Mutant(
        "a program announces Shutdown before it tears down",
        "Shutdown follows the teardown",
        teardown_after_shutdown,
        SPEC,
    ),
    "specification: program takes a failed test for an exception": Mutant(
        "cycle_teardown is always told has_error",
        "has_error means an exception",
        tells_teardown(lambda callback, told: [{"has_error": True}] if "has_error" in told else [told]),
        SPEC,
    ),
    "specification: program does not say why it cannot start": Mutant(
        "a program that cannot start ends without a word", "start-up errors are reported", fails_in_silence, SPEC
    ),
}
"""Every mutant by its name; the docs list what each trips."""
