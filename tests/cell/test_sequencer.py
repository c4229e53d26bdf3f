"""The modelled program alone at a broker, commanded by hand: states, answers and farewells of the real packages."""

import asyncio
from pathlib import Path

import pytest

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Broker
from drycell.sim.cell.program_model import load_program_model
from drycell.sim.cell.sequencer import ModelledSequencer
from drycell.sim.kernel import Kernel

TOPICS = Topics("demo")
PROGRAM = load_program_model(Path(__file__).parents[2] / "scenarios" / "demo")
ANSWERS = {"MEAS:RES?": "0.5", "MEAS:VOUT?": "3.3", "MEAS:IQ?": "55", "MEAS:RAMP?": "3.29,3.3,3.3,3.3,3.3"}


class Bench:
    """One program of site 0, and what it says."""

    def __init__(self, *quirks, answers=ANSWERS):
        self.kernel = Kernel()
        self.heard = []
        self.exits = []
        self.broker = Broker(now_ns=lambda: self.kernel.now_ns, record=self.kernel.journal.record, tcp=False)
        self.quirks = quirks
        self.answers = answers

    def play(self, *commands, idle_s=8.0):
        """Start the program, give each command and wait ``idle_s`` after each; returns what it said."""
        self.kernel.run(self._play(commands, idle_s))
        self.kernel.close()
        return self.heard

    async def _play(self, commands, idle_s):
        await self.broker.start()
        self.broker.tap(TOPICS.any_program, self._hear)
        ModelledSequencer(
            self.kernel,
            self.broker,
            TOPICS,
            PROGRAM,
            "0",
            put=lambda instrument, line, done: done(self.answers[line.split()[0]]),
            bin_table=PROGRAM.bin_table,
            timeouts_s={"peripheral_s": 1},
            quirks=self.quirks,
            on_exit=lambda code, words: self.exits.append((code, words)),
        )
        await asyncio.sleep(1)
        for command in commands:
            payload = command if isinstance(command, bytes) else messages.encode(command)
            self.broker.publish("master", TOPICS.program_cmd, payload, 2)
            await asyncio.sleep(idle_s)
        await self.broker.stop()

    def _hear(self, message):
        if message.topic != TOPICS.program_cmd and "io-control" not in message.topic:
            self.heard.append((message.topic.split("/")[3], messages.decode(message.payload)))

    def states(self):
        return [content["state"] for kind, content in self.heard if kind == "status"]

    def parts(self):
        return [
            r["PART_ID"] for kind, c in self.heard if kind == "testresult" for r in c["payload"] if r["type"] == "PRR"
        ]


def command(name, *sites, **extra):
    return messages.command(name, sites or ("0",), **extra)


def next_(part="1", site="0", **changes):
    data = messages.job_data({}, [{"siteid": site, "partid": part, "binning": -1}])
    return command("next", job_data={**data, **changes})


def test_a_cycle_and_a_polite_end():
    bench = Bench()
    said = bench.play(next_("17"), command("terminate"))
    assert bench.states() == ["idle", "testing", "idle", "terminated"]
    assert [kind for kind, _ in said] == ["status", "status", "status", "testresult", "testsummary", "status"]
    assert (bench.parts(), bench.exits) == (["17"], [(0, "")])
    assert len(said[-2][1]["payload"]) == 7


def test_reset_ends_without_a_summary():
    bench = Bench()
    said = bench.play(command("reset"))
    assert [kind for kind, _ in said] == ["status", "status"]
    assert (bench.states(), bench.exits) == (["idle", "terminated"], [(0, "")])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (command("dance"), "unknown command"),
        (command("getexecutionstrategy", layout=[[9, 9]]), "no execution strategy"),
        (command("setparameter", parameters=[{"parametername": "a.b", "value": 1}]), "could not be found"),
        (next_(stop_on_fail=True), "not an object"),
        (command("next"), "without job_data"),
        (command("next", job_data={"a": 1}), "no sites_info"),
        (next_(site="1"), "no entry for site 0"),
        (next_(test_sequence=["nope"]), "unknown tests"),
    ],
)
def test_an_illegal_command_ends_in_error_with_the_reason_in_the_log(bad, reason):
    bench = Bench()
    bench.play(bad)
    assert bench.states()[-1] == "error"
    assert [code for code, _ in bench.exits] == [1]
    assert any(kind == "log" and reason in content["payload"] for kind, content in bench.heard)


@pytest.mark.parametrize("bad", [b"", b"{", b'{"type": "cmd"}', b'{"type": "x", "command": "next", "sites": ["0"]}'])
def test_a_command_that_is_not_understood_cuts_the_connection_and_the_will_says_crash(bad):
    bench = Bench()
    bench.play(bad)
    assert (bench.states(), [code for code, _ in bench.exits]) == (["idle", "crash"], [1])


def test_a_second_next_while_testing_is_an_error():
    bench = Bench()
    bench.play(next_("1"), next_("2"), idle_s=0.02)
    assert bench.states() == ["idle", "testing", "error"]


def test_commands_for_other_sites_are_ignored():
    bench = Bench()
    bench.play(command("terminate", "1", "2"))
    assert bench.states() == ["idle"]


def test_a_test_sequence_selects_tests_in_program_order():
    bench = Bench()
    said = bench.play(next_(test_sequence=["iq_1", "vout_1"]))
    records = next(c["payload"] for kind, c in said if kind == "testresult")
    assert [r["TEST_NUM"] for r in records if r["type"] == "FTR"] == [200, 300]


def test_a_meter_that_refuses_ends_the_test_in_its_alarm_bin():
    bench = Bench(answers={**ANSWERS, "MEAS:IQ?": "ERROR no range"})
    said = bench.play(next_())
    records = next(c["payload"] for kind, c in said if kind == "testresult")
    assert [r["TEST_FLG"] for r in records if r["type"] == "FTR"] == [0, 0, 1, 0]
    assert (records[-1]["SOFT_BIN"], records[-1]["HARD_BIN"], records[-1]["PART_FLG"]) == (60002, 0, 8)


def test_without_an_answer_of_the_peripheral_the_test_goes_on_after_the_timeout():
    bench = Bench()
    said = bench.play(next_())
    prr = next(c["payload"][-1] for kind, c in said if kind == "testresult")
    assert (prr["SOFT_BIN"], prr["TEST_T"]) == (1, 1100)


@pytest.mark.parametrize(("quirks", "parts"), [((), ["1"]), (("sequencer-reuses-part-id",), ["1", "1"])])
def test_when_its_site_is_missing_in_sites_info(quirks, parts):
    bench = Bench(*quirks)
    bench.play(next_("1"), next_("2", site="1"))
    assert bench.parts() == parts


@pytest.mark.parametrize(("quirks", "parts"), [((), ["1"]), (("sequencer-keeps-options",), ["1", "1"])])
def test_a_next_without_job_data_after_one_with(quirks, parts):
    bench = Bench(*quirks)
    bench.play(next_("1"), command("next"))
    assert bench.parts() == parts
