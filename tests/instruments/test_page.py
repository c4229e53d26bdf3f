"""What docs/instruments.md shows is so: its benches, its scenario, its program, its commands."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from drycell.plugins_sim.instruments.bench import load_bench
from drycell.sim.cli.main import main
from drycell.sim.cli.verbs import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "instruments.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_its_benches_can_be_made(tmp_path: Path) -> None:
    own, instrument, named, _ = blocks("yaml")
    (tmp_path / "my_instrument.yaml").write_text(instrument)
    (tmp_path / "lab.yaml").write_text('spec: "1.0"\ndevices: {device 1: {dialogues: [{q: "?", r: hello}]}}\n')
    (tmp_path / "bench.yaml").write_text(own)
    bench = load_bench(tmp_path / "bench.yaml", lambda: 0)
    assert bench.ask("old", "?") == "hello" and bench.ask("mine", "*IDN?").startswith("Acme,HP-1")
    assert bench.ports["meter"] == 6004
    for name in ("oven", "vin", "vaux", "meter"):
        assert bench.ask(name, "*IDN?").startswith("drycell,")
    (tmp_path / "named.yaml").write_text(named)
    assert load_bench(tmp_path / "named.yaml", lambda: 0).resources["GPIB0::5::INSTR"] == "oven"


def test_its_scenario_flies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cell = blocks("yaml")[-1]
    cell, hosts, _ = cell.partition("\nhosts:")  # for real programs only
    shutil.copyfile(ROOT / "scenarios" / "bench" / "bench.yml", tmp_path / "bench.yaml")
    program = f'program: {{definitions: {ROOT / "scenarios" / "bench"}}}\ndevices: {{lot: "306427.001", size: 2}}\n'
    (tmp_path / "cell.yaml").write_text(f"drycell: 1\nname: the page\nseed: 5\n{program}{cell}")
    code = main(["run", str(tmp_path / "cell.yaml"), "--rung", "model", "--out", str(tmp_path / "run")])
    assert hosts and code == 0, capfd.readouterr().err


def test_its_program_measures_on_the_usual_bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks("python")
    (tmp_path / "measure.py").write_text(program)
    assert main(["serve", "--run", str(tmp_path / "measure.py")]) == 0
    said = capfd.readouterr()
    assert float(said.out) == pytest.approx(3.3 * (1 + 50e-6 * 60), abs=1e-4)
    assert float(said.err.split(" s simulated")[0]) > 390.0  # it waited for the chamber


def test_its_commands_are_commands() -> None:
    lines = [line.partition(" #")[0] for block in blocks("") for line in block.splitlines()]
    shown = [shlex.split(line)[1:] for line in lines if line.startswith("drycell ")]
    assert len(shown) >= 5
    for words in shown:
        assert command().parse_args(words)
