"""Mutants: modelled peers with one defect each that a person could have written.

Most of them show only under particular options, devices or faults, so that finding them takes a search. Each is a
small patch of one peer, installed with pytest's monkeypatch into the modelled cell.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drycell.runtime.protocol import messages
from drycell.runtime.stdf import LotWriter
from drycell.sim.cell.control import Control
from drycell.sim.cell.handler import Handler
from drycell.sim.cell.lot import Lot, Touch
from drycell.sim.cell.master import Master
from drycell.sim.cell.measurement import Bookkeeper
from drycell.sim.cell.modelled_program import ModelledProgram
from drycell.sim.cell.peripherals import PeripheralRelay
from drycell.sim.cell.sequencer import ModelledSequencer, Options
from drycell.sim.cell.stdf_file import LotFile, StdfFile
from drycell.sim.cell.tcc import TestCellController
from drycell.sim.cell.touchdown import Touchdown

Json = dict[str, Any]
Patch = pytest.MonkeyPatch
Method = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``what`` is wrong with which ``peer``."""

    peer: str
    what: str
    install: Callable[[Patch], None]


def around(owner: type, name: str, make: Callable[[Method], Method]) -> Callable[[Patch], None]:
    """A patch that replaces a method by what ``make`` makes of it."""

    def install(patch: Patch) -> None:
        patch.setattr(owner, name, make(getattr(owner, name)))

    return install


def before(owner: type, name: str, also: Callable[..., None]) -> Callable[[Patch], None]:
    """A patch that does ``also`` before a method."""

    def make(method: Method) -> Method:
        def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
            also(self, *args, **kwargs)
            return method(self, *args, **kwargs)

        return changed

    return around(owner, name, make)


# sequencer: options ------------------------------------------------------------------------------------------------


def _job(change: Callable[[ModelledSequencer, Options], Options]) -> Callable[[Patch], None]:
    """Options are read otherwise than they were sent."""
    return around(ModelledSequencer, "_read_job", lambda read: lambda self, job: change(self, read(self, job)))


def _trigger_one_late(self: ModelledSequencer, options: Options) -> Options:
    wanted = options.trigger_before_test
    return replace(options, trigger_before_test=None if wanted is None else wanted + 1)


def _latched_stop(self: ModelledSequencer, options: Options) -> Options:
    latched = getattr(self, "_latched", False) or options.stop_on_fail
    self._latched = latched
    return replace(options, stop_on_fail=latched)


def _trigger_only_once(trigger: Method) -> Method:
    def changed(self: ModelledSequencer, options: Options, index: int, verdict: Any) -> None:
        done = getattr(self, "_triggered", None) == self._part
        if not done or not verdict.failed:
            trigger(self, options, index, verdict)
        if verdict.failed:
            self._triggered = self._part

    return changed


# sequencer: results ------------------------------------------------------------------------------------------------


def _results(change: Callable[[ModelledSequencer, list[Json]], list[Json]]) -> Callable[[Patch], None]:
    """The records of a result are others; ``change`` may look at the program."""

    def make(tell: Method) -> Method:
        def changed(self: ModelledSequencer, kind: str, message: Json) -> Any:
            if kind == "testresult":
                message = {**message, "payload": change(self, message["payload"])}
            return tell(self, kind, message)

        return changed

    return around(ModelledSequencer, "_tell", make)


def _prr(data: list[Json], **fields: Any) -> list[Json]:
    return [*data[:-1], {**data[-1], **fields}]


def _stopped(data: list[Json]) -> bool:
    """Whether the last test of a result failed."""
    return bool(data[-2].get("TEST_FLG"))


