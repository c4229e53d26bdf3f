"""The kernel: one clock, a written-down order of simultaneous events, a journal that survives."""

import asyncio
import hashlib
import itertools
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from enum import StrEnum

import pytest

from drycell.sim.errors import DrycellError
from drycell.sim.kernel import Kernel, Pace, StuckError, ns, stream
from drycell.sim.kernel import journal as journals


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


def test_a_day_of_sleep_costs_no_wall_time_and_ends_exactly(kernel):
    async def main():
        await asyncio.sleep(86_400.000_000_001)
        return kernel.now_ns

    assert kernel.run(main()) == 86_400_000_000_001


def test_ten_tenths_of_a_second_are_exactly_one_second(kernel):
    async def main():
        for _ in range(10):
            await asyncio.sleep(0.1)
        return kernel.now_ns

    assert kernel.run(main()) == 1_000_000_000


def test_simultaneous_events_keep_their_order_whatever_the_order_of_scheduling(kernel):
    """asyncio timers, then SimPy in insertion order, each followed by the callbacks it made ready."""

    def simpy_event(log, name, loop):
        log.append(name)
        loop.call_soon(log.append, f"callback of {name}")

    async def main(order):
        log: list[str] = []
        loop = asyncio.get_running_loop()
        schedule = {
            "timer": lambda: loop.call_later(1, log.append, "timer"),
            "a": lambda: kernel.later(ns(1), lambda: simpy_event(log, "a", loop)),
            "b": lambda: kernel.later(ns(1), lambda: simpy_event(log, "b", loop)),
        }
        for name in order:
            schedule[name]()
        await asyncio.sleep(2)
        return log

    for order in itertools.permutations(["timer", "a", "b"]):
        first, second = (name for name in order if name != "timer")
        expected = ["timer", first, f"callback of {first}", second, f"callback of {second}"]
        assert kernel.run(main(order)) == expected


def test_a_cancelled_timer_neither_runs_nor_holds_the_clock(kernel):
    fired = []
    kernel.later(ns(300), lambda: fired.append("timeout")).cancel()

    async def main():
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        kernel.run(main())
    assert (fired, kernel.now_ns) == ([], 0)


def test_a_cancelled_asyncio_timer_does_not_hide_a_later_one(kernel):
    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(1, done.set_result, "too early").cancel()
        loop.call_later(2, done.set_result, "right")
        return await done, kernel.now_ns

    assert kernel.run(main()) == ("right", ns(2))


def test_a_simpy_process_wakes_a_coroutine(kernel):
    async def main():
        done = asyncio.get_running_loop().create_future()

        def device():
            yield kernel.clock.timeout(ns(0.25))
            done.set_result(kernel.now_ns)

        kernel.process(device())
        return await done

    assert kernel.run(main()) == 250_000_000


def test_threads_are_refused_on_the_loop(kernel):
    async def main():
        await asyncio.to_thread(time.time)

    with pytest.raises(RuntimeError, match="no threads"):
        kernel.run(main())


@pytest.mark.parametrize("text", ["x10", "x40.5"])
def test_a_paced_run_takes_the_wall_time_its_factor_says(text):
    pace = Pace.parse(text)
    begin = time.monotonic()
    kernel = Kernel(pace=pace)
    kernel.run(asyncio.sleep(2))
    wall_s = time.monotonic() - begin
    kernel.close()
    assert wall_s >= 2 / pace.factor
    assert str(pace) == text


@pytest.mark.parametrize("text", ["", "fast", "x0", "x-1", "xx", "x1e3", "10"])
def test_an_unknown_pace_is_refused_with_the_choices(text):
    with pytest.raises(DrycellError, match="use virtual, real or a factor"):
        Pace.parse(text)


