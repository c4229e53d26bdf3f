"""Unmodified little programs in virtual time: clocks, sleeps, threads, queues, executors, selectors, asyncio."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.lockstep.interpreters import interpreter

VERSIONS = ["3.11", "3.12", "3.13"]


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no CPython {request.param} on this machine")
    return found


def only(world: Callable[..., Any], text: str, **values: Any) -> Any:
    """Run one program alone; returns what it printed as JSON."""
    one = world(**values)
    one.run(lambda: one.program("one", text))
    assert one.codes["one"] == 0, one.output["one"]
    return json.loads(one.lines("one")[-1])


def test_sleep_costs_no_wall_time_and_all_clocks_agree_exactly(world: Any, python: str) -> None:
    text = """
        import asyncio, datetime, json, time
        start = time.time_ns()
        def readings():
            aware = datetime.datetime.now(datetime.timezone.utc)
            return [
                time.time_ns() - start,
                round((time.time() - start / 1e9) * 1e6) * 1000,
                time.monotonic_ns() - 10**15,
                round((time.monotonic() - 1e6) * 1e6) * 1000,
                time.perf_counter_ns() - 10**15,
                time.clock_gettime_ns(time.CLOCK_REALTIME) - start,
                round((aware.timestamp() - start / 1e9) * 1e6) * 1000,
                round((datetime.datetime.now().timestamp() - start / 1e9) * 1e6) * 1000,
            ]
        all = [readings()]
        time.sleep(86400)
        all.append(readings())
        async def main():
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(2.5)
            return asyncio.get_running_loop().time() - before
        slept = asyncio.run(main())
        all.append(readings())
        print(json.dumps([all, slept]))
    """
    (first, day, later), slept = only(world, text, python=python)
    assert set(first) == {0}
    assert set(day) == {86_400_000_000_000}
    assert set(later) == {86_402_500_000_000}
    assert slept == 2.5


def test_each_reading_costs_one_tick(world: Any) -> None:
    from drycell.sim.lockstep import Settings

    text = """
        import json, time
        a = [time.monotonic_ns() for _ in range(3)]
        time.sleep(1)
        b = [time.monotonic_ns() for _ in range(3)]
        print(json.dumps([n - 10**15 for n in a + b]))
    """
    a1, a2, a3, b1, b2, b3 = only(world, text, settings=Settings(tick_ns=1000, guard_s=20))
    assert (a2 - a1, a3 - a2) == (1000, 1000)
    assert b1 == a3 + 1_000_000_000 + 1000  # the sleep ends a second after the last reading; the next adds its tick
    assert (b2 - b1, b3 - b2) == (1000, 1000)


def test_threads_locks_queues_and_executors(world: Any, python: str) -> None:
    text = """
        import json, queue, threading, time
        from concurrent.futures import ThreadPoolExecutor, wait, FIRST_COMPLETED
        out = []
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        # event and condition time out exactly
        out.append([threading.Event().wait(3.25), now()])
        condition = threading.Condition()
        with condition:
            out.append([condition.wait(1.5), now()])
        # a bounded queue between two threads
        q = queue.Queue(2)
        def producer():
            for i in range(5):
                q.put(i)
                time.sleep(0.1)
            q.put(None)
        thread = threading.Thread(target=producer)
        thread.start()
        out.append([list(iter(q.get, None)), now()])
        thread.join()
        try:
            q.get(timeout=0.5)
        except queue.Empty:
            out.append(["empty", now()])
        # a lock is handed over in the order of arrival
        lock, order = threading.Lock(), []
        def take(n):
            with lock:
                order.append(n)
                time.sleep(1)
        threads = [threading.Thread(target=take, args=(n,)) for n in range(5)]
        for t in threads: t.start()
        for t in threads: t.join()
        out.append([order, now()])
        # executor
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(time.sleep, n) for n in (3, 1, 1)]
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            out.append([len(done), now()])
        out.append([lock.acquire(), lock.acquire(timeout=0.25), lock.acquire(blocking=False), now()])
        barrier = threading.Barrier(3)
        ends = []
        def meet(n):
            time.sleep(n); barrier.wait(); ends.append(now())
        threads = [threading.Thread(target=meet, args=(n,)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        out.append(ends)
        timer = threading.Timer(4, lambda: out.append(["timer", now()]))
        timer.start(); timer.join()
        semaphore = threading.Semaphore(0)
        out.append([semaphore.acquire(timeout=1), now()])
        print(json.dumps(out))
    """
    assert only(world, text, python=python) == [
        [False, 3.25],
        [False, 4.75],
        [[0, 1, 2, 3, 4], 5.25],
        ["empty", 5.75],
        [[0, 1, 2, 3, 4], 10.75],
        [1, 11.75],
        [True, False, False, 14.0],
        [16.0, 16.0, 16.0],
        ["timer", 20.0],
        [False, 21.0],
    ]


def test_asyncio_with_threads_timeouts_and_streams(world: Any, python: str) -> None:
    text = """
        import asyncio, json, os, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        async def main():
            out = []
            reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["PORT"]))
            writer.write(b"I am async\\nhello\\n")
            out.append([(await reader.readline()).decode(), (await reader.readline()).decode(), now()])
            try:
                await asyncio.wait_for(reader.readline(), 7.5)
            except TimeoutError:
                out.append(["timeout", now()])
            await asyncio.gather(asyncio.to_thread(time.sleep, 2), asyncio.sleep(3))
            out.append(now())
            # a server and a client in one process
            async def echo(r, w):
                w.write(await r.readline()); await w.drain(); w.close()
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            r, w = await asyncio.open_connection(*server.sockets[0].getsockname())
            w.write(b"round\\n")
            out.append([(await r.readline()).decode(), now()])
            w.close(); server.close()
            process = await asyncio.create_subprocess_exec("echo", "child", stdout=-1)
            stdout, _ = await process.communicate()
            out.append([stdout.decode(), process.returncode, now()])
            writer.close()
            return out
        print(json.dumps(asyncio.run(main())))
    """
    assert only(world, text, python=python, answer=lambda line: f"re {line}") == [
        ["re I am async\n", "re hello\n", 0.0],
        ["timeout", 7.5],
        10.5,
        ["round\n", 10.5],
        ["child\n", 0, 10.5],
    ]


def test_selectors_wake_at_the_timeout_and_for_a_self_pipe(world: Any, python: str) -> None:
    text = """
        import json, os, select, selectors, socket, threading, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        out = []
        a, b = socket.socketpair()
        for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
            s = kind()
            s.register(a, selectors.EVENT_READ)
            out.append([len(s.select(1.25)), now()])
            threading.Timer(0.5, b.send, [b"x"]).start()
            out.append([len(s.select(9)), now()])
            a.recv(1)
            s.close()
        r, w = os.pipe()
        threading.Timer(1, os.write, [w, b"pipe"]).start()
        out.append([os.read(r, 10).decode(), now()])
        a.settimeout(2)
        try:
            a.recv(1)
        except TimeoutError:
            out.append(["timeout", now()])
        print(json.dumps(out))
    """
    assert only(world, text, python=python) == [
        [0, 1.25], [1, 1.75], [0, 3.0], [1, 3.5], [0, 4.75], [1, 5.25], ["pipe", 6.25], ["timeout", 8.25],
    ]  # fmt: skip


def test_logging_and_datetime_show_simulated_time(world: Any, python: str) -> None:
    text = """
        import logging, time, json, datetime, sys, pickle, io
        stream = io.StringIO()
        logging.basicConfig(stream=stream, format="%(asctime)s %(process)d %(message)s")
        time.sleep(3661.25)
        logging.warning("late")
        kind = datetime.datetime
        when = kind.now()
        assert pickle.loads(pickle.dumps(when)) == when and type(when) is kind and isinstance(when, datetime.date)
        print(json.dumps([stream.getvalue(), when.isoformat(), datetime.date.today().isoformat(), repr(when),
                          kind.utcnow().isoformat(), kind.now(datetime.timezone.utc).isoformat()]))
    """
    assert only(world, text, python=python)[:4] == [
        "2026-01-01 01:01:01,250 1000 late\n",
        "2026-01-01T01:01:01.250000",
        "2026-01-01",
        "datetime.datetime(2026, 1, 1, 1, 1, 1, 250000)",
    ]


def test_a_polling_loop_ends_exactly_at_its_deadline(world: Any) -> None:
    text = """
        import json, queue, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        end = now() + 3
        while now() < end: pass
        first = now()
        q = queue.Queue()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try: q.get_nowait()
            except queue.Empty: pass
        print(json.dumps([first, now()]))
    """
    assert only(world, text) == [3.0, 5.0]


def test_eight_threads_that_wake_at_one_instant_speak_in_a_stable_order(world: Any) -> None:
    text = """
        import os, socket, threading, time
        lock = threading.Lock()
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        peer.sendall(b"I am eight\\n")
        def speak(n):
            for round in range(5):
                time.sleep(1)
                with lock:
                    peer.sendall(f"{round} {n}\\n".encode())
        threads = [threading.Thread(target=speak, args=(n,)) for n in range(8)]
        for t in threads: t.start()
        for t in threads: t.join()
    """
    heard = []
    for _ in range(3):
        one = world()
        one.run(lambda one=one: one.program("eight", text))
        heard.append(one.said)
    assert heard[0] == heard[1] == heard[2]
    rounds = [line for at, _, line in heard[0] if at == 3_000_000_000]
    assert sorted(rounds) == [f"2 {n}" for n in range(8)]


def test_two_programs_take_turns_by_launch_rank(world: Any) -> None:
    text = """
        import os, socket, sys, time
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        peer.sendall(f"I am {os.path.basename(sys.argv[0])}\\n".encode())
        for n in range(20):
            time.sleep(0.5)
            peer.sendall(f"{n}\\n".encode())
    """
    one = world()

    def start() -> None:
        for name in ("first", "second", "third"):
            one.program(name, text)

    one.run(start)
    speakers = [who for _, who, line in one.said if line.isdigit()]
    assert speakers == ["first.py", "second.py", "third.py"] * 20
    assert [at for at, _, line in one.said if line == "19"] == [10_000_000_000] * 3


def test_a_program_that_slept_alone_connects_and_ends_at_its_own_instant(world: Any) -> None:
    text = """
        import os, socket, subprocess, sys, time
        time.sleep(3)
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        peer.sendall(b"I am late\\n")
        time.sleep(3)
        print(subprocess.check_output([sys.executable, "-c", "import time; print(time.monotonic_ns() - 10**15)"], text=True))
        time.sleep(3)
    """
    one = world()
    one.run(lambda: one.program("one", text))
    assert one.said == [(3_000_000_000, "late", "I am late"), (9_000_000_000, "late", "(end)")]
    assert one.lines("one")[0] == "6000000000"
    assert one.ended_at["one"] == 9_000_000_000


def test_a_socket_that_nobody_holds_any_more_is_closed(world: Any, python: str) -> None:
    text = """
        import os, socket, time
        link = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        link.sendall(b"I am one\\n")
        time.sleep(1)
        link = None
        time.sleep(1)
    """
    one = world(python=python)
    one.run(lambda: one.program("one", text))
    assert one.said == [(0, "one", "I am one"), (1_000_000_000, "one", "(end)")]


@pytest.mark.parametrize("pause_s", [0, 1])
def test_a_port_that_serves_a_second_time_is_another_connection(world: Any, pause_s: float) -> None:
    text = f"""
        import os, socket, struct, time
        source = ("127.0.0.1", 0)
        for text in ("I am one", "once more", "and again"):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends without TIME_WAIT
            client.bind(source)
            source = client.getsockname()
            client.connect(("127.0.0.1", int(os.environ["PORT"])))
            client.sendall(text.encode() + b"\\n")
            print(client.recv(100).decode().strip())
            client.close()
            time.sleep({pause_s})
    """
    one = world(answer=lambda line: f"heard: {line}")
    one.run(lambda: one.program("one", text))
    assert one.lines("one") == ["heard: I am one", "heard: once more", "heard: and again"]
    assert [said for _, _, said in one.said if not said.startswith("(")] == ["I am one", "once more", "and again"]


def test_a_connection_that_is_reset_before_anybody_accepts_it_is_accepted_and_over(world: Any) -> None:
    text = """
        import os, socket, struct
        address = ("127.0.0.1", int(os.environ["PORT"]))
        with socket.socket() as early, socket.create_connection(address) as peer:
            early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            early.connect(address)
            early.close()
            peer.sendall(b"I am one\\n")
    """
    one = world()
    one.run(lambda: one.program("one", text))
    assert one.said == [(0, "one", "I am one"), (0, "?", "(ConnectionResetError)"), (0, "one", "(end)")]
