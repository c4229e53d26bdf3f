"""Real MQTT clients in virtual time against the simulator's broker: equal journals, exact clocks, exact wills."""

import json
import os
import signal
import subprocess
import sys

import pytest

from drycell.sim.lockstep import Settings
from tests.environments import environment
from tests.lockstep.cell import ANSWER_NS, PROGRAM, Cell
from tests.lockstep.interpreters import interpreter

PAHO_2, PAHO_1 = "paho-mqtt==2.1.0", "paho-mqtt==1.6.1"


def python(requirement: str = PAHO_2, version: str | None = None) -> str:
    base = interpreter(version) if version else sys.executable
    if base is None:
        pytest.skip(f"no CPython {version} on this machine")
    return str(environment("paho2" if requirement == PAHO_2 else "paho1", [requirement], base))


@pytest.fixture(scope="module")
def reference() -> Cell:
    """40 cycles on two sites with paho 2 on this Python, tick 0."""
    return Cell(python(), 2, 40).run()


@pytest.mark.parametrize(
    ("requirement", "version"),
    [(PAHO_1, None), (PAHO_2, "3.11"), (PAHO_2, "3.12"), (PAHO_2, "3.13"), (PAHO_1, "3.13")],
)
def test_the_journal_is_the_same_for_each_client_library_and_python_at_tick_0(
    reference: Cell, requirement: str, version: str | None
) -> None:
    assert Cell(python(requirement, version), 2, 40).run().sha256 == reference.sha256


def test_client_clocks_equal_the_simulated_clock_exactly(reference: Cell) -> None:
    results = [(at, json.loads(text)) for at, topic, text in reference.messages if topic.startswith("result/")]
    assert len(results) == 80
    for at, result in results:
        assert result["ok"] is True
        assert result["slept"] == [2_500_000_000, 2_500_000_000]
        assert result["now"] - reference.settings.epoch_ns == at
    first = [at for at, topic, _ in reference.messages if topic == "result/0"]
    assert first == [(2_500_000_000 + ANSWER_NS) * (n + 1) for n in range(40)]


def test_with_a_tick_the_run_repeats_too_whatever_the_hash_seed_and_the_load_of_the_machine() -> None:
    def once(seed: str, hogs: int) -> str:
        load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(hogs)]
        try:
            command = [
                sys.executable, "-c",
                "import sys; from tests.lockstep.cell import *;"
                "print(Cell(sys.argv[1], 2, 15, Settings(tick_ns=1000)).run().sha256)", python(),
            ]  # fmt: skip
            return subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed}, text=True)
        finally:
            for process in load:
                process.kill()
                process.wait()

    assert len({once("1", 0), once("2", 0), once("3", 4)}) == 1


def test_a_killed_client_leaves_its_will_at_that_very_instant() -> None:
    def also(cell: Cell) -> None:
        cell.kernel.later(6_000_000_000, lambda: cell.lockstep.kill("site0"))

    cell = Cell(python(), 1, 40, also=also).run()
    assert cell.ended == {"site0": (6_000_000_000, -signal.SIGKILL)}
    assert cell.messages[-1] == (6_000_000_000, "status/0", "crash")


def test_a_client_cut_off_without_a_word_leaves_its_will_after_one_and_a_half_keepalives() -> None:
    def also(cell: Cell) -> None:
        cell.kernel.later(2_600_000_000, lambda: cell.lockstep.freeze("site0"))

    cell = Cell(python(), 1, 40, also=also, until_s=120).run()
    last_packet = 2_500_000_000 + ANSWER_NS  # the result, and what the broker heard with it
    assert cell.messages[-1] == (last_packet + 90_000_000_000, "status/0", "crash")


def test_ten_megabytes_pass_in_both_directions(world) -> None:  # type: ignore[no-untyped-def]
    text = """
        import hashlib, os, socket, time
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        big = bytes(range(32, 127)) * 110000
        start = time.monotonic()
        peer.sendall(b"I am big\\n" + big + b"\\n")
        file = peer.makefile("rb")
        assert file.readline() == b"hello\\n"
        echo = file.readline()
        assert echo[:-1] == big, (len(echo), len(big))
        print(time.monotonic() - start, len(echo))
    """

    def run() -> tuple[int, list[str]]:
        one = world(answer=lambda line: "hello" if line == "I am big" else line, settings=Settings(tick_ns=1000))
        one.stream_limit = 1 << 24
        one.run(lambda: one.program("big", text))
        assert one.codes == {"big": 0}, one.output["big"]
        return one.lockstep.counters.supersteps, one.lines("big")

    first, second = run(), run()
    assert first == second
    assert first[1][0].endswith(" 10450001")


def test_a_publish_of_ten_megabytes_comes_back_whole() -> None:
    def run() -> tuple[str, str]:
        cell = Cell(python(), program=PROGRAM.with_name("big_like.py")).run()
        return cell.output["site0"], cell.sha256

    first, second = run(), run()
    assert first == second
    assert first[0] == "True\n"


@pytest.mark.parametrize("library", ["aiomqtt==2.5.1", "gmqtt==0.7.0"])
def test_other_client_libraries_run_unmodified_too(library: str) -> None:
    name = library.partition("=")[0]
    interpreter_of = str(environment(name, [library]))
    program = PROGRAM.with_name(f"{name}_like.py")
    first, second = (Cell(interpreter_of, 2, 10, program=program).run() for _ in range(2))
    results = [(at, json.loads(text)) for at, topic, text in first.messages if topic.startswith("result/")]
    assert len(results) == 20, first.output
    assert all(result["now"] - first.settings.epoch_ns == at for at, result in results)
    assert all(result["slept"] == [2_500_000_000, 2_500_000_000] for _, result in results)
    assert first.sha256 == second.sha256
