"""The tester of a cell: programs wait for their release, on rung model and, through the bridge, on rung process."""

import asyncio
import json
import shutil
import socket
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.bridge import LINE_LIMIT, Bridge, Offer
from drycell.sim.cell.tester_calls import CallsToTester
from drycell.sim.errors import DrycellError
from drycell.sim.hooks import registry
from drycell.sim.kernel import Kernel

SITES = {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]}
TESTS = 4
PING_PONG = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2], [1, 3], [0, 1, 2, 3]]
"""Who is released in one touchdown: the third test of the demo program runs in two stages."""
PROMISES = ("lot completes", "one result per device", "bins agree", "programs end well", "records are in order")
real = [pytest.mark.real, pytest.mark.xdist_group("real")]
RUNGS = ["model", pytest.param("process", marks=real)]


def four(tester: dict[str, Any] | None = None, **cell: Any) -> dict[str, Any]:
    """A cell with four sites whose third test runs in two ping-pong stages."""
    return {"sites": 4, "layout": SITES, "tester": tester or {"model": "parallel"}, **cell}


def broken(flight: Any) -> list[tuple[str, str]]:
    return [(one.name, one.text) for one in flight.result.oracles if one.verdict == "violated"]


def stages(flight: Any) -> list[list[int]]:
    return [event.fields["sites"] for event in flight.kinds("release")]


def overlaps(flight: Any) -> list[int]:
    """Sequence numbers of releases while a site that is not of that stage was still in its test."""
    busy: set[int] = set()
    found = []
    for event in flight.events:
        if event.kind == "release":
            if busy:
                found.append(event.seq)
            busy |= set(event.fields["sites"])
        elif event.kind == "tester" and event.fields["call"] in ("request", "withdraw", "teardown", "init"):
            busy.discard(event.fields["site"])
        elif event.kind == "message" and "/TestApp/status/site" in (topic := event.fields["topic"]):
            ended = json.loads(event.fields["payload"])["payload"]["state"] != "testing"
            busy -= {int(topic.rpartition("site")[2])} if ended else set()
    return found


@pytest.mark.row("HS-37", "HS-38", "HS-50", "HS-51", "HS-52")
@pytest.mark.parametrize(("rung", "touchdowns"), [("model", 100), pytest.param("process", 25, marks=real)])
def test_four_sites_in_two_ping_pong_stages_never_wait_for_ever(fly: Any, rung: str, touchdowns: int) -> None:
    """The full size, 1,000 touchdowns on both rungs, is tests/quality/ping_pong.py."""
    flight = fly(rung=rung, cell=four(), devices={"size": 4 * touchdowns, "defects": "16%"})
    assert broken(flight) == []
    assert all(flight.verdict(name) == "holds" for name in PROMISES)
    assert len(flight.kinds("contact")) == touchdowns
    assert stages(flight) == PING_PONG * touchdowns
    assert overlaps(flight) == []


def calls(flight: Any, site: int) -> list[str]:
    return [e.fields["call"] for e in flight.kinds("tester") if e.fields["site"] == site]


@pytest.mark.row("HS-35", "HS-40", "HS-41")
@pytest.mark.parametrize("rung", RUNGS)
def test_a_program_uses_its_tester_as_the_packages_do(fly: Any, rung: str) -> None:
    """Set-up once, request and in progress for each test, teardown at the end; done is never said (1.0.17)."""
    flight = fly(rung=rung, cell={"tester": {"model": "single"}}, devices={"size": 4, "defects": 0})
    for site in (0, 1):
        assert calls(flight, site) == ["init", "setup", *["request", "in_progress"] * TESTS * 2, "teardown"]
    assert stages(flight) == []


@pytest.mark.parametrize("rung", RUNGS)
def test_trigger_pulses_reach_the_tester_as_the_options_say(fly: Any, rung: str) -> None:
    on = {"trigger_on_fail": True, "trigger_on_test": {"active": True, "value": 2}}
    flight = fly(
        rung=rung,
        cell={"sites": 1, "tester": {"model": "single"}},
        devices={"size": 12, "defects": "60%"},
        timeline=[{"when": {"touchdown": 3}, "do": {"options": on}}],
    )
    first = next(event.seq for event in flight.kinds("contact") if event.fields["touchdown"] == 3)
    pulses = [event.seq for event in flight.kinds("tester") if event.fields["call"] == "pulse"]
    failed = [
        sum(record["type"] == "FTR" and record["TEST_FLG"] != 0 for record in heard.content["payload"])
        for heard in flight.facts.program("testresult")
        if heard.event.seq > first
    ]
    assert sum(failed) > 0
    assert len(pulses) == len(failed) + sum(failed)
    assert all(seq > first for seq in pulses)


