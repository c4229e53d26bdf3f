"""The STDF file of a lot that is unloaded and loaded again, with or without another lot in between."""

from datetime import UTC, datetime

import pytest

from drycell.runtime.stdf import read
from drycell.sim.cell.jobs import Job
from drycell.sim.cell.stdf_file import StdfFile
from drycell.sim.kernel import Kernel


@pytest.fixture
def cell_file(tmp_path):
    """What a master of two sites writes to."""
    kernel = Kernel()
    file = StdfFile(kernel, tmp_path, datetime(2026, 1, 1, tzinfo=UTC), (0, 1), 0)
    yield file
    file.close()
    kernel.close()


def result(part):
    prr = {"PART_FLG": 0, "NUM_TEST": 0, "HARD_BIN": 1, "SOFT_BIN": 1, "TEST_T": 1, "PART_ID": part}
    return [{"type": name, "HEAD_NUM": 0, "SITE_NUM": 0, **more} for name, more in (("PIR", {}), ("PRR", prr))]


def job(lot):
    return Job(lot, {1: (1,)}, "program.py", ".")


def parts(file, lot):
    return [record["PART_ID"] for record in read(file.path_of(lot)) if record.name == "PRR"]


def counted(file, lot):
    return [record["PART_CNT"] for record in read(file.path_of(lot)) if record.name == "PCR"]


def test_a_finished_lot_that_is_loaded_again_keeps_its_parts_and_is_counted_as_a_whole(cell_file):
    cell_file.open(job("A"))
    cell_file.result("0", result("1"))
    cell_file.finish()
    assert counted(cell_file, "A")[-1] == 1
    cell_file.open(job("A"))
    assert parts(cell_file, "A") == ["1"]  # also when nothing more comes
    cell_file.result("0", result("2"))
    cell_file.finish()
    assert parts(cell_file, "A") == ["1", "2"]
    names = [record.name for record in read(cell_file.path_of("A"))]
    assert (names.count("MIR"), names.count("MRR"), names[-1]) == (1, 1, "MRR")
    assert counted(cell_file, "A")[-1] == 2


def test_each_lot_goes_on_in_its_own_file(cell_file):
    for lot, part in (("A", "1"), ("B", "7"), ("A", "2")):
        cell_file.open(job(lot))
        cell_file.result("0", result(part))
    assert (parts(cell_file, "A"), parts(cell_file, "B")) == (["1", "2"], ["7"])
    assert cell_file.path == cell_file.path_of("A")
