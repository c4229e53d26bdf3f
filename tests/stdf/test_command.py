"""``drycell stdf cat|check|diff``: data on stdout, talk on stderr, exit codes 0, 1, 3."""

import json
from pathlib import Path

import pytest
from stdf_material import small_lot

from drycell.sim.cli import main


def run(*words: str) -> int:
    return main(["stdf", *words])


@pytest.fixture
def lot(tmp_path: Path) -> Path:
    path = tmp_path / "lot.stdf"
    path.write_bytes(small_lot(3)[0])
    return path


@pytest.fixture
def cut(tmp_path: Path, lot: Path) -> Path:
    path = tmp_path / "cut.stdf"
    path.write_bytes(lot.read_bytes()[:700])
    return path


def test_cat_prints_atdf_and_names_damage_on_stderr(lot: Path, cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cat", str(lot)) == 0
    out = capsys.readouterr()
    assert out.out.startswith("FAR:A|4|2|U\nMIR:L1|LDO|demo|") and out.err == ""
    assert run("cat", "--only", "PRR", str(cut)) == 1
    out = capsys.readouterr()
    assert {text[:4] for text in out.out.splitlines()} == {"PRR:"} and "the file is cut" in out.err


def test_check_gives_verdict_and_reasons(lot: Path, cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(lot)) == 0
    assert capsys.readouterr().out == f"{lot}: fine: 56 records, 6 parts, 5 good, 0 errors\n"
    assert run("check", str(lot), str(cut)) == 1
    assert "the file ends without MRR" in capsys.readouterr().out
    assert run("check", "--json", str(cut)) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "violated" and answer["finished"] is False
    assert answer["findings"][0]["rule"] == "damage"


def test_diff_tells_equal_from_different(lot: Path, cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("diff", str(lot), str(lot)) == 0
    assert capsys.readouterr().out == ""
    assert run("diff", str(lot), str(cut)) == 1
    assert "is only in the first file" in capsys.readouterr().out
    assert run("diff", "--json", str(lot), str(lot)) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_unusable_input_is_one_sentence_and_exit_code_3(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.stdf"
    text.write_text("not STDF at all")
    for words in (
        ("check", str(text)),
        ("cat", str(text)),
        ("diff", str(lot), str(text)),
        ("check", str(tmp_path / "none.stdf")),
        ("cat", "--only", "XYZ", str(lot)),
        ("diff", "--mask", "PRR.X", str(lot), str(lot)),
    ):
        assert run(*words) == 3
        out = capsys.readouterr()
        assert "Traceback" not in out.err and out.out + out.err != ""