def test_sites_that_stop_on_a_failure_are_not_waited_for(fly: Any) -> None:
    flight = fly(
        cell=four(),
        devices={"size": 80, "defects": "60%"},
        timeline=[{"when": {"touchdown": 1}, "do": {"options": {"stop_on_fail": True}}}],
    )
    assert broken(flight) == []
    assert flight.verdict("stop on fail stops") == "holds"
    assert Counter(map(len, stages(flight))).keys() > {4, 3}
    assert overlaps(flight) == []


@pytest.mark.parametrize("sites", [3, 16])
def test_any_number_of_sites_may_take_turns_in_every_test(fly: Any, demo: Path, tmp_path: Path, sites: int) -> None:
    """A load board of its own: the first sites together, then the others."""
    halves = [list(range(sites // 2)), list(range(sites // 2, sites))]
    shutil.copytree(demo, tmp_path / "board")
    for kind in ("hardware", "program"):
        (file,) = (tmp_path / "board" / "definitions" / kind).glob("*.json")
        (row,) = rows = json.loads(file.read_text())
        if kind == "hardware":
            stages_ = [[str(site) for site in half] for half in halves]
            places = [[0, site] for site in range(sites)]
            config = {"name": "mine", "sites": places, "configs": [{"id": 0, "name": "halves", "stages": stages_}]}
            row["definition"]["Parallelism"]["PR"].append(config)
        else:
            row["execution_sequence"]["mine"] = [0] * TESTS
        file.write_text(json.dumps(rows))
    flight = fly(
        cell={"sites": sites, "tester": {"model": "parallel"}},
        program={"definitions": str(tmp_path / "board")},
        devices={"size": 3 * sites},
    )
    assert broken(flight) == []
    assert stages(flight) == halves * TESTS * 3
    assert overlaps(flight) == []


def test_with_strategy_simple_nobody_waits_for_anybody(fly: Any) -> None:
    flight = fly(cell=four({"model": "parallel simple"}), devices={"size": 8})
    assert broken(flight) == []
    assert all(len(sites) == 1 for sites in stages(flight))
    assert len(stages(flight)) == 8 * TESTS


@pytest.mark.parametrize("rung", RUNGS)
def test_a_site_that_dies_in_its_stage_leaves_the_cell_able_to_come_back(fly: Any, rung: str) -> None:
    flight = fly(
        rung=rung,
        cell=four(operator={"resets": 1}),
        devices={"size": 32},
        timeline=[
            {
                "when": {
                    "touchdown": 3,
                },
                "with_delay": "120ms",
                "do": {"kill": {"site": 1}},
            }
        ],
    )
    assert flight.verdict("the cell comes back") == "holds"
    assert flight.verdict("one result per device") != "violated"
    asked = [list(group) for _, group in groupby(calls(flight, 1))]
    assert asked.count(["setup"]) == 2


def test_a_program_that_nobody_releases_says_so_after_a_hundred_seconds(fly: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("drycell.sim.cell.release.Releases._review", lambda self: None)
    flight = fly(cell=four(timeouts={"results_s": 200}), devices={"size": 4})
    (problem, *_) = flight.kinds("exit")
    assert problem.fields["exit_code"] == 1
    assert [e.fields["call"] for e in flight.kinds("tester") if e.fields["site"] == 0] == [
        *("init", "setup", "request", "withdraw"),
    ]
    asked, given_up = (e.t_ns for e in flight.kinds("tester") if e.fields["site"] == 0 and e.seq > 60)
    assert given_up - asked == 100 * 10**9


def test_the_same_lot_gives_the_same_bins_with_and_without_a_tester(fly: Any) -> None:
    plain = fly(cell={"sites": 4, "layout": SITES}, devices={"size": 40})
    released = fly(cell=four(), devices={"size": 40})
    assert released.result.soft_bins == plain.result.soft_bins


def test_what_cannot_be_is_one_sentence(fly: Any, tmp_path: Path) -> None:
    with pytest.raises(DrycellError, match=r"cell\.tester: a parallel tester has 1 to 16 sites, not 17"):
        fly(cell={"sites": [16], "tester": {"model": "parallel"}})
    with pytest.raises(
        DrycellError, match=r"cell\.tester\.model: there is no tester 'paralel'; did you mean 'parallel'"
    ):
        fly(cell={"tester": {"model": "paralel"}})
    with pytest.raises(DrycellError, match="dialect semi-ate only"):
        fly(cell={"dialect": "specification", "tester": {}})
    (tmp_path / "own.py").write_text("import drycell.runtime.program\n")
    with pytest.raises(DrycellError, match="ask no tester"):
        fly(cell={"tester": {}}, program={"path": str(tmp_path / "own.py")})


@real[0]
@real[1]
def test_a_name_that_is_not_bridged_is_answered_by_the_programs_own_environment(fly: Any) -> None:
    flight = fly(
        rung="process", cell={"tester": {"model": "single", "names": ["Another Tester"]}}, devices={"size": 2}
    )
    assert broken(flight) == []
    assert flight.kinds("tester") == []


# the bridge's own port -----------------------------------------------------------------------------------------------


class Conversation:
    """A bridge on a kernel of its own, and one client that says what it likes."""

    def __init__(self, lines: list[bytes]) -> None:
        self.kernel = Kernel()
        self.answers: list[dict[str, Any]] = []
        self.lines = lines

    def run(self) -> list[dict[str, Any]]:
        port = _Port(self.kernel)
        tester = registry().tester("parallel", 2)
        bridge = Bridge({"tester": Offer(None, lambda name, site: CallsToTester(port, tester, 2))})  # type: ignore[arg-type]
        try:
            self.kernel.run(self._talk(bridge))
        finally:
            self.kernel.close()
        return self.answers

    async def _talk(self, bridge: Bridge) -> None:

        await bridge.start()
        with socket.create_connection(("127.0.0.1", bridge.tcp_port)) as client:
            client.setblocking(False)
            client.sendall(b"".join(self.lines))
            buffer = b""
            for _ in range(200):
                await asyncio.sleep(1)
                try:
                    buffer += client.recv(1 << 16)
                except BlockingIOError:
                    continue
        self.answers = [json.loads(line) for line in buffer.splitlines()]
        await bridge.stop()


class _Port:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def later(self, delay_s: float, action: Any) -> Any:
        return self._kernel.later(round(delay_s * 1e9), action)


HELLO = b'{"bridge": 1, "kind": "tester", "name": "any", "site": 0}\n'


def test_the_bridge_answers_every_line_and_believes_none() -> None:
    said = [
        HELLO,
        b'{"call": "get_sites_count", "arguments": []}\n',
        b'{"call": "do_request", "arguments": [7, 1]}\n',
        b'{"call": "do_request", "arguments": [0, -1]}\n',
        b'{"call": "do_request", "arguments": ["0", 1]}\n',
        b'{"call": "__class__", "arguments": [0]}\n',
        b'{"call": "setup", "arguments": {}}\n',
        b"not json\n",
        b"[1]\n",
        b'{"call": "setup", "arguments": [1]}\n',
        b'{"call": "test_done", "arguments": [1, 5]}\n',
        b'{"call": "do_request", "arguments": [0, 1]}\n',
        b'{"call": "get_sites_count", "arguments": []}\n',
    ]
    answers = Conversation(said).run()
    kinds = ["value" if "value" in answer else answer["error"]["type"] for answer in answers]
    assert kinds == ["value", "value", *["ValueError"] * 5, "JSONDecodeError", "ValueError", *["value"] * 4]
    assert answers[1]["value"] == 2
    assert [answer["value"] for answer in answers[-2:]] == [False, 2]  # one after the other, as they were asked


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"bridge": 2, "kind": "tester"}\n', "version 2"),
        (b'{"bridge": 1, "kind": "laser"}\n', "no laser"),
        (b"x" * (LINE_LIMIT + 1), "longer than"),
    ],
    ids=["version", "kind", "length"],
)
def test_the_bridge_refuses_what_it_does_not_serve(line: bytes, reason: str) -> None:
    (answer, *_) = Conversation([line]).run()
    assert reason in answer["error"]["text"]


def test_a_broken_connection_takes_its_request_with_it() -> None:
    kernel = Kernel()
    tester = registry().tester("parallel", 2)
    made = CallsToTester(_Port(kernel), tester, 2)  # type: ignore[arg-type]
    made.call("do_request", [1, 100], lambda value: None, lambda error: None)
    assert list(tester.asking) == [1]
    made.close()
    assert list(tester.asking) == []
    kernel.close()
