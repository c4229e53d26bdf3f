"""The commands on the page about field failures, in the order of the page, as somebody would type them."""

import io
import re
import shlex
from pathlib import Path

import pytest

from drycell.sim.cli.main import main
from drycell.sim.replay import open_recording
from tests.broker.mosquitto import mosquitto

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "recordings"
MODEL = ("run", "replay")
"""On the page these start the real program; here a model does."""


def commands(verbs="import|run|replay|debug|pack"):
    """Every line of a code block with one of the verbs."""
    page = (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
    blocks = [
        block for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if not kind
    ]
    lines = [line.removeprefix("$ ").partition("#")[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(rf"drycell ({verbs}) ", line)]


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


def test_the_captures_of_the_page_listen_where_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with mosquitto(tmp_path) as port:
        for line in commands("capture"):
            here = re.sub(r" \d+=", " 0=", line.replace("tester7:1883", f"127.0.0.1:{port}"))
            assert main([*shlex.split(here)[1:], "--for", "1s"]) == 0, line
    assert all(list(open_recording(tmp_path / folder)) == [] for folder in ("night", "between"))


def test_the_exports_of_the_page_write_what_it_says(floor, tmp_path):
    assert main(["run", str(ROOT / "scenarios" / "demo.yaml"), "--rung", "model", "--duts", "4"]) == 0
    for line in commands("export"):
        assert main(shlex.split(line)[1:]) == 0, line
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".pcapng", ".stdf"}


def test_the_page_reads_a_recording_from_python(floor, tmp_path, capsys):
    (tmp_path / "night.recording.jsonl").symlink_to(KEPT / "real_lot.recording.jsonl")
    page = (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "recording.gaps()" in block)
    exec(code, {})
    assert capsys.readouterr().out.endswith("[]\n")
