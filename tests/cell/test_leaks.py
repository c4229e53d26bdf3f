"""Cells come and go by the hundred and leave nothing behind: no task, descriptor, thread, process or file."""

import asyncio
import gc
import tempfile
import threading
from pathlib import Path

import pytest

from drycell.sim.cell.run import run
from drycell.sim.scenario import from_data

PROC = Path("/proc/self")


def held():
    """What this process holds: descriptors, threads, children, tasks, temporary files."""
    gc.collect()
    return {
        "descriptors": len(list((PROC / "fd").iterdir())),
        "threads": threading.active_count(),
        "children": sorted(c for t in (PROC / "task").iterdir() for c in (t / "children").read_text().split()),
        "tasks": sum(isinstance(thing, asyncio.Task) for thing in gc.get_objects()),
        "loops": sum(isinstance(thing, asyncio.AbstractEventLoop) for thing in gc.get_objects()),
        "temporary": sorted(str(path) for path in Path(tempfile.gettempdir()).iterdir()),
    }


@pytest.fixture(autouse=True)
def own_temporary_folder(monkeypatch):
    """A short one: the path of a local socket must fit into 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def cycle(scenario, folder, number):
    run_dir = folder / str(number)
    run(scenario, run_dir)
    return sorted(path.name for path in run_dir.iterdir())


def base(**changes):
    demo = Path(__file__).parents[2] / "scenarios" / "demo"
    return from_data(
        {
            "drycell": 1,
            "name": "come and go",
            "rung": "model",
            "cell": {"sites": 2, "peripherals": {"Temperature": {}}},
            "program": {"definitions": str(demo)},
            "devices": {"size": 2},
            "instruments": {"meter": {"variable": "DRYCELL_METER"}},
            **changes,
        }
    )


def test_five_hundred_modelled_cells_leave_nothing(tmp_path):
    scenario = base()
    files = cycle(scenario, tmp_path, "first")
    before = held()
    for number in range(500):
        assert cycle(scenario, tmp_path, number) == files
    assert held() == before


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_thirty_cells_with_processes_leave_nothing(tmp_path):
    """Each is stopped while its programs start, at another moment."""
    limits = [0.05, 0.2, 0.5]
    cycle(base(rung="process", limits={"virtual_s": 0.3}), tmp_path, "first")
    before = held()
    for number in range(30):
        cycle(base(rung="process", limits={"virtual_s": limits[number % 3]}), tmp_path, number)
    assert held() == before
