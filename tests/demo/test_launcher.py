"""Programs are started as Control starts them, and none of them survives."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.launcher import Launcher, LaunchRequest, Process
from drycell.sim.errors import DrycellError

BINS = {"1": ["1"], "0": ["60000", "60001"]}

# Forks twice, leaves its session, ignores SIGTERM, and holds a FIFO open for as long as it lives.
ESCAPER = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        held = open(sys.argv[-1], "w")
        held.write("holding")
        held.flush()
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def request(folder: Path, text: str, **changes: Any) -> LaunchRequest:
    (folder / "prog.py").write_text(text)
    fields: dict[str, Any] = {
        "site": "0",
        "python": Path(sys.executable),
        "script": "prog.py",
        "cwd": folder,
        "device_id": "D",
        "broker_host": "127.0.0.1",
        "broker_port": 1883,
        "bin_table": BINS,
        "parent_pid": 42,
    }
    return LaunchRequest(**{**fields, **changes})


def flight(run_dir: Path, story: Callable[[Launcher], Any]) -> Any:
    async def run() -> Any:
        launcher = Launcher(run_dir)
        await launcher.start()
        try:
            return await story(launcher)
        finally:
            await launcher.stop()

    return asyncio.run(run())


async def ended(launcher: Launcher, wanted: LaunchRequest, signal_number: int = 0) -> tuple[Process, int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    process = launcher.launch(wanted, future.set_result)
    if signal_number:
        process.kill(signal_number)
    return process, await future


def test_the_command_line_environment_and_folder_are_those_of_control(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    text = "import json, os, sys; print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), os.getsid(0)]))"
    wanted = request(tmp_path, text, extra_env={"DRYCELL_METER": "127.0.0.1:5025"})
    process, code = flight(tmp_path / "run", lambda launcher: ended(launcher, wanted))
    argv, cwd, environment, session = json.loads(process.stdout.read_text())
    assert code == 0
    expected = "prog.py --device_id D --site_id 0 --broker_host 127.0.0.1 --broker_port 1883 --parent-pid 42"
    expected += " --bin_strategytype external --harness_strategytype external --verbose"
    assert " ".join(argv) == expected
    assert cwd == str(tmp_path)
    assert environment["prog"] == "{'1': ['1'], '0': ['60000', '60001']}"
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["DRYCELL_METER"] == "127.0.0.1:5025"
    assert "SECRET_OF_THE_USER" not in environment
    assert session == process.pid


@pytest.mark.parametrize(
    ("text", "number", "code"),
    [
        ("pass", 0, 0),
        ("raise SystemExit(7)", 0, 7),
        ("import os; os.kill(os.getpid(), 11)", 0, -11),
        ("import time; time.sleep(600)", signal.SIGTERM, -15),
        ("import time; time.sleep(600)", signal.SIGKILL, -9),
    ],
)
def test_exit_codes_are_reported_negative_for_signals(tmp_path: Path, text: str, number: int, code: int) -> None:
    wanted = request(tmp_path, text)
    process, reported = flight(tmp_path / "run", lambda launcher: ended(launcher, wanted, number))
    assert (reported, process.exit_code) == (code, code)


def test_output_is_kept_in_the_run_directory_also_over_a_reload(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> Process:
        await ended(launcher, request(tmp_path, "import sys; print('one'); print('oops', file=sys.stderr)"))
        return (await ended(launcher, request(tmp_path, "print('two')")))[0]

    process = flight(tmp_path / "run", story)
    assert process.stdout == tmp_path / "run" / "sites" / "0" / "stdout.txt"
    assert process.stdout.read_text() == "one\ntwo\n"
    assert process.stderr.read_text() == "oops\n"


def test_what_cannot_be_spawned_is_one_sentence(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> None:
        with pytest.raises(DrycellError, match=r"site 3 could not be started: .*nowhere"):
            launcher.launch(request(tmp_path, "", site="3", cwd=tmp_path / "nowhere"), lambda _: None)

    flight(tmp_path / "run", story)


def test_address_randomisation_can_be_switched_off_and_it_is_said_whether_it_was(tmp_path: Path) -> None:
    text = "print([line for line in open('/proc/self/maps') if '[stack]' in line][0].split('-')[0])"

    async def story(launcher: Launcher) -> tuple[Process, bool]:
        for site in ("0", "1"):
            process, _ = await ended(launcher, request(tmp_path, text, site=site, aslr=False))
        return process, process.aslr

    process, aslr = flight(tmp_path / "run", story)
    other = process.stdout.parents[1] / "0" / "stdout.txt"
    assert aslr or process.stdout.read_text() == other.read_text()


def fifo(folder: Path) -> Path:
    path = folder / "held"
    os.mkfifo(path)
    return path


def until_nobody_holds(path: Path, then: Callable[[], None]) -> None:
    """Open the FIFO, call ``then`` once its holder is there, and return when no process has it open any more."""
    with path.open("rb", buffering=0) as reader:
        assert reader.read(7) == b"holding"
        then()
        assert reader.read() == b""


def test_stop_kills_a_descendant_that_forked_twice_and_left_its_session(tmp_path: Path) -> None:
    path = fifo(tmp_path)
    holding, free = threading.Event(), threading.Event()

    def watch() -> None:
        until_nobody_holds(path, holding.set)
        free.set()

    async def story(launcher: Launcher) -> None:
        await ended(launcher, request(tmp_path, ESCAPER, script_args=[str(path)]))
        holding.wait(20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    flight(tmp_path / "run", story)
    assert free.wait(20)


# Every few milliseconds a new process, the old one gone: it is never where a list of processes has just seen it.
RUNNER = """
import os, sys, time
held = open(sys.argv[-1], "w")
held.write("holding")
held.flush()
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.002)
"""


def test_stop_catches_a_program_that_keeps_moving_to_new_processes(tmp_path: Path) -> None:
    path = fifo(tmp_path)
    holding, free = threading.Event(), threading.Event()

    def watch() -> None:
        until_nobody_holds(path, holding.set)
        free.set()

    async def story(launcher: Launcher) -> None:
        await ended(launcher, request(tmp_path, RUNNER, script_args=[str(path)]))
        holding.wait(20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    flight(tmp_path / "run", story)
    assert free.wait(20)


SIMULATOR = """
import asyncio, sys
from pathlib import Path
from drycell.sim.cell.launcher import Launcher, LaunchRequest

