"""What goes wrong in a program or is done to it: death, cable, hang, deadlock, bounce without end, escape."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.lockstep import (
    DeadlockError,
    HangError,
    LockstepError,
    NeverAttachedError,
    Settings,
    ZenoError,
    private_folder,
)
from tests.lockstep.interpreters import interpreter

TALKER = """
    import os, socket, time
    peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
    peer.sendall(b"I am talker\\n")
    while True:
        time.sleep(0.7)
        peer.sendall(b"tick\\n")
"""


def test_a_program_killed_at_an_instant_is_gone_at_that_instant(world: Any) -> None:
    one = world()

    def start() -> None:
        one.program("talker", TALKER)
        one.kernel.later(6_000_000_000, lambda: one.lockstep.kill("talker"))

    one.run(start)
    assert one.ended_at == {"talker": 6_000_000_000}
    assert one.codes == {"talker": -signal.SIGKILL}
    assert one.said[-2:] == [(5_600_000_000, "talker", "tick"), (6_000_000_000, "talker", "(end)")]


def test_a_frozen_program_says_nothing_more_and_its_connection_stays_open(world: Any) -> None:
    one = world()

    def start() -> None:
        one.program("talker", TALKER)
        one.kernel.later(6_000_000_000, lambda: one.lockstep.freeze("talker"))
        one.kernel.later(20_000_000_000, lambda: one.lockstep.thaw("talker"))

    one.run(start, until_s=21)
    times = [at / 1e9 for at, _, line in one.said if line == "tick"]
    assert times == [0.7, 1.4, 2.1, 2.8, 3.5, 4.2, 4.9, 5.6, 20.0, 20.7]
    assert not one.ended_at


def test_a_signal_arrives_while_the_main_thread_waits_and_the_wait_goes_on(world: Any) -> None:
    text = """
        import signal, threading, time
        def handler(number, frame): print("signal", number, time.monotonic_ns() - 10**15, flush=True)
        signal.signal(signal.SIGUSR1, handler)
        time.sleep(5)
        print("slept", time.monotonic_ns() - 10**15, flush=True)
        lock = threading.Lock(); lock.acquire()
        print(lock.acquire(timeout=3), time.monotonic_ns() - 10**15, flush=True)
        time.sleep(50)
    """
    one = world()

    def start() -> None:
        one.program("one", text)
        for at in (2_000_000_000, 6_000_000_000):
            one.kernel.later(at, lambda: one.lockstep.kill("one", signal.SIGUSR1))
        one.kernel.later(20_000_000_000, lambda: one.lockstep.kill("one", signal.SIGTERM))

    one.run(start)
    number = int(signal.SIGUSR1)
    assert one.lines("one") == [
        f"signal {number} 2000000000", "slept 5000000000", f"signal {number} 6000000000", "False 8000000000",
    ]  # fmt: skip
    assert one.ended_at == {"one": 20_000_000_000}
    assert one.codes == {"one": -signal.SIGTERM}


def test_an_interrupt_raises_in_the_main_thread(world: Any) -> None:
    text = """
        import time
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted at", time.monotonic_ns() - 10**15)
    """
    one = world()

    def start() -> None:
        one.program("one", text)
        one.kernel.later(1_500_000_000, lambda: one.lockstep.kill("one", signal.SIGINT))

    assert one.run(start).lines("one") == ["interrupted at 1500000000"]


def test_a_deadlock_names_each_thread_what_it_waits_for_and_where(world: Any) -> None:
    text = """
        import threading
        def wait_for_ever():
            threading.Event().wait()
        threading.Thread(target=wait_for_ever, name="worker").start()
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()  # the culprit
    """
    one = world()
    one.kernel.loop.call_later = one.kernel.loop.call_later
    with pytest.raises(DeadlockError) as caught:
        one.run(lambda: one.program("stuck", text))
    report = str(caught.value)
    assert report.startswith("deadlock at 0.000000000 s: nothing is scheduled and every process waits")
    assert "--- stuck" in report
    assert "main thread (MainThread): waits for a lock" in report
    assert "lock.acquire()  # the culprit" in report
    assert "thread 1 (worker): waits for a lock" in report
    assert "in wait_for_ever" in report
    assert "drycell_shim" not in report


def test_an_endless_computation_is_reported_with_its_stack(world: Any) -> None:
    text = """
        def compute():
            n = 0
            while True:
                n += 1
        compute()
    """
    one = world(settings=Settings(guard_s=1.0))
    with pytest.raises(HangError) as caught:
        one.run(lambda: one.program("busy", text))
    assert "busy has computed for 1 s of wall time" in str(caught.value)
    assert "in compute" in str(caught.value)


def test_a_long_computation_may_be_waited_for_at_the_pace_of_the_wall(world: Any) -> None:
    busy = """
        import os, resource, socket, time
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        peer.sendall(b"I am busy\\n")
        time.sleep(1)
        while resource.getrusage(resource.RUSAGE_SELF).ru_utime < 1.6:
            pass
        peer.sendall(b"done\\n")
        time.sleep(2)
        peer.sendall(b"and on\\n")
    """
    one = world(settings=Settings(tick_ns=0, guard_s=1.0, on_hang="pace"))

    def start() -> None:
        one.program("busy", busy)
        one.program("talker", TALKER)
        one.kernel.later(100_000_000_000, lambda: one.lockstep.kill("talker"))

    one.run(start)
    told = {text: at for at, who, text in one.said if who == "busy"}
    ticks = [at for at, who, text in one.said if (who, text) == ("talker", "tick")]
    assert told["done"] > 1_000_000_000  # later than its own clock says: the wall has moved on
    assert told["and on"] == max(told["done"], 3_000_000_000)  # its own clock stood still meanwhile
    assert ticks == [700_000_000 * (n + 1) for n in range(142)]  # nobody else's time has suffered
    assert not one.lockstep.deterministic
    assert [(f.kind, f.process) for f in one.lockstep.counters.log] == [("computing", "busy")]


def test_a_sleep_in_c_code_is_told_with_its_stack(world: Any) -> None:
    text = """
        import ctypes, time
        def settle():
            ctypes.CDLL(None).sleep(50)
        time.sleep(1)
        settle()
        time.sleep(1)
    """
    one = world()
    one.run(lambda: one.program("sleeper", text))
    [found] = one.lockstep.counters.blocked
    assert found.process == "sleeper"
    assert found.text == "it has slept or waited in C code for 1 s of wall time and no simulated time"
    assert "in settle" in found.stack
    assert one.ended_at == {"sleeper": 2_000_000_000}
    assert one.lockstep.deterministic


def test_two_that_answer_each_other_at_once_for_ever_are_stopped(world: Any) -> None:
    text = """
        import os, socket
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        peer.sendall(b"I am bouncer\\n")
        while True:
            peer.recv(100)
            peer.sendall(b"again\\n")
    """
    one = world(settings=Settings(guard_s=20, zeno=500), answer=lambda line: "and again")
    with pytest.raises(ZenoError, match=r"500 rounds at 0\.000000000 s and no end: bouncer"):
        one.run(lambda: one.program("bouncer", text))


@pytest.mark.parametrize("flag", ["-I", "-S", "-E"])
def test_a_program_that_never_attaches_is_named(world: Any, flag: str) -> None:
    one = world(settings=Settings(start_s=1.0))
    with pytest.raises(NeverAttachedError, match=r"loner (ended before it attached|did not attach within 1 s)"):
        one.run(lambda: one.program("loner", "import time; time.sleep(30)", flags=(flag,)))


def test_an_outside_peer_is_refused_and_named(world: Any) -> None:
    text = """
        import socket
        for address in (("192.168.7.7", 5025), ("no.such.host", 80)):
            try:
                socket.create_connection(address, 5)
            except OSError as error:
                print(type(error).__name__, error.errno)
        try:
            socket.create_connection(("127.0.0.1", 9))
        except ConnectionRefusedError as error:
            print("refused")
    """
    one = world()
    one.run(lambda: one.program("one", text))
    assert one.lines("one") == ["OSError 101", "gaierror -2", "refused"]
    findings = [(f.kind, f.process, f.text) for f in one.lockstep.counters.log if f.kind == "outside"]
    assert len(findings) == 2
    assert "('192.168.7.7', 5025)" in findings[0][2]
    assert "'no.such.host'" in findings[1][2]


def test_built_in_addresses_lead_to_simulated_instruments(world: Any) -> None:
    text = """
        import os, socket
        for address in (("192.168.7.7", 5025), ("meter.floor.example", 5025)):
            peer = socket.create_connection(address, 5)
            peer.sendall(b"*IDN?\\n")
            print(peer.recv(100), peer.getpeername()[0])
            peer.close()
        peer = socket.socket()
        peer.connect(("192.168.7.7", 5025))
        print(peer.getpeername())
    """
    one = world(answer=lambda line: "drycell meter")

    def start() -> None:
        one.lockstep.map_host("192.168.7.7", 5025, one.port)
        one.lockstep.map_host("meter.floor.example", 0, one.port)
        one.program("one", text)

    one.run(start)
    assert one.lines("one")[0].startswith("b'drycell meter\\n'")
    assert one.lines("one")[2] == "('192.168.7.7', 5025)"


def test_a_connection_that_nobody_accepts_is_an_error(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket as sockets

    from drycell.sim.lockstep import gate

    monkeypatch.setattr(gate, "ARRIVAL_S", 0.5)
    deaf = sockets.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen()
    text = """
        import os, socket
        peer = socket.create_connection(("127.0.0.1", int(os.environ["DEAF"])))
        peer.sendall(b"anybody?")
        peer.recv(1)
    """
    one = world()

    def start() -> None:
        port = deaf.getsockname()[1]
        one.lockstep.open_port(port)
        one.program("one", text, DEAF=str(port))

    with deaf, pytest.raises(LockstepError, match="but nobody accepts there"):
        one.run(start)


def test_an_uncaught_error_ends_the_program_with_its_traceback(world: Any) -> None:
    one = world()
    one.run(lambda: one.program("one", "import time; time.sleep(3); raise RuntimeError('broken')"))
    assert one.codes == {"one": 1}
    assert one.ended_at == {"one": 3_000_000_000}
    assert one.lines("one")[-1] == "RuntimeError: broken"


def test_sixteen_programs(world: Any) -> None:
    text = """
        import os, random, socket, sys, time
        peer = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
        for n in range(10):
            time.sleep(random.random())
            peer.sendall(f"{os.getpid()} {n}\\n".encode())
            peer.recv(100)
    """

    def once() -> Any:
        one = world(answer=lambda line: "ok")
        return one.run(lambda: [one.program(f"p{n}", text) for n in range(16)])

    first, second = once(), once()
    assert first.said == second.said
    assert len([line for _, _, line in first.said if line != "(end)"]) == 160
    assert set(first.codes.values()) == {0}
    assert sys.version_info >= (3, 11)


def test_alarms_ring_on_the_simulated_clock(world: Any) -> None:
    text = """
        import signal, time
        def now(): return (time.monotonic_ns() - 10**15) / 1e9
        signal.signal(signal.SIGALRM, lambda *_: print("ring", now()))
        signal.alarm(5)
        time.sleep(8)
        print("slept", now())
        signal.setitimer(signal.ITIMER_REAL, 1.5, 0.5)
        signal.pause(); signal.pause()
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(10)
        print("end", now())
    """
    one = world()
    one.run(lambda: one.program("one", text))
    assert one.lines("one") == ["ring 5.0", "slept 8.0", "ring 9.5", "ring 10.0", "end 20.0"]


def test_a_real_sleep_kept_from_before_the_shim_is_reported(world: Any) -> None:
    python = interpreter("3.13")  # the first version whose sleep can be observed
    if python is None:
        pytest.skip("no CPython 3.13 on this machine")
    one = world(python=python)
    text = """
        import sys
        real = sys.modules["drycell_shim.real"]
        real.sleep(0.01)
        real.sleep(0.01)
    """
    one.run(lambda: one.program("one", text))
    (finding,) = [f for f in one.lockstep.counters.log if f.kind == "escape" and "time.sleep" in f.text]
    assert finding.text.startswith("a real time.sleep was called")
    assert "real.sleep(0.01)" in finding.stack


def test_a_program_whose_simulator_is_gone_does_not_run_on(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("print('ran on')\n")
    variables = {
        "PYTHONPATH": str(private_folder()),
        "DRYCELL_LOCKSTEP": str(tmp_path / "nobody"),
        "DRYCELL_TOKEN": "1",
    }
    done = subprocess.run([sys.executable, program], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert done.stdout == ""
    assert (
        done.stderr
        == "drycell: this program cannot join simulated time: FileNotFoundError: [Errno 2] No such file or directory\n"
    )


def test_a_temporary_folder_may_have_a_long_name(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    one = world()
    one.run(lambda: one.program("sleeper", "import time; time.sleep(3); print('done')"))
    assert one.lines("sleeper") == ["done"]
