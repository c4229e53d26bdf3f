"""What is pinned beside time: addresses of objects, the allow-listed environment, the private folder."""

import json
import os
from typing import Any

from drycell.sim.lockstep import Settings, pinned_environment, private_folder


def test_objects_lie_at_the_same_addresses_where_the_system_allows_it(world: Any) -> None:
    text = "import json; print(json.dumps([id(json), id(object()), hash('a')]))"
    seen = []
    for _ in range(2):
        one = world()
        one.run(lambda one=one: one.program("one", text))
        seen.append(json.loads(one.lines("one")[-1]))
        hello = one.lockstep.processes[0].hello
    assert hello["aslr"] or seen[0] == seen[1]
    assert seen[0][2] == seen[1][2]


def test_a_program_sees_only_what_the_list_allows(world: Any) -> None:
    base = {"PATH": "/bin", "SECRET": "x", "EDITOR": "vi", "USER": "somebody"}
    assert pinned_environment(base, {"MINE": "1"}) == {
        "PATH": "/bin", "MINE": "1", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "LOGNAME": "drycell", "USER": "drycell",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }  # fmt: skip


def test_the_private_folder_holds_what_is_injected_and_nothing_else() -> None:
    folder = private_folder()
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {
        "sitecustomize.py", "drycell_shim", "drycell_host", "drycell_bridge", "visa",
    }  # fmt: skip
    assert [path.name for path in (folder / "visa").iterdir()] == ["pyvisa_drycell"]


def test_another_sitecustomize_is_still_run(world: Any) -> None:
    one = world()
    (one.folder / "theirs").mkdir()
    (one.folder / "theirs" / "sitecustomize.py").write_text("import builtins; builtins.theirs = 42\n")

    def start() -> None:
        path = os.pathsep.join([str(private_folder()), str(one.folder / "theirs")])
        one.program("one", "import sys; print(theirs, sys.modules['sitecustomize'].__file__)", PYTHONPATH=path)

    one.run(start)
    assert one.lines("one")[0].startswith("42 ")
    assert one.lines("one")[0].endswith("theirs/sitecustomize.py")


def test_the_epoch_is_a_setting(world: Any) -> None:
    one = world(settings=Settings(epoch_ns=10**18, tick_ns=0))
    one.run(lambda: one.program("one", "import time; print(time.time_ns())"))
    assert one.lines("one") == ["1000000000000000000"]
