"""Programs that are forked from a process that has done their imports already: the same runs, and nothing left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drycell.sim.cell.run import run
from drycell.sim.cell.warm import WarmPrograms, WarmServer, environment_of_imports, first_imports
from drycell.sim.scenario import load, with_overrides

DEMO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
PYTHON = Path(sys.executable)
REAL = [pytest.mark.real, pytest.mark.xdist_group("real")]


def lot(**changes):
    return with_overrides(load(DEMO), **{"rung": "process", "cell.sites": 2, "devices.size": 4} | changes)


def at(instant, **do):
    return [{"at": instant, "do": do}]


RUNS = {
    "a lot": lot(),
    "another seed, another day": lot(seed=8, epoch="2031-02-03T04:05:06Z"),
    "the lot again": lot(),
    "a crash in a test": lot(timeline=at("850ms", kill={"site": 0, "signal": "SIGKILL"})),
    "a crash, a reset, and new programs": lot(
        **{"cell.operator": {"resets": 1, "reset_after_s": 0.1}},
        timeline=at("850ms", kill={"site": 1, "signal": "SIGSEGV"}),
    ),
    "an error in the program": lot(timeline=at("700ms", operator={"parameter": {"name": "no.such", "value": 1}})),
    "a frozen program": lot(timeline=at("800ms", kill={"site": 0, "signal": "SIGSTOP"}), **{"limits.virtual_s": 20}),
    "one site": lot(**{"cell.sites": 1}),
}


class TestRealProgram:
    pytestmark = REAL

    def test_a_warm_start_writes_the_journal_of_a_cold_start_byte_by_byte(self, tmp_path):
        cold = {name: run(scenario, tmp_path / "cold" / name) for name, scenario in RUNS.items()}
        with WarmPrograms() as warm:
            forked = {name: run(scenario, tmp_path / "warm" / name, warm=warm) for name, scenario in RUNS.items()}
            assert warm.reasons == {}
        assert {name: result.journal_sha256 for name, result in forked.items()} == {
            name: result.journal_sha256 for name, result in cold.items()
        }
        assert all(result.deterministic for result in forked.values())
        assert len({result.journal_sha256 for result in cold.values()}) == len(RUNS) - 1  # "the lot again" is "a lot"

    def test_programs_are_forked_and_the_second_run_knows_what_the_first_has_imported_late(self, tmp_path):
        servers = []

        def note_server(event):
            if event.kind == "contact" and event.fields["touchdown"] == 1:
                _, server, *programs = descendants(os.getpid())
                servers.append((server, len(programs)))

        with WarmPrograms() as warm:
            for number in range(3):
                run(lot(), tmp_path / str(number), warm=warm, observer=note_server)
            (server,) = warm._servers.values()
            assert "requests" in server.later["modules"]  # which the program's plugins import
        assert [programs for _, programs in servers] == [2, 2, 2]
        first, second, third = (pid for pid, _ in servers)
        assert first != second == third

    def test_killing_the_simulator_leaves_no_process(self, tmp_path):
        code = """
import sys
from pathlib import Path
from drycell.sim.cell.run import run
from drycell.sim.cell.warm import WarmPrograms
from drycell.sim.scenario import load, with_overrides
scenario = with_overrides(load(Path(sys.argv[1])), **{"rung": "process", "cell.sites": 2, "devices.size": 500})
told = lambda event: event.kind == "sorted" and print(event.seq, flush=True)
run(scenario, Path(sys.argv[2]), observer=told, warm=WarmPrograms())
"""
        command = [sys.executable, "-c", code, str(DEMO), str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline()
            family = descendants(child.pid)
            assert len(family) == 4  # the watcher, the server and two programs
            os.kill(child.pid, signal.SIGKILL)
        assert gone(family)


def descendants(pid):
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *descendants(child))]


def gone(pids):
    """Whether all of them end, waited for in wall time."""
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# what cannot be forked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait).start()", "start threads"),
        ("import time; time.time()", "reads the clock"),
        ("import os; os.urandom(4)", "random bytes"),
        ("import random; random.random()", "random numbers are drawn"),
        ("import os; dict(os.environ)", "all variables of the environment"),
        ("import os; os.getcwd()", "the working folder"),
        ("import os; os.getpid()", "the process id"),
        ("import sys; len(sys.argv)", "the command line"),
        ("import no_such_module", "imports fail (ModuleNotFoundError: No module named 'no_such_module')"),
        ("raise SystemExit(3)", "imports fail (SystemExit: 3)"),
        ("import os; os._exit(3)", "end the interpreter"),
    ],
)
def test_imports_that_learn_or_do_what_differs_between_runs_are_refused_with_the_reason(statement, reason):
    server = WarmServer(PYTHON, [statement])
    try:
        assert reason in server.reason
        assert not server.is_fit
        assert not server.suits(environment_of_imports())
    finally:
        server.close()


def test_a_variable_that_imports_have_looked_at_must_be_the_same_at_the_launch():
    server = WarmServer(PYTHON, ["import os; os.environ.get('STATION')"])
    try:
        assert server.suits(environment_of_imports())
        assert not server.suits({**environment_of_imports(), "STATION": "7"})
        assert server.reason == "its imports look at the variable STATION, which is another one in some run"
    finally:
        server.close()


def test_an_interpreter_that_does_not_come_up_is_named():
    server = WarmServer(Path("/bin/false"), ["import json"])
    assert server.reason == "its interpreter does not come up with the shim"


def test_a_server_that_is_closed_takes_its_process_along():
    before = set(descendants(os.getpid()))
    server = WarmServer(PYTHON, ["import json"])
    family = set(descendants(os.getpid())) - before
    assert len(family) == 2
    server.close()
    server.close()
    assert gone(family)


def test_a_program_that_cannot_be_forked_runs_as_ever(tmp_path):
    program = tmp_path / "own" / "my_prog.py"
    program.parent.mkdir()
    program.write_text("import sys\nsys.exit('no licence')\n")
    program.with_name("my_prog_binning.json").write_text(
        '{"bin-table": [{"SBIN": "1", "HBIN": "1", "SBINNAME": "Good", "GROUP": "", "DESCRIPTION": ""}]}'
    )
    program.with_name("sys.py").write_text("")  # it looks as if the program's own module were meant
    scenario = lot(**{"program.path": str(program), "program.python": sys.executable, "program.definitions": None})
    cold = run(scenario, tmp_path / "cold")
    with WarmPrograms() as warm:
        result = run(scenario, tmp_path / "warm", warm=warm)
        assert warm.reasons == {"my_prog.py": "it begins with no import of an installed module"}
    assert result.journal_sha256 == cold.journal_sha256
    assert "no licence" in result.problems[0]


# which imports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            '"""Doc."""\nimport json, sys\nfrom pathlib import Path\nx = 1\nimport os',
            ["import json, sys", "from pathlib import Path"],
        ),
        ("import json\nimport helper\nimport sys", ["import json"]),
        ("from . import thing", []),
        ("from helper.part import thing", []),
        ("x = 1\nimport json", []),
        ("import json\nif True:\n    import sys", ["import json"]),
        ("def broken(:", []),
        ("\0", []),
    ],
    ids=[
        "up to a statement",
        "up to a neighbour",
        "relative",
        "of a neighbour",
        "none first",
        "no branch",
        "no Python",
        "NUL",
    ],
)
def test_first_imports_are_those_before_anything_of_the_program_itself(tmp_path, text, found):
    (tmp_path / "helper.py").write_text("")
    script = tmp_path / "program.py"
    script.write_text(text)
    assert first_imports(script) == found
