"""Programs that start other programs: what can attach joins in, what cannot holds time still."""

import json
from typing import Any

import pytest

from drycell.sim.lockstep import LockstepError, Settings
from tests.lockstep.interpreters import interpreter

VERSIONS = ["3.11", "3.12", "3.13"]


def only(world: Any, text: str, **values: Any) -> Any:
    one = world(**values)
    one.run(lambda: one.program("one", text))
    assert one.codes["one"] == 0, one.output["one"]
    return json.loads(one.lines("one")[-1])


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no CPython {request.param} on this machine")
    return found


def test_a_foreign_child_costs_no_simulated_time(world: Any, python: str) -> None:
    text = """
        import json, os, subprocess, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        out = []
        command = ["sh", "-c", "sleep 0.2; echo out; echo err >&2; exit 3"]
        done = subprocess.run(command, capture_output=True, text=True)
        out.append([done.stdout, done.stderr, done.returncode, now()])
        done = subprocess.run(["cat"], input="x" * 300_000, capture_output=True, text=True)
        out.append([len(done.stdout), now()])
        out.append([subprocess.check_output("echo shell", shell=True, text=True), os.system("exit 4") >> 8, now()])
        with os.popen("echo pipe") as file:
            out.append([file.read(), now()])
        child = subprocess.Popen(["sh", "-c", "read line; echo got $line"], stdin=-1, stdout=-1, text=True)
        child.stdin.write("this\\n"); child.stdin.flush()
        out.append([child.stdout.readline(), child.wait(5), now()])
        print(json.dumps(out))
    """
    assert only(world, text, python=python) == [
        ["out\n", "err\n", 3, 0.0],
        [300_000, 0.0],
        ["shell\n", 4, 0.0],
        ["pipe\n", 0.0],
        ["got this\n", 0, 0.0],
    ]


def test_an_attached_child_lives_on_the_same_clock(world: Any, python: str) -> None:
    text = """
        import json, os, subprocess, sys, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        out = []
        body = "import time; time.sleep(100); print(time.monotonic_ns() - 10**15)"
        child = subprocess.Popen([sys.executable, "-c", body], stdout=-1, text=True)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            out.append(["timeout", now()])
        out.append([child.communicate()[0], child.returncode, now()])
        out.append([subprocess.check_output(["sh", "-c", f"{sys.executable} -c 'import time; time.sleep(5); print(1)'"], text=True), now()])
        print(json.dumps(out))
    """
    assert only(world, text, python=python) == [
        ["timeout", 30.0],
        ["100000000000\n", 0, 100.0],
        ["1\n", 105.0],
    ]


def test_fork_and_waitpid(world: Any) -> None:
    text = """
        import json, os, sys, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        time.sleep(1)
        pid = os.fork()
        if pid == 0:
            time.sleep(6)
            os._exit(9)
        _, status = os.waitpid(pid, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), now()]))
    """
    assert only(world, text) == [9, 7.0]


def test_multiprocessing_with_spawn(world: Any, python: str) -> None:
    text = """
        import json, multiprocessing, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        def work(end, n):
            for k in range(n):
                time.sleep(2)
                end.send([k, now()])
            end.close()
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe(False)
            process = context.Process(target=work, args=(theirs, 3))
            process.start()
            theirs.close()
            out = []
            try:
                while True:
                    out.append([ours.recv(), now()])
            except EOFError:
                pass
            process.join()
            print(json.dumps([out, process.exitcode, now()]))
    """
    assert only(world, text, python=python) == [
        [[[0, 2.0], 2.0], [[1, 4.0], 4.0], [[2, 6.0], 6.0]],
        0,
        6.0,
    ]


def test_a_foreign_child_that_never_ends_is_named(world: Any) -> None:
    one = world(settings=Settings(guard_s=1.0))
    with pytest.raises(LockstepError, match="'sleep 77', started by one"):
        one.run(lambda: one.program("one", "import subprocess; subprocess.run(['sleep', '77'])"))


def test_the_same_seed_gives_the_same_random_bytes_and_another_one_others(world: Any, python: str) -> None:
    text = """
        import json, os, random, secrets, socket, tempfile, uuid
        print(json.dumps([random.random(), random.Random().random(), os.urandom(4).hex(), secrets.token_hex(4),
            str(uuid.uuid4()), str(uuid.uuid1()), os.path.basename(tempfile.mkdtemp(dir=".")), os.getpid(),
            socket.gethostname(), os.cpu_count(), os.environ.get("USER"), os.listdir("."),
            random.SystemRandom().random(), os.uname().nodename]))
    """
    first = only(world, text, python=python)
    assert only(world, text, python=python) == first
    other = only(world, text, python=python, settings=Settings(seed=1))
    assert [a == b for a, b in zip(first, other, strict=True)][:5] == [False] * 5
    assert first[7:11] == [1000, "testcell", 2, "drycell"]


def test_multiprocessing_queue_and_lock_with_spawn(world: Any, python: str) -> None:
    text = """
        import json, multiprocessing, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        def work(n, jobs, results, lock):
            for job in iter(jobs.get, None):
                with lock:
                    time.sleep(job)
                    results.put([n, job, now()])
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            jobs, results, lock = context.Queue(), context.Queue(), context.Lock()
            workers = [context.Process(target=work, args=(n, jobs, results, lock)) for n in range(2)]
            for worker in workers: worker.start()
            for job in (1, 2, 3, 4, None, None): jobs.put(job)
            got = [results.get() for _ in range(4)]
            for worker in workers: worker.join()
            print(json.dumps([sorted(job for _, job, _ in got), [at for _, _, at in got][-1], now()]))
    """
    assert only(world, text, python=python) == [[1, 2, 3, 4], 10.0, 10.0]
