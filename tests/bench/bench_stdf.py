"""STDF speed against other libraries: same data, same run, alternating, medians of several passes.

The others run in processes of their own; all times are taken inside the process around the loop alone. Before
anything is timed, the bytes that each writer makes are compared.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "stdf")]

from environments import environment  # noqa: E402
from oracle_runs import REQUIREMENTS  # noqa: E402
from stdf_material import T0_S, ftr, mpr, part, pir, prr, ptr  # noqa: E402

from drycell.runtime.stdf import Encoder, LotWriter, read, record  # noqa: E402
from drycell.runtime.stdf.bulk import Template  # noqa: E402
from drycell.runtime.stdf.checks import check  # noqa: E402

PASSES = 5
SLOW = 5_000  # records for libraries of some 10,000 records per second
FAST = 100_000  # records for everything else
PTR: dict[str, Any] = {
    "HEAD_NUM": 0, "SITE_NUM": 1, "TEST_FLG": 0, "PARM_FLG": 0, "RESULT": 1.5, "TEST_TXT": "regulator.output voltage",
    "ALARM_ID": "", "OPT_FLAG": 2, "RES_SCAL": 3, "LLM_SCAL": 3, "HLM_SCAL": 3, "LO_LIMIT": 0.5, "HI_LIMIT": 2.5,
    "UNITS": "V", "C_RESFMT": "%7.3f", "C_LLMFMT": "%7.3f", "C_HLMFMT": "%7.3f", "LO_SPEC": 0.25, "HI_SPEC": 2.75,
}  # fmt: skip
TARGETS = {
    ("read PTR", "Semi-ATE-STDF"): 12, ("read PTR", "pystdf"): 2, ("write PTR", "Semi-ATE-STDF"): 15,
    ("bulk write PTR", "Semi-ATE-STDF"): 200,
}  # fmt: skip


def ptr_file(path: Path, count: int) -> Path:
    """FAR, MIR, PTRs, MRR."""
    mir = record(
        "MIR", SETUP_T=T0_S, START_T=T0_S, STAT_NUM=1, LOT_ID="L", PART_TYP="P", NODE_NAM="", TSTR_TYP="",
        JOB_NAM="J", SUPR_NAM="S",
    )  # fmt: skip
    mrr = record("MRR", FINISH_T=T0_S, DISP_COD=" ", USR_DESC="", EXC_DESC="")
    records = [record("FAR", CPU_TYPE=2, STDF_VER=4), mir]
    records += [record("PTR", TEST_NUM=i, **PTR) for i in range(count)]
    path.write_bytes(Encoder().encode_all([*records, mrr]))
    return path


def lot_file(path: Path, parts: int) -> Path:
    """A lot as a sequencer's records make it: per part 8 PTR, an MPR and an FTR."""
    with path.open("wb") as out:
        lot = LotWriter(
            out.write, lot_id="L", part_typ="P", job_nam="J", setup_time_s=T0_S, start_time_s=T0_S, sites=(0, 1)
        )
        for i in range(parts):
            tests = [ptr(i % 2, 100 + t, 1.5) for t in range(8)]
            lot.touchdown([pir(i % 2), *tests, mpr(i % 2, 110, [1.0, 2.0]), ftr(i % 2, 111), prr(i % 2, str(i))])
        lot.finish(T0_S)
    return path


def foreign(library: str, what: str, path: Path, count: int) -> float:
    """Records per second of one pass in another process."""
    python = environment("stdf-oracles", REQUIREMENTS)
    program = Path(__file__).parent / "stdf_foreign.py"
    said = subprocess.run(
        [python, program, library, what, path, str(count)], check=True, capture_output=True, text=True
    ).stdout.split()
    return int(said[0]) / float(said[1])


def our_read(path: Path) -> float:
    start = time.perf_counter()
    n = sum(1 for _ in read(path))
    return n / (time.perf_counter() - start)


def our_check(path: Path) -> float:
    start = time.perf_counter()
    n = sum(check(path).records.values())
    return n / (time.perf_counter() - start)


def our_write(path: Path, count: int) -> float:
    encoder = Encoder()
    with path.open("wb") as out:
        start = time.perf_counter()
        for i in range(count):
            out.write(encoder.encode(record("PTR", TEST_NUM=i, **PTR)))
        return count / (time.perf_counter() - start)