def _good_hard_bin_when_stopped(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    stopped = _stopped(data) and len(data) < _full_length(self)
    return _prr(data, HARD_BIN=1) if stopped else data


def _full_length(self: ModelledSequencer) -> int:
    return 2 + sum(1 + len(test.outputs) for test in self._program.tests)


def _counts_all_tests_when_stopped(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    outputs = sum(len(test.outputs) for test in self._program.tests)
    return _prr(data, NUM_TEST=outputs) if _stopped(data) else data


def _last_test_does_not_count(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    failing = [record for record in data if record["type"] == "FTR" and record["TEST_FLG"]]
    return _prr(data, PART_FLG=0) if len(failing) == 1 and _stopped(data) else data


def _site_by_place(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    """The second output names the next site."""
    place = [index for index, record in enumerate(data) if record["type"] in ("PTR", "MPR")][1:2]
    return [
        {**record, "SITE_NUM": record["SITE_NUM"] + 1} if index in place and record["SITE_NUM"] > 1 else record
        for index, record in enumerate(data)
    ]


def _old_part_after_empty_touchdown(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    """The part id of the first device stays when the touchdown has one device only."""
    first = getattr(self, "_first_part", data[-1]["PART_ID"])
    self._first_part = first
    return _prr(data, PART_ID=first) if len(self._job_data["sites_info"]) == 1 else data


def _loses_multiple_results(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    """An MPR of a failing device comes without the last of its values."""
    if not data[-1]["PART_FLG"]:
        return data
    return [{**record, "RTN_RSLT": record["RTN_RSLT"][:-1]} if record.get("RTN_RSLT") else record for record in data]


def _single_step_reverses(self: ModelledSequencer, data: list[Json]) -> list[Json]:
    """With single_step the tests' verdicts come before their values."""
    if not self._job_data.get("single_step", {}).get("active"):
        return data
    body = sorted(data[1:-1], key=lambda record: record["type"] != "FTR")
    return [data[0], *body, data[-1]]


def _remembers(when: Callable[[ModelledSequencer], bool], test: str) -> Callable[[Patch], None]:
    """A test reports the values it measured before, ``when``."""

    def make(measure: Method) -> Method:
        def changed(self: ModelledSequencer, measured: Any, inputs: Any) -> Any:
            values = yield from measure(self, measured, inputs)
            if measured.instance != test:
                return values
            kept = getattr(self, "_kept", None)
            self._kept = values
            return kept if kept is not None and when(self) else values

        return changed

    return around(ModelledSequencer, "_measure", make)


def _option(name: str) -> Callable[[ModelledSequencer], bool]:
    return lambda self: bool(self._job_data.get(name, {}).get("active"))


def _asks_first_site(question: Method) -> Method:
    """On sites beyond the second the ramp is measured on the site before."""

    def changed(self: ModelledSequencer, test: Any, inputs: Any) -> Any:
        if test.instance != "ramp_1" or int(self._site) < 2:
            return question(self, test, inputs)
        site = self._site
        self._site = str(int(site) - 1)
        try:
            values = yield from question(self, test, inputs)
        finally:
            self._site = site
        return values

    return changed


# sequencer: life ---------------------------------------------------------------------------------------------------


def _exits_badly_after_failures(leave: Method) -> Method:
    """A program whose last device failed ends with exit code 1."""

    def changed(self: ModelledSequencer, code: int, words: str) -> None:
        failed = any(entry.failed for entry in self._books.statistics.values())
        leave(self, 1 if code == 0 and failed and self._machine.state == "terminated" else code, words)

    return changed


def _no_will_above_first_site(connect: Method) -> Method:
    """Only the program of the first site leaves a will."""

    def changed(self: ModelledProgram) -> None:
        broker = self._broker
        if self._site == "0":
            connect(self)
            return

        class Willless:
            running = broker.running

            @staticmethod
            def connect(*args: Any, **kwargs: Any) -> Any:
                return broker.connect(*args, **{**kwargs, "will": None})

        self._broker = Willless
        try:
            connect(self)
        finally:
            self._broker = broker

    return changed


def _sends_again(connected: Method) -> Method:
    """After a lost connection the last result is sent once more, whether it had arrived or not."""

    def changed(self: ModelledSequencer) -> None:
        connected(self)
        last = getattr(self, "_last_result", None)
        if last is not None:
            self._tell("testresult", last)

    return changed


def _keep_last_result(self: ModelledSequencer, kind: str, message: Json) -> None:
    if kind == "testresult":
        self._last_result = message


def _double_result_after_reconnect(patch: Patch) -> None:
    before(ModelledSequencer, "_tell", _keep_last_result)(patch)
    around(ModelledSequencer, "_connected_again", _sends_again)(patch)


def _talks_at_debug_level(patch: Patch) -> None:
    """At log level debug every program logs on the topic of site 0."""

    def set_level(self: ModelledSequencer, command: Json) -> None:
        if command.get("level") == 10:
            line = messages.encode(messages.typed("log", f"TestApp{self._site} |log level is debug"))
            self._publish(self._topics.program("log", "0"), line)

    patch.setattr(ModelledSequencer, "_handlers", {**ModelledSequencer._handlers, "setloglevel": set_level})


def _ignores_bins(patch: Patch) -> None:
    """A bin that the operator moves is moved for soft bins of failed devices only."""

    def set_bin(self: ModelledSequencer, command: Json) -> None:
        if int(command["sbin"]) >= 12:
            self._hard_bins[int(command["sbin"])] = int(command["hbin"])

    patch.setattr(ModelledSequencer, "_handlers", {**ModelledSequencer._handlers, "sethbin": set_bin})


def _summary_counts_unrun(summary: Method) -> Method:
    """The summary counts a test that stop_on_fail left out as executed."""

    def changed(self: Bookkeeper, mean_s: Mapping[str, float]) -> list[Json]:
        found = summary(self, mean_s)
        most = max((entry["EXEC_CNT"] for entry in found), default=0)
        return [{**entry, "EXEC_CNT": most} for entry in found]

    return changed


# master ------------------------------------------------------------------------------------------------------------


def _options_survive_load(load: Method) -> Method:
    def changed(self: Master, payload: Json) -> None:
        options = self.options
        load(self, payload)
        self.options = options

    return changed


def _commands(name: str, make: Callable[[Method], Method]) -> Callable[[Patch], None]:
    """A command of handler and operator is carried out otherwise."""

    def install(patch: Patch) -> None:
        patch.setattr(Master, "_commands", {**Master._commands, name: make(Master._commands[name])})

    return install


def _drops_option_values(self: Master) -> None:
    self.options = {name: {**option, "value": -1} for name, option in self.options.items()}


def _options_one_late(send: Method) -> Method:
    def changed(self: Master) -> None:
        now = self.options
        self.options = getattr(self, "_options_before", now)
        send(self)
        self.options = self._options_before = now

    return changed


def _next_to_all_sites(send: Method) -> Method:
    def changed(self: Master) -> None:
        sites, self._touchdown.sites = self._touchdown.sites, self._sites
        send(self)
        self._touchdown.sites = sites

    return changed


def _bins_by_place(answer: Method) -> Method:
    """Bins are told in the order of arrival to sites in the order of the touchdown."""

    def changed(self: Touchdown) -> list[Json]:
        told = answer(self)
        in_order = sorted(told, key=lambda entry: self.sites.index(entry["siteid"]))
        return [{**place, "binning": entry["binning"]} for place, entry in zip(in_order, told, strict=True)]

    return changed


def _deaf_while(state: str) -> Callable[[Patch], None]:
    """A program that crashes while the master is in ``state`` is not noticed."""

    def make(hear: Method) -> Method:
        def changed(self: Master, site: str, status: Json) -> None:
            if not (self.state == state and status.get("state") == "crash"):
                hear(self, site, status)

        return changed

    def install(patch: Patch) -> None:
        listeners = dict(Master._program_listeners)
        patch.setattr(Master, "_program_listeners", {**listeners, "status": make(listeners["status"])})
        around(Master, "_control_is_idle", lambda idle: lambda self, site: self.state == state or idle(self, site))(
            patch
        )
        around(
            Master,
            "_judge_control",
            lambda judge: (
                lambda self, site, said, why: (
                    None if self.state == state and said in ("error", "crash") else judge(self, site, said, why)
                )
            ),
        )(patch)

    return install


def _no_reason_for_peripherals(fail: Method) -> Method:
    return lambda self, message: fail(self, "" if message.startswith("peripheral") else message)


def _ready_when_one_is(idle: Method) -> Method:
    """The lot is loaded as soon as the last site's program is idle."""

    def changed(self: Master, site: str, previous: str | None) -> None:
        if self.state == "loading" and site == self._sites[-1]:
            self._peer.fire("programs_idle")
        else:
            idle(self, site, previous)

    return changed


def _old_results_count(following: Method) -> Method:
    """After a soft error the results of the failed touchdown still count for the sites that had sent them."""

    def changed(self: Master, payload: Json) -> None:
        old = self._touchdown
        following(self, payload)
        if getattr(self, "_was_failed", False) and not old.all_results:
            self._touchdown.results = dict(old.results)
        self._was_failed = False

    return changed


def _keeps_touchdown_on_reset(patch: Patch) -> None:
    def reset_all(self: Master) -> None:
        old = self._touchdown
        reset(self)
        self._touchdown = old
        self._was_failed = True

    def load(self: Master, payload: Json) -> None:
        old = self._touchdown
        plain(self, payload)
        self._touchdown = old

    reset, plain = Master._reset_all, Master._commands["load"]
    patch.setattr(Master, "_reset_all", reset_all)
    patch.setattr(
        Master,
        "_commands",
        {**Master._commands, "load": load, "next": _old_results_count(Master._commands["next"])},
    )


# peripherals -------------------------------------------------------------------------------------------------------


def _caches_answers(request: Method) -> Method:
    """The master answers a request that equals the one before out of its memory."""

    def changed(self: PeripheralRelay, wanted: Json) -> None:
        if getattr(self, "_last_wanted", None) == wanted and getattr(self, "_last_answer", None) is not None:
            self._open = wanted
            self._finish(self._last_answer)
            return
        self._last_wanted = wanted
        request(self, wanted)

    return changed


def _remember_answer(self: PeripheralRelay, answer: bytes | Json) -> None:
    self._last_answer = answer


def _memory_of_answers(patch: Patch) -> None:
    around(PeripheralRelay, "_relay", _caches_answers)(patch)
    before(PeripheralRelay, "_finish", _remember_answer)(patch)


def _twice_when_quick(requested: Method) -> Method:
    """A peripheral without latency answers twice."""

    def changed(self: TestCellController, kind: str, message: Any) -> None:
        requested(self, kind, message)
        if self._owner._peripherals[kind].latency_s == 0:
            requested(self, kind, message)

    return changed


def _answers_after_absence(start: Method) -> Method:
    """A TCC that comes back answers a request that nobody makes any more."""

    def changed(self: TestCellController) -> None:
        start(self)
        if getattr(self, "_was_away", False):
            for kind, peripheral in self._owner._peripherals.items():
                self._answer(kind, messages.io_response("set_temperature", peripheral.answer))

    return changed


def _away(self: TestCellController) -> None:
    self._was_away = True


def _answers_after_absence_patch(patch: Patch) -> None:
    around(TestCellController, "start", _answers_after_absence)(patch)
    before(TestCellController, "stop", _away)(patch)


# control -----------------------------------------------------------------------------------------------------------


def _kills_once(kill: Method) -> Method:
    """The second reset of a control leaves its program alone."""

    def changed(self: Control) -> None:
        kills = getattr(self, "_kills", 0)
        self._kills = kills + 1
        if kills == 0:
            kill(self)

    return changed


def _says_busy_first(patch: Patch) -> None:
    """A control announces busy before loading."""
    announce = Control._announce

    def changed(self: Control, state: str, message: str) -> None:
        if state == "loading":
            announce(self, "busy", message)
        announce(self, state, message)

    patch.setattr(Control, "_announce", changed)


def _hides_exit_code(ended: Method) -> Method:
    """A control takes a program that a signal ended for one that went on."""

    def changed(self: Control, life: int, code: int, words: str) -> None:
        if code < 0 and self.state == "busy" and life == self._life:
            self._running = None
            return
        ended(self, life, code, words)

    return changed


def _deaf_will(patch: Patch) -> None:
    """A control keeps silent about signals, and the program's will says nothing a master would know."""
    around(Control, "_ended", _hides_exit_code)(patch)
    patch.setattr(ModelledSequencer, "_will", lambda self: messages.program_will("terminated"))


# handler -----------------------------------------------------------------------------------------------------------


def _drops_after_error(put_back: Method) -> Method:
    """Of the devices of a failed touchdown only the first is tested again."""

    def changed(self: Lot, touch: Touch) -> None:
        put_back(self, dict(list(touch.items())[:1]))

    return changed


def _sorts_retested_twice(sort: Method) -> Method:
    """A device that was tested before is counted twice."""

    def changed(self: Handler) -> None:
        again = [e for e in self._answer if self.lot.attempts.get(self._touch.get(int(e["siteid"]), 0))]
        self._answer = [*self._answer, *again]
        sort(self)

    return changed


def _names_old_parts(send: Method) -> Method:
    """After an error the handler asks for the devices one number further on."""

    def changed(self: Handler) -> None:
        if getattr(self, "_had_error", False):
            touch, self._touch = self._touch, {site: device + 1 for site, device in self._touch.items()}
            send(self)
            self._touch = touch
        else:
            send(self)

    return changed


def _note_error(self: Handler, state: str, message: str) -> None:
    self._had_error = getattr(self, "_had_error", False) or state == "error"


def _wrong_parts_after_error(patch: Patch) -> None:
    around(Handler, "_send_next", _names_old_parts)(patch)
    before(Handler, "_announce", _note_error)(patch)


def _last_bin_wins(sort: Method) -> Method:
    """In a touchdown of an odd lot all devices get the bin of the last one."""

    def changed(self: Handler) -> None:
        if 1 < len(self._answer) < len(self._sites):
            self._answer = [{**entry, "binning": self._answer[-1]["binning"]} for entry in self._answer]
        sort(self)

    return changed


# STDF writer -------------------------------------------------------------------------------------------------------


def _new_file_on_reload(opened: Method) -> Method:
    """A lot that is loaded again begins a new file."""

    def changed(self: StdfFile, job: Any) -> None:
        self._lots = {}
        opened(self, job)

    return changed


def _last_site_summaries(summary: Method) -> Method:
    """The summaries of one site take the place of those of the others."""

    def changed(self: StdfFile, site: str, records: list[Json]) -> None:
        self._summaries = {}
        summary(self, site, records)

    return changed


def _skips_result_after_wafer(result: Method) -> Method:
    """The first result on a further wafer is lost."""

    def changed(self: StdfFile, site: str, records: list[Json]) -> None:
        wafer = self._writer and self._writer.wafer
        last, self._wafer_before = getattr(self, "_wafer_before", None), wafer
        if last is not None and last != wafer:
            return
        result(self, site, records)

    return changed


def _leaves_partial(write: Method) -> Method:
    """What a full disk took of a record stays in the file."""

    def changed(self: LotFile, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left[: self._writable(len(left))]) :]
        self._written += len(data)

    return changed


def _drops_retested(touchdown: Method) -> Method:
    """A result whose part id was written before is not written again."""

    def changed(self: LotWriter, records: list[Json]) -> Any:
        known = getattr(self, "_known_parts", set())
        part = json.dumps(records[-1].get("PART_ID"))
        if part in known:
            return None
        self._known_parts = known | {part}
        return touchdown(self, records)

    return changed


_P, _M, _C, _T, _H, _S = "sequencer", "master", "control", "TCC", "handler", "STDF writer"

MUTANTS: Mapping[str, Mutant] = {
    "trigger one test late": Mutant(_P, "trigger_on_test is off by one", _job(_trigger_one_late)),
    "trigger on the first failure only": Mutant(
        _P, "a second failing test gives no trigger", around(ModelledSequencer, "_trigger", _trigger_only_once)
    ),
    "stop_on_fail stays on": Mutant(_P, "stop_on_fail is never taken back", _job(_latched_stop)),
    "good bin when stopped": Mutant(_P, "a stopped device gets hard bin 1", _results(_good_hard_bin_when_stopped)),
    "stopped device counts all tests": Mutant(
        _P, "NUM_TEST counts tests that did not run", _results(_counts_all_tests_when_stopped)
    ),
    "last test does not count": Mutant(
        _P, "a device that fails its last test only is passed", _results(_last_test_does_not_count)
    ),
    "record of the next site": Mutant(_P, "SITE_NUM of one record is off by one", _results(_site_by_place)),
    "old part when alone": Mutant(
        _P, "a device alone in its touchdown has an earlier part id", _results(_old_part_after_empty_touchdown)
    ),
    "short MPR of failed devices": Mutant(_P, "the last value of an MPR is lost", _results(_loses_multiple_results)),
    "single step turns records round": Mutant(
        _P, "with single_step the verdicts come first", _results(_single_step_reverses)
    ),
    "stale value with trigger": Mutant(
        _P,
        "with trigger_on_fail vout_1 reports the device before",
        _remembers(_option("trigger_on_fail"), "vout_1"),
    ),
    "stale value with stop_on_test": Mutant(
        _P,
        "with stop_on_test iq_1 reports the device before",
        _remembers(_option("stop_on_test"), "iq_1"),
    ),
    "ramp of the site before": Mutant(
        _P, "on high sites the ramp is asked of another site", around(ModelledSequencer, "_measure", _asks_first_site)
    ),
    "exit code after failures": Mutant(
        _P,
        "a program whose lot had failures ends with 1",
        around(ModelledProgram, "_leave", _exits_badly_after_failures),
    ),
    "no will above site 0": Mutant(
        _P,
        "only the first site's program leaves a will",
        around(ModelledProgram, "_connect", _no_will_above_first_site),
    ),
    "result again after reconnect": Mutant(
        _P, "the last result is sent again after a lost connection", _double_result_after_reconnect
    ),
    "debug line on site 0": Mutant(_P, "log level debug logs on another site's topic", _talks_at_debug_level),
    "moved bins of good devices": Mutant(_P, "the operator's bin map is ignored below bin 12", _ignores_bins),
    "summary counts tests that did not run": Mutant(
        _P, "EXEC_CNT of all tests is that of the first", around(Bookkeeper, "summary", _summary_counts_unrun)
    ),
    "options survive a load": Mutant(
        _M, "a load does not take options back", _commands("load", _options_survive_load)
    ),
    "options lose their value": Mutant(
        _M, "options go out without their argument", before(Master, "_send_next", _drops_option_values)
    ),
    "options one touchdown late": Mutant(
        _M, "next carries the options of the one before", around(Master, "_send_next", _options_one_late)
    ),
    "next to all sites": Mutant(
        _M, "sites without a device are asked to test", around(Master, "_send_next", _next_to_all_sites)
    ),
    "bins by arrival": Mutant(
        _M, "bins go to the sites in order of arrival", around(Touchdown, "answer", _bins_by_place)
    ),
    "deaf when ready": Mutant(_M, "a crash between touchdowns is not noticed", _deaf_while("ready")),
    "deaf when loading": Mutant(_M, "a crash while loading is not noticed", _deaf_while("loading")),
    "no reason for peripherals": Mutant(
        _M, "a silent peripheral is a soft error without reason", around(Master, "fail", _no_reason_for_peripherals)
    ),
    "ready when the last site is": Mutant(
        _M, "loading ends with the last site's program", around(Master, "_program_is_idle", _ready_when_one_is)
    ),
    "results of before the reset": Mutant(
        _M, "results of a failed touchdown still count after a reset", _keeps_touchdown_on_reset
    ),
    "answers out of memory": Mutant(_M, "equal requests are answered from memory", _memory_of_answers),
    "kills only once": Mutant(
        _C, "the second reset leaves the program running", around(Control, "_kill", _kills_once)
    ),
    "busy before loading": Mutant(_C, "a control announces busy first", _says_busy_first),
    "silent about signals": Mutant(_C, "a control does not tell of a killed program", _deaf_will),
    "quick answers come twice": Mutant(
        _T, "a peripheral without latency answers twice", around(TestCellController, "_requested", _twice_when_quick)
    ),
    "answer after absence": Mutant(_T, "a TCC that comes back answers nobody", _answers_after_absence_patch),
    "devices lost in an error": Mutant(
        _H, "of a failed touchdown only one device comes again", around(Lot, "put_back", _drops_after_error)
    ),
    "retested devices count twice": Mutant(
        _H, "a retested device is sorted twice", around(Handler, "_sort", _sorts_retested_twice)
    ),
    "other parts after an error": Mutant(_H, "next names other devices than touch", _wrong_parts_after_error),
    "one bin for odd touchdowns": Mutant(
        _H, "in a partial touchdown the last bin is everybody's", around(Handler, "_sort", _last_bin_wins)
    ),
    "new file on reload": Mutant(
        _S, "a lot loaded again begins a new file", around(StdfFile, "open", _new_file_on_reload)
    ),
    "summaries of one site": Mutant(
        _S, "the summaries of the last site replace the others", around(StdfFile, "summary", _last_site_summaries)
    ),
    "first result of a wafer": Mutant(
        _S, "the first result on a further wafer is lost", around(StdfFile, "result", _skips_result_after_wafer)
    ),
    "partial records stay": Mutant(
        _S, "what a full disk took of a record stays", around(LotFile, "write", _leaves_partial)
    ),
    "retested devices are not written": Mutant(
        _S, "only the first result of a device is in the file", around(LotWriter, "touchdown", _drops_retested)
    ),
}
"""Every mutant by its name."""
