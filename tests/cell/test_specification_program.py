"""The modelled program of dialect ``specification`` alone at a broker: order of what it says, options, proxies."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.runtime.protocol import messages
from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.topics import PrintedTopics, Topics
from drycell.sim.broker import Broker
from drycell.sim.cell.program_model import load_program_model
from drycell.sim.cell.sequencer_specification import SpecificationSequencer
from drycell.sim.kernel import Kernel, ns

PROGRAM = load_program_model(Path(__file__).parents[2] / "scenarios" / "demo")
GOOD = {"MEAS:RES?": "0.5", "MEAS:VOUT?": "3.3", "MEAS:IQ?": "55", "MEAS:RAMP?": "3.29,3.3,3.3,3.3,3.3"}
BAD = {**GOOD, "MEAS:VOUT?": "9.9"}
OK = {"status": "ok"}


class Bench:
    """One program of site 0, what it says, and a peripheral that answers ``answers`` in turn, None for silence."""

    def __init__(self, *, measured=GOOD, answers=(), topics=Topics("demo"), bins=PROGRAM.bin_table):  # noqa: B008
        self.kernel = Kernel()
        self.topics = topics
        self.measured = measured
        self.answers = list(answers)
        self.bins = bins
        self.said = []
        self.pieces = []
        self.exits = []
        self.triggers = []
        self.kernel.journal.watch(self._watch)
        self.broker = Broker(now_ns=lambda: self.kernel.now_ns, record=self.kernel.journal.record, tcp=False)

    def play(self, *steps, pause_s=8.0):
        """Start the program, give each command (bytes or dictionary), call each function, and wait in between."""
        self.kernel.run(self._play(steps, pause_s))
        self.kernel.close()
        return self

    async def _play(self, steps, pause_s):
        await self.broker.start()
        for topic_filter in self.topics.heard_program:
            self.broker.tap(topic_filter, self._hear)
        SpecificationSequencer(
            self.kernel,
            self.broker,
            self.topics,
            PROGRAM,
            "0",
            put=lambda instrument, line, done: done(self.measured[line.split()[0]]),
            bin_table=self.bins,
            timeouts_s={},
            on_exit=lambda code, words: self.exits.append(code),
        )
        await asyncio.sleep(1)
        for step in steps:
            if callable(step):
                step()
            else:
                payload = step if isinstance(step, bytes) else messages.encode(step)
                self.broker.publish("master", self.topics.program_cmd, payload, 2)
            await asyncio.sleep(pause_s)
        await self.broker.stop()

    def _watch(self, event):
        if event.kind == "trigger":
            self.triggers.append((event.fields["cause"], event.fields["test"]))

    def _hear(self, message):
        topic = self.topics.canonical(message.topic)
        kind = topic.split("/")[3]
        if kind == "stdf":
            self.pieces.append(spec.read_fragment(message.payload))
            self.said.append("stdf")
            return
        content = messages.decode(message.payload) if kind != "cmd" else {}
        if kind == "status":
            self.said.append(content["state"])
        elif kind == "log" and content["type"] == "teardown":
            self.said.append(content["payload"])
        elif kind == "log":
            self.said.append("log")
        elif kind == "io-control":
            self.said.append("asks")
            self._answer(content)

    def _answer(self, request):
        answer = self.answers.pop(0) if self.answers else (0.05, OK)
        if answer is not None:
            delay_s, what = answer
            response = spec.io_response(request["ioctl_name"], what, [request["request_id"]])
            topic = self.topics.master_peripheral(request["periphery_type"])
            self.kernel.later(ns(delay_s), lambda: self.broker.publish("master", topic, messages.encode(response), 2))

    def devices(self):
        """The records of each device: cut at its PRR."""
        found, device = [], []
        for record in spec.read_records(self.pieces):
            device.append(record)
            if record["type"] == "PRR":
                found.append(device)
                device = []
        assert not device
        return found


def next_(part="1", site="0", **options):
    return messages.command(
        "next", [site], job_data=messages.job_data(options, [{"siteid": site, "partid": part, "binning": -1}])
    )


TERMINATE = messages.command("Terminate", ["0"])
CYCLE = ["testing", "asks", "stdf", "stdf", "stdf", "stdf", "stdf"]
GOOD_END = [{"callback": "cycle_teardown", "has_error": False}, "idle"]
FAREWELL = [{"callback": "program_teardown"}, "Shutdown"]


@pytest.mark.row("SEQ-10", "SEQ-12", "SEQ-17", "SEQ-41", "SEQ-43", "SEQ-47", "SEQ-48", "SEQ-55", "SEQ-56", "SEQ-57")
@pytest.mark.parametrize("topics", [Topics("demo"), PrintedTopics("demo")], ids=["canonical", "printed"])
def test_a_device_and_the_end_in_the_order_of_the_specification(topics):
    bench = Bench(topics=topics).play(next_("17"), TERMINATE)
    assert bench.said == ["idle", *CYCLE, *GOOD_END, *FAREWELL]
    ((first, *_, last),) = bench.devices()
    assert (first["type"], last["PART_ID"], bench.exits) == ("PIR", "17", [0])


@pytest.mark.row("SEQ-11", "SEQ-16")
def test_commands_for_other_sites_are_not_heard():
    bench = Bench().play(next_(site="1"), messages.command("terminate", ["1", "2"]))
    assert bench.said == ["idle"]


@pytest.mark.parametrize(
    "bad",
    [
        *(b"", b"{", b"[]", {"type": "cmd"}),
        messages.command("dance", ["0"]),
        messages.command("next", ["0"], job_data=3),
        messages.command("next", ["0"], job_data={"stop_on_fail": True}),
    ],
)
def test_what_it_does_not_understand_it_ignores_with_a_warning_and_goes_on(bad):
    bench = Bench().play(bad, next_())
    assert bench.said == ["idle", "log", *CYCLE, *GOOD_END]


@pytest.mark.row("SEQ-55")
def test_next_while_testing_is_ignored_and_terminate_waits_for_the_device():
    bench = Bench()
    bench.play(next_("1"), next_("2"), TERMINATE, *[lambda: None] * 10, pause_s=0.02)
    told = [one for one in bench.said if one not in ("stdf", "asks")]
    assert told == ["idle", "testing", "log", "log", *GOOD_END, *FAREWELL]
    assert ([device[-1]["PART_ID"] for device in bench.devices()], bench.exits) == (["1"], [0])


@pytest.mark.row("SEQ-50")
def test_an_error_at_start_up_is_reported_then_torn_down_then_the_process_ends_badly():
    bench = Bench(bins={1: (1,)}).play()
    assert (bench.said, bench.exits) == (["error", {"callback": "program_teardown"}, "log"], [1])


@pytest.mark.row("SEQ-51", "SEQ-52")
def test_an_exception_in_a_test_fails_it_and_is_told_to_the_teardown_of_this_device_only():
    bench = Bench()
    bench.measured = {**GOOD, "MEAS:IQ?": "ERROR no range"}
    bench.play(next_("1"), lambda: bench.measured.update(GOOD), next_("2"))
    told = [one["has_error"] for one in bench.said if isinstance(one, dict)]
    flags = [[r["TEST_FLG"] for r in device if r["type"] == "FTR"] for device in bench.devices()]
    assert (told, flags) == ([True, False], [[0, 0, 1, 0], [0, 0, 0, 0]])


def test_a_test_that_fails_its_limits_is_no_exception():
    bench = Bench(measured=BAD).play(next_())
    assert bench.said[-2:] == GOOD_END


# proxies -----------------------------------------------------------------------------------------------------------


@pytest.mark.row("SEQ-27", "SEQ-29", "SEQ-30")
def test_a_proxy_blocks_until_its_peripheral_has_answered():
    prompt, slow = (Bench(answers=[(delay_s, OK)]).play(next_()).devices()[0][-1] for delay_s in (0.1, 4.9))
    assert slow["TEST_T"] - prompt["TEST_T"] == 4800
    assert slow["SOFT_BIN"] == 1


@pytest.mark.parametrize("answer", [None, (5.1, OK), (0.1, {"status": "bad_ioctl"}), (0.1, "Timeout")])
def test_a_peripheral_that_does_not_answer_or_refuses_fails_the_test_and_the_next_device_is_tested_as_ever(answer):
    bench = Bench(answers=[answer]).play(next_("1"), next_("2"))
    lost, after = bench.devices()
    assert (lost[-1]["SOFT_BIN"], after[-1]["SOFT_BIN"]) == (60000, 1)
    assert [one["has_error"] for one in bench.said if isinstance(one, dict)] == [True, False]
    assert bench.said[-1] == "idle"


# options -----------------------------------------------------------------------------------------------------------

ON_FAIL = st.booleans()
ON_TEST = st.one_of(st.none(), st.integers(0, 5))


@pytest.mark.row("SEQ-18", "SEQ-19", "SEQ-20", "SEQ-21", "SEQ-23", "SEQ-24")
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), ON_FAIL, ON_TEST, st.booleans()), min_size=1, max_size=6))
def test_options_that_change_between_any_two_nexts_hold_for_exactly_the_next_device(cycles):
    bench = Bench()
    steps, due, ran = [], [], []
    for number, (stop, on_fail, on_test, is_bad) in enumerate(cycles, 1):
        options = {"stop_on_fail": {"active": stop, "value": -1}, "trigger_on_fail": {"active": on_fail, "value": -1}}
        if on_test is not None:
            options["trigger_on_test"] = {"active": True, "value": on_test}
        steps += [
            lambda values=BAD if is_bad else GOOD: setattr(bench, "measured", values),
            next_(str(number), **options),
        ]
        tests = 2 if stop and is_bad else 4
        ran.append(tests)
        for index in range(tests):
            due += [("test", index)] * (on_test == index)
            due += [("fail", 1)] * (is_bad and on_fail and index == 1)
    bench.play(*steps, pause_s=0.5)
    assert [sum(record["type"] == "FTR" for record in device) for device in bench.devices()] == ran
    assert bench.triggers == due
