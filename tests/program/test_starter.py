"""``drycell program new``: what it writes passes at once, on both rungs, and gives the same results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.runtime.stdf.compare import compare
from drycell.sim.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> int:
    return main(list(words))


@pytest.mark.row("SEQ-49")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_new_program_passes_at_once_on_both_rungs(
    here: Path, capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    assert call("program", "new", "my_ldo") == 0
    files = []
    for rung in ("model", "process"):
        assert call("run", "my_ldo.yaml", "--rung", rung, "--dialect", dialect, "--json") == 0, (
            capsys.readouterr().err
        )
        told = json.loads(capsys.readouterr().out)
        assert (told["verdict"], told["parts"], told["rung"]) == ("holds", 20, rung)
        files.append(Path(told["stdf_path"]))
    assert list(compare(*files)) == []


def test_its_files_are_one_readable_page_each_and_nothing_else(here: Path) -> None:
    assert call("program", "new", "my_ldo") == 0
    assert sorted(path.name for path in here.iterdir()) == ["my_ldo.py", "my_ldo.yaml"]
    for path in here.iterdir():
        text = path.read_text("utf-8")
        assert "regulator.py" not in text and "regulator.yaml" not in text
        assert len(text.splitlines()) < 60
    told = subprocess.run([sys.executable, "my_ldo.py", "--describe"], capture_output=True, text=True, check=True)
    assert [test["name"] for test in json.loads(told.stdout)["tests"]] == ["contact", "output_voltage"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there", "there.py exists already; name a new program"),
        ("no/folder", "cannot be written"),
        ("a-b", "'a-b' is no name for a program"),
        ("random", "would hide Python's package of that name"),
        ("drycell", "would hide Python's package of that name"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (here / "there.py").touch()
    assert call("program", "new", name) == 3
    assert said in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["there.py"]
