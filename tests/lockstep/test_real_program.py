"""The unmodified Semi-ATE program in virtual time: faithful to real time, repeatable, killable at an instant."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import load, with_overrides

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]

SCENARIO = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
MEASURED_TIMES = re.compile(r'"(TEST_T|TEST_TIM|START_T|FINISH_T|SETUP_T)": ?[-0-9.e+]+')


def fly(folder: Path, **changes: Any) -> tuple[Any, list[Event]]:
    planned = with_overrides(load(SCENARIO), **({"rung": "process"} | changes))
    result = run(planned, folder)
    return result, list(journals.read(folder / JOURNAL))


def spoken(events: list[Event]) -> dict[str, list[tuple[str, str]]]:
    """Per program: everything it published, in order, without the times it measured."""
    said: dict[str, list[tuple[str, str]]] = {}
    for event in events:
        if event.kind == "message" and event.actor.startswith("testapp."):
            text = MEASURED_TIMES.sub(r'"\1": 0', event.fields["payload"])
            said.setdefault(event.actor, []).append((event.fields["topic"], text))
    return said


def test_ten_parts_in_real_time_without_shim_and_in_virtual_time_give_the_same_messages(tmp_path: Path) -> None:
    sizes = {"devices.size": 10, "cell.sites": 2}
    real, heard = fly(tmp_path / "real", pace="real", **sizes)
    virtual, simulated = fly(tmp_path / "virtual", pace="virtual", **sizes)
    assert not real.deterministic
    assert virtual.deterministic
    assert spoken(heard) == spoken(simulated)
    assert len(spoken(heard)["testapp.demo.0"]) > 20
    assert (real.soft_bins, real.hard_bins) == (virtual.soft_bins, virtual.hard_bins)


def test_a_lot_repeats_byte_by_byte_also_under_load(tmp_path: Path) -> None:
    hashes = [fly(tmp_path / "calm", **{"devices.size": 12, "cell.sites": 2})[0].journal_sha256]
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        hashes.append(fly(tmp_path / "busy", **{"devices.size": 12, "cell.sites": 2})[0].journal_sha256)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert hashes[0] == hashes[1]


def test_a_program_killed_in_a_lot_leaves_will_and_exit_at_that_instant(tmp_path: Path) -> None:
    at = 850_000_000
    _, events = fly(
        tmp_path / "killed",
        **{"devices.size": 20, "timeline": [{"at": "850ms", "do": {"kill": {"site": 0, "signal": "SIGKILL"}}}]},
    )
    (wills,) = [e for e in events if e.kind == "message" and e.fields.get("will")]
    (ending,) = [e for e in events if e.kind == "exit" and e.actor == "program0"]
    assert (wills.t_ns, ending.t_ns, ending.fields["exit_code"]) == (at, at, -9)
    assert "crash" in wills.fields["payload"]
    assert wills.seq < ending.seq
