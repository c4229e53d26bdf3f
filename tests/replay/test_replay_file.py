"""A run as one zip: written, read, run again; whatever is not such a zip is refused with the reason."""

import json
import random
import warnings
import zipfile
from pathlib import Path

import pytest

from drycell.sim.cell.run import run
from drycell.sim.errors import DrycellError
from drycell.sim.replay import first_divergence
from drycell.sim.replay.bringing import bring
from drycell.sim.replay.replay_file import MANIFEST, pack, unpack
from drycell.sim.runs import RunStore
from drycell.sim.scenario import load, with_overrides

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "nominal" / "clean_lot.yaml"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A replay file of a small lot."""
    folder = tmp_path_factory.mktemp("packed")
    scenario = load(SCENARIO, {"devices.size": 2})
    made = RunStore(folder / "runs").new(scenario, SCENARIO)
    made.finish(run(scenario, made.path))
    pack(made, folder / "lot.zip")
    return folder / "lot.zip"


def rewritten(packed, target, change):
    """The same zip with its files (name -> bytes) as ``change`` leaves them."""
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def described(files, **more):
    """Let the manifest name what is there."""
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = {name: {"sha256": "0" * 64} for name in files if name != MANIFEST}
    files[MANIFEST] = json.dumps({**manifest, **more}).encode()


def test_a_replay_file_runs_again_where_nothing_else_is(packed, tmp_path):
    here = unpack(packed, tmp_path / "unpacked")
    again = run(here.scenario({}), tmp_path / "again")
    assert first_divergence(here.run.journal, again.run_dir / "journal.jsonl") is None


def test_equal_runs_are_equal_files(packed, tmp_path):
    for name in ("one", "two"):
        scenario = load(SCENARIO, {"devices.size": 2})
        made = RunStore(tmp_path / name).new(scenario, SCENARIO)
        run(scenario, made.path)
        pack(made, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_there_is_no_code_in_it(packed):
    names = zipfile.ZipFile(packed).namelist()
    assert names == [MANIFEST, *sorted(names[1:])]
    assert {Path(name).suffix for name in names} <= {".json", ".jsonl", ".yaml", ".stdf"}


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    made = RunStore(tmp_path / "runs").new(load(SCENARIO), SCENARIO)
    (tmp_path / "mine.zip").write_text("mine")
    with pytest.raises(DrycellError, match="is there already"):
        pack(made, tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_text() == "mine"


HOSTILE = {
    "path upward": (lambda files: files.update({"../evil": b"x"}), "is no name that may be in it"),
    "absolute path": (lambda files: files.update({"/etc/evil": b"x"}), "is no name that may be in it"),
    "hidden file": (lambda files: files.update({".bashrc": b"x"}), "is no name that may be in it"),
    "windows path": (lambda files: files.update({"c:\\evil": b"x"}), "is no name that may be in it"),
    "no manifest": (lambda files: files.pop(MANIFEST), "it has no manifest.json"),
    "manifest is a list": (lambda files: files.update({MANIFEST: b"[]"}), "not of the agreed form"),
    "deep manifest": (lambda files: files.update({MANIFEST: b"[" * 100_000}), "not of the agreed form"),
    "further file": (lambda files: files.update({"extra": b"x"}), "not those that its manifest names"),
    "missing file": (lambda files: files.pop("journal.jsonl"), "not those that its manifest names"),
    "other content": (lambda files: files.update({"journal.jsonl": b"{}"}), "is not what the manifest says"),
    "other version": (lambda files: described(files, drycell_replay=2), "reads format 1 only"),
    "no run": (lambda files: (files.pop("scenario.json"), described(files)), "it holds no run"),
    "input elsewhere": (
        lambda files: described(files, inputs={"program.definitions": "../../home"}),
        "a file of its own choice",
    ),
    "input of its own": (lambda files: described(files, inputs={"program.path": "x.py"}), "a file of its own choice"),
    "too many files": (lambda files: files.update({f"sites/f{n}": b"" for n in range(5000)}), "4096 are allowed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_the_reason(name, packed, tmp_path):
    change, reason = HOSTILE[name]
    with pytest.raises(DrycellError, match=reason):
        unpack(rewritten(packed, tmp_path / "hostile.zip", change), tmp_path / "unpacked")


def test_a_bomb_is_refused_before_anything_is_written(packed, tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, "{}")
        for number in range(5):
            info = zipfile.ZipInfo(f"sites/f{number}")
            archive.writestr(info, b"")
            archive.infolist()[-1].file_size = 1 << 30
    with pytest.raises(DrycellError, match="beyond 4 GiB"):
        unpack(bomb, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()


def test_a_link_is_refused(packed, tmp_path):
    target = tmp_path / "link.zip"
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(target, "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
        info = zipfile.ZipInfo("sites/link")
        info.external_attr = 0o120777 << 16
        other.writestr(info, "/etc/passwd")
    with pytest.raises(DrycellError, match="is no plain file"):
        unpack(target, tmp_path / "unpacked")


def test_damaged_files_are_refused_or_read_whole(packed, tmp_path):
    """Each with one byte changed, or cut off: nothing but DrycellError comes out."""
    data, draw = packed.read_bytes(), random.Random(11)
    refused = 0
    for number in range(100):
        damaged = bytearray(data)
        if number % 2:
            del damaged[draw.randrange(len(damaged)) :]
        else:
            damaged[draw.randrange(len(damaged))] ^= 1 + draw.randrange(255)
        path = tmp_path / f"{number}.zip"
        path.write_bytes(damaged)
        try:
            unpack(path, tmp_path / "unpacked")
        except DrycellError:
            refused += 1
    assert refused > 90


def test_a_program_in_a_replay_file_is_never_run(packed, tmp_path):
    here = unpack(packed, tmp_path)
    text = json.loads((here.run.path / "scenario.json").read_text())
    text["program"]["path"] = "/tmp/evil.py"
    (here.run.path / "scenario.json").write_text(json.dumps(text))
    with pytest.raises(DrycellError, match="name yours with --program"):
        here.scenario({})
    text["program"]["path"], text["cell"]["broker"] = None, "mqtt://elsewhere:1883"
    (here.run.path / "scenario.json").write_text(json.dumps(text))
    with pytest.raises(DrycellError, match="broker elsewhere"):
        here.scenario({})


def test_for_a_real_program_the_reader_names_it(packed, tmp_path):
    here = unpack(packed, tmp_path)
    with pytest.raises(DrycellError, match="holds no code"):
        here.scenario({"rung": "process"})
    own = {"rung": "process", "program.definitions": str(ROOT / "scenarios" / "demo")}
    assert here.scenario(own).path_of(own["program.definitions"]).is_dir()


def test_a_recorded_lot_travels_with_its_run(tmp_path):
    bring([Path(__file__).parent / "recordings" / "real_lot.recording.jsonl"], tmp_path / "night.yaml",
          definitions=ROOT / "scenarios" / "demo", rung="model")  # fmt: skip
    scenario = with_overrides(load(tmp_path / "night.yaml"))
    made = RunStore(tmp_path / "runs").new(scenario, tmp_path / "night.yaml")
    made.finish(run(scenario, made.path))
    pack(made, tmp_path / "night.zip")
    here = unpack(tmp_path / "night.zip", tmp_path / "unpacked")
    assert run(here.scenario({}), tmp_path / "again").hard_bins == made.result().hard_bins
