"""The commands on the page about field failures, in the order of the page, as somebody would type them."""

import io
import re
import shlex
from pathlib import Path

import pytest

from drycell.sim.cli.main import main

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "recordings"
MODEL = ("run", "replay")
"""On the page these start the real program; here a model does."""


def commands():
    """Every line of a code block that imports, replays, debugs or packs."""
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "field.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.removeprefix("$ ").partition("#")[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(r"drycell (import|run|replay|debug|pack) ", line)]


@pytest.fixture
def floor(tmp_path, monkeypatch):
    """What the page's commands find: a capture, recordings, the program's definitions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("next\nwhere\nback\nquit\n"))
    (tmp_path / "night").mkdir()
    for target in ("night/1.recording.jsonl", "real_lot.recording.jsonl"):
        (tmp_path / target).symlink_to(KEPT / "real_lot.recording.jsonl")
    (tmp_path / "real_lot.stdf").symlink_to(KEPT / "real_lot.stdf")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "demo").symlink_to(ROOT / "scenarios" / "demo")
    (tmp_path / "ldo").symlink_to(ROOT / "scenarios" / "demo")


def test_the_commands_of_the_page_do_what_it_says(floor, capsys):
    found = commands()
    assert {line.split()[1] for line in found} == {"import", "run", "replay", "debug", "pack"}
    for line in found:
        verb, *words = shlex.split(line)[1:]
        assert main([verb, *words, *(["--rung", "model"] if verb in MODEL else [])]) == 0, line
    assert "equal: messages of program0 16, program1 16" in capsys.readouterr().out