def our_bulk(path: Path, count: int) -> float:
    numbers = np.arange(count)
    results = np.full(count, 1.5)
    with path.open("wb") as out:
        start = time.perf_counter()
        template = Template.one(record("PTR", TEST_NUM=0, **PTR), "TEST_NUM", "RESULT", "SITE_NUM", "TEST_FLG")
        out.write(template.fill({"TEST_NUM": numbers, "RESULT": results, "SITE_NUM": 1, "TEST_FLG": 0}))
        return count / (time.perf_counter() - start)


def our_lot(path: Path, parts: int) -> float:
    """PTR, MPR and FTR per second through LotWriter, from JSON records."""
    message = part(0, "1")
    with path.open("wb") as out:
        lot = LotWriter(
            out.write, lot_id="L", part_typ="P", job_nam="J", setup_time_s=T0_S, start_time_s=T0_S, sites=(0,)
        )
        start = time.perf_counter()
        for _ in range(parts):
            lot.touchdown(message)
        return parts * len(message) / (time.perf_counter() - start)


def same_bytes(folder: Path) -> None:
    """Stops the run if the writers do not make the same bytes."""
    ours, theirs, bulk = folder / "ours", folder / "theirs", folder / "bulk"
    our_write(ours, 200)
    our_bulk(bulk, 200)
    if ours.read_bytes() != bulk.read_bytes():
        raise SystemExit("the bulk path writes other bytes than the general path")
    for library in ("semi_ate", "stdf_tamer"):
        foreign(library, "write", theirs, 200)
        if ours.read_bytes() != theirs.read_bytes():
            raise SystemExit(f"{library} writes other bytes: nothing to compare")


def measured(passes: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median records per second of each, one pass of each in turn."""
    rates: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(PASSES):
        for name, run in passes.items():
            rates[name].append(run())
    return {name: median(values) for name, values in rates.items()}


def show(title: str, rates: dict[str, float]) -> bool:
    """Prints the rates and how many times faster we are; tells whether the targets are met."""
    ours = rates["drycell"]
    good = True
    print(f"\n{title}")
    for name, rate in rates.items():
        ratio = "" if name == "drycell" else f"{ours / rate:9.1f} x"
        target = TARGETS.get((title, name))
        mark = ""
        if target is not None:
            met = ours / rate >= target
            good = good and met
            mark = f"   target {target} x: {'met' if met else 'MISSED'}"
        print(f"  {name:<24}{rate:>14,.0f} records/s {ratio}{mark}")
    return good


def main() -> int:
    """Prints the table; 1 if a target is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        same_bytes(folder)
        few, many = ptr_file(folder / "few.stdf", SLOW), ptr_file(folder / "many.stdf", FAST)
        lot, small_lot = lot_file(folder / "lot.stdf", 5_000), lot_file(folder / "small.stdf", 400)
        out = folder / "out.stdf"
        good = show(
            "read PTR",
            measured({
                "drycell": lambda: our_read(many),
                "Semi-ATE-STDF": lambda: foreign("semi_ate", "read", few, 0),
                "pystdf": lambda: foreign("pystdf", "read", many, 0),
                "stdf-tamer": lambda: foreign("stdf_tamer", "read", few, 0),
            }),
        )  # fmt: skip
        good &= show(
            "read a lot",
            measured({
                "drycell": lambda: our_read(lot),
                "drycell check": lambda: our_check(lot),
                "Semi-ATE-STDF": lambda: foreign("semi_ate", "read", small_lot, 0),
                "pystdf": lambda: foreign("pystdf", "read", lot, 0),
            }),
        )  # fmt: skip
        writers = measured({
            "drycell": lambda: our_write(out, FAST),
            "drycell bulk": lambda: our_bulk(out, 10 * FAST),
            "drycell LotWriter": lambda: our_lot(out, 5_000),
            "Semi-ATE-STDF": lambda: foreign("semi_ate", "write", out, SLOW),
            "stdf-tamer": lambda: foreign("stdf_tamer", "write", out, SLOW),
        })  # fmt: skip
        good &= show("write PTR", writers)
        others = {name: writers[name] for name in ("Semi-ATE-STDF", "stdf-tamer")}
        good &= show("bulk write PTR", {"drycell": writers["drycell bulk"], **others})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