def test_streams_depend_on_seed_and_label_alone():
    first = stream(7, "lot", 1).integers(0, 1 << 30, 5).tolist()
    stream(7, "other").integers(0, 9, 1000)
    assert stream(7, "lot", 1).integers(0, 1 << 30, 5).tolist() == first
    assert stream(7, "lot", 2).integers(0, 1 << 30, 5).tolist() != first
    assert stream(8, "lot", 1).integers(0, 1 << 30, 5).tolist() != first
    assert first == [544476538, 775892781, 53408276, 200304475, 901997368]


def test_a_journal_reads_back_what_was_recorded(tmp_path, kernel):
    path = tmp_path / "journal.jsonl"
    other = Kernel(journal_path=path, seed=7)
    other.later(ns(1.5), lambda: other.journal.record("state", "master", state="ready"))
    other.run(asyncio.sleep(2))
    digest = other.journal.sha256
    other.close()
    assert [*journals.read(path)] == [journals.Event(1, 1_500_000_000, "master", "state", {"state": "ready"})]
    assert journals.read_header(path) == {"drycell_journal": 1, "seed": 7}
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_watcher_sees_what_the_file_says_whatever_becomes_of_what_was_recorded(tmp_path):
    path, seen, sites = tmp_path / "journal.jsonl", [], ["0"]
    journal = journals.Journal(lambda: 0, path)
    journal.watch(seen.append)
    journal.record("contact", "handler", sites=sites, pins=("VIN", "VOUT"), volts=math.nan, state=_State.IDLE, n=1)
    sites.append("1")
    journal.close()
    fields = {"sites": ["0"], "pins": ["VIN", "VOUT"], "volts": None, "state": "idle", "n": 1}
    assert seen == [*journals.read(path)] == [journals.Event(1, 0, "handler", "contact", fields)]
    assert type(seen[0].fields["state"]) is str


class _State(StrEnum):
    IDLE = "idle"


def test_payloads_are_kept_as_sent():
    assert journals.payload_fields('{"a": NaN, "°": 1}'.encode()) == {"payload": '{"a": NaN, "°": 1}'}
    assert journals.payload_fields(b"\xff\x00") == {"payload_b64": "/wA="}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a drycell journal"),
        (b"\x00\x01", "is not a drycell journal"),
        (b'{"drycell_journal":99}\n', "reads format 1"),
        (b'{"drycell_journal":1}\n{"seq":1}\n', "line 2"),
        (b'{"drycell_journal":1}\n[]\n', "line 2"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(DrycellError, match=message):
        [*journals.read(path)]


def test_a_cut_last_line_is_left_out(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"drycell_journal":1}\n{"seq":1,"t_ns":0,"actor":"a","kind":"k"}\n{"seq":2,"t_')
    assert [event.seq for event in journals.read(path)] == [1]


def test_killing_the_simulator_loses_nothing_already_acted_upon(tmp_path):
    """The child tells each event on its standard output after it was recorded, and is killed in the middle."""
    path = tmp_path / "journal.jsonl"
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from drycell.sim.kernel import Journal
        journal = Journal(lambda: 0, Path(sys.argv[1]))
        while True:
            print(journal.record("tick", "child"), flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(200)]
    os.kill(child.pid, signal.SIGKILL)
    told += [int(line) for line in child.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    kept = [event.seq for event in journals.read(path)]
    assert kept[: len(told)] == told


def test_where_nobody_is_outside_the_events_of_an_instant_are_kept_before_the_clock_moves(tmp_path):
    """The child is killed in the middle of its third instant."""
    path = tmp_path / "journal.jsonl"
    program = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        from pathlib import Path
        from drycell.sim.kernel import Kernel
        kernel = Kernel(journal_path=Path(sys.argv[1]))
        kernel.journal.by_instant = True
        async def main():
            for _ in range(3):
                await asyncio.sleep(1)
                kernel.journal.record("tick", "child")
                kernel.journal.record("tock", "child")
            os.kill(os.getpid(), signal.SIGKILL)
        kernel.run(main())
        """
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -signal.SIGKILL
    assert [(event.t_ns, event.kind) for event in journals.read(path)] == [
        (at_s * 10**9, kind) for at_s in (1, 2) for kind in ("tick", "tock")
    ]