async def main(folder, held):
    launcher = Launcher(folder / "run")
    await launcher.start()
    launcher.launch(LaunchRequest(site="0", python=Path(sys.executable), script="prog.py", cwd=folder, device_id="D",
        broker_host="127.0.0.1", broker_port=1, bin_table={}, script_args=[held]), print)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_nothing_survives_a_simulator_that_is_killed_with_sigkill(tmp_path: Path) -> None:
    path = fifo(tmp_path)
    (tmp_path / "prog.py").write_text(ESCAPER)
    simulator = subprocess.Popen([sys.executable, "-c", SIMULATOR, str(tmp_path), str(path)])
    until_nobody_holds(path, simulator.kill)
    assert simulator.wait() == -signal.SIGKILL


def test_programs_of_a_killed_watcher_die_and_are_reported(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        launcher.launch(request(tmp_path, "import time; time.sleep(600)"), future.set_result)
        assert launcher._watcher is not None
        launcher._watcher.kill()
        code = await future
        with pytest.raises(DrycellError, match="watcher of this cell cannot start programs: it has died"):
            launcher.launch(request(tmp_path, "pass"), print)
        return code

    assert flight(tmp_path / "run", story) == -signal.SIGKILL


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_clean_run_leaves_no_words_of_the_watcher(tmp_path: Path) -> None:
    flight(tmp_path / "run", lambda launcher: ended(launcher, request(tmp_path, "pass")))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["sites"]


def test_thirty_starts_and_stops_leave_no_descriptor_process_or_thread(tmp_path: Path) -> None:
    async def once() -> None:
        launcher = Launcher(tmp_path / "run")
        await launcher.start()
        launcher.launch(request(tmp_path, "import time; time.sleep(600)"), print)
        await launcher.stop()
        await launcher.stop()

    async def many() -> tuple[int, int]:
        await once()
        before = descriptors(), len(asyncio.all_tasks())
        for _ in range(30):
            await once()
        return descriptors() - before[0], len(asyncio.all_tasks()) - before[1]

    threads = threading.active_count()
    assert asyncio.run(many()) == (0, 0)
    assert threading.active_count() == threads
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""
