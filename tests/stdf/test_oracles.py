"""Other STDF libraries as oracles: agreement wherever they are right, and the exact list of where they are wrong.

They run in an environment and processes of their own, made from the package index on first use.
"""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from environments import environment
from oracle_runs import REQUIREMENTS, read_by, written_by_semi_ate
from stdf_material import small_lot
from stdf_samples import samples

from drycell.runtime.stdf import Gap, StdfError, read, read_tolerant
from drycell.runtime.stdf.checks import check
from drycell.runtime.stdf.encode import Order
from drycell.sim.cli import main
from drycell.sim.runs import Run

pytestmark = pytest.mark.xdist_group("stdf-oracles")

V4_2007 = {f"{name} error" for name in ("VUR", "PSR", "NMR", "CNR", "SSR", "CDR")}
SEMI_ATE = {
    "absent filled",  # absent and default cannot be told apart
    "CNR error", "CDR error",  # S*n is not supported
    "GDR error",  # no data fields: IndexError
    "GDR rebuilt",  # pads are inserted, but not counted in FLD_CNT
    "PRR rebuilt",  # PART_FIX: reads the bits of a byte in the order opposite to that in which it packs them
    "PLR.GRP_CNT", "PSR.LOCP_CNT",  # a record that ends before its last array loses its count
}  # fmt: skip
PYSTDF = {
    *V4_2007,  # not known
    "MPR.RTN_STAT", "FTR.RTN_STAT", "FTR.PGM_STAT",  # packed nibbles given as bytes
    "FTR.FAIL_PIN", "FTR.SPIN_MAP",  # the number of bits is lost
    "MPR error", "FTR error",  # a record that ends before its counts: IndexError
    "GDR.FLD_CNT", "GDR.GEN_DATA",  # the types of the data are lost
}  # fmt: skip
TAMER = {
    *V4_2007,  # not known
    *(f"{name} error" for name in ("PLR", "RDR", "WRR", "BPS", "EPS", "GDR", "DTR")),  # not known
    # optional fields that are absent:
    *(f"{name} error" for name in ("MIR", "MRR", "PCR", "HBR", "SBR", "PMR", "WIR", "PRR", "TSR", "MPR", "FTR")),
    "MPR.RTN_STAT", "FTR.RTN_STAT", "FTR.PGM_STAT",  # packed nibbles given as bytes
    "MPR.RTN_INDX",  # no elements given as None
    "FTR.XFAIL_AD", "FTR.YFAIL_AD",  # swapped
    "FTR.FAIL_PIN", "FTR.SPIN_MAP",  # given as parser objects
    "PRR.PART_FIX", "PRR rebuilt",  # lost
    "FAR.CPU_TYPE", "FAR.STDF_VER",  # given as bytes
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _oracles() -> None:
    environment("stdf-oracles", REQUIREMENTS)


@pytest.mark.parametrize(
    ("library", "order", "wrong"),
    [
        ("semi_ate", "<", SEMI_ATE),
        ("semi_ate", ">", SEMI_ATE),
        ("pystdf", "<", PYSTDF),
        ("pystdf", ">", PYSTDF),
        ("stdf_tamer", "<", TAMER),
    ],
)
def test_other_libraries_read_our_records_as_we_do_but_for_what_they_get_wrong(
    library: str, order: Order, wrong: set[str]
) -> None:
    assert read_by(library, order, samples()) == wrong


@pytest.mark.parametrize("order", ["<", ">"])
def test_semi_ate_writes_the_same_bytes(order: Order) -> None:
    full = [r for r in samples() if set(r.fields) == set(r.type.names)]
    compared = written_by_semi_ate(order, [r for r in full if r.name not in ("GDR", "CNR", "CDR")])
    assert [rec.name for rec, ours, theirs in compared if ours != theirs] == []
    assert len(compared) > 45


SILENT = r"""
import json, sys
from Semi_ATE.STDF import DTR, records_from_file
def written(text):
    record = DTR("V4", "<")
    record.set_value("TEXT_DAT", text)
    return record.__repr__()[5:].decode("latin-1")
read = sum(1 for _ in records_from_file(sys.argv[1]))
print(json.dumps([read, written("25 \u00b0C"), len(written("x" * 300))]))
"""


def test_semi_ate_says_nothing_of_a_cut_file_lost_characters_and_cut_text(tmp_path: Path) -> None:
    path = tmp_path / "cut.stdf"
    path.write_bytes(small_lot(3)[0][:700])
    python = environment("stdf-oracles", REQUIREMENTS)
    said = subprocess.run([python, "-c", SILENT, str(path)], capture_output=True, text=True, check=True)
    whole = sum(not isinstance(item, Gap) for item in read_tolerant(path))
    assert json.loads(said.stdout) == [whole, "25  C", 255]  # a space for the degree sign
    with pytest.raises(StdfError, match="the file is cut"):
        list(read(path))


COUNT = """
import collections, json, sys
from pystdf.IO import Parser
class Sink:
    count = collections.Counter()
    def after_send(self, source, data):
        self.count[type(data[0]).__name__.upper()] += 1
with open(sys.argv[1], "rb") as stream:
    parser = Parser(inp=stream)
    parser.addSink(Sink())
    parser.parse()
print(json.dumps(Sink.count))
"""
COUNT_SEMI_ATE = """
import collections, json, sys
from Semi_ATE.STDF import records_from_file
print(json.dumps(collections.Counter(r.id for r in records_from_file(sys.argv[1]))))
"""


BINS = """
import collections, json, sys
from pystdf.IO import Parser
class Sink:
    hard, soft, parts = collections.Counter(), collections.Counter(), None
    def after_send(self, source, data):
        kind, values = data
        record = dict(zip([name for name, _ in kind.fieldMap], values))
        if type(kind).__name__ == "Prr":
            self.hard[record["HARD_BIN"]] += 1
            self.soft[record["SOFT_BIN"]] += 1
        elif type(kind).__name__ == "Pcr" and record["HEAD_NUM"] == 255:
            Sink.parts = record["PART_CNT"]
with open(sys.argv[1], "rb") as stream:
    parser = Parser(inp=stream)
    parser.addSink(Sink())
    parser.parse()
print(json.dumps([Sink.hard, Sink.soft, Sink.parts]))
"""
BINS_SEMI_ATE = """
import collections, json, sys
from Semi_ATE.STDF import records_from_file
hard, soft, parts = collections.Counter(), collections.Counter(), None
for record in records_from_file(sys.argv[1]):
    if record.id == "HBR" and record.get_value("HEAD_NUM") == 255:
        hard[record.get_value("HBIN_NUM")] = record.get_value("HBIN_CNT")
    elif record.id == "SBR" and record.get_value("HEAD_NUM") == 255:
        soft[record.get_value("SBIN_NUM")] = record.get_value("SBIN_CNT")
    elif record.id == "PCR" and record.get_value("HEAD_NUM") == 255:
        parts = record.get_value("PART_CNT")
print(json.dumps([hard, soft, parts]))
"""


@pytest.mark.parametrize("program", [COUNT, COUNT_SEMI_ATE], ids=["pystdf", "Semi-ATE"])
def test_a_whole_lot_opens_in_other_libraries_with_the_same_counts(program: str, tmp_path: Path) -> None:
    path = tmp_path / "lot.stdf"
    path.write_bytes(small_lot(20)[0])
    python = environment("stdf-oracles", REQUIREMENTS)
    said = subprocess.run([python, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == Counter(r.name for r in read(path))


def test_the_demos_exported_stdf_opens_in_other_libraries_with_the_counts_that_the_run_prints(tmp_path: Path) -> None:
    demo = Path(__file__).parents[2] / "scenarios" / "demo.yaml"
    assert main(["run", str(demo), "--rung", "model", "--out", str(tmp_path / "run")]) == 0
    assert main(["export", str(tmp_path / "run"), "--to", "stdf", "-o", str(tmp_path)]) == 0
    result = Run(tmp_path / "run").result()
    assert result is not None and result.stdf_path is not None and result.parts == 50
    exported = tmp_path / result.stdf_path.name
    assert check(exported).errors == 0
    for program in (BINS, BINS_SEMI_ATE):
        python = environment("stdf-oracles", REQUIREMENTS)
        said = subprocess.run([python, "-c", program, str(exported)], capture_output=True, text=True, check=True)
        hard, soft, parts = json.loads(said.stdout)
        assert {int(k): v for k, v in hard.items()} == dict(result.hard_bins)
        assert {int(k): v for k, v in soft.items()} == dict(result.soft_bins)
        assert parts == result.parts
