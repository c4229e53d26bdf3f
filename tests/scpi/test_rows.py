"""Every row DVT-015 to DVT-122 of the inventory has a test, or docs/instruments.md says what replaces it."""

import re
import shutil
from pathlib import Path

import pytest

from drycell.plugins_sim.instruments.bench import load_bench
from drycell.sim.cli.main import main
from tests.rows import rows_with_tests

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "instruments.md"
ROWS = {f"DVT-{number:03d}" for number in range(15, 123)}


def test_every_row_is_tested_or_replaced() -> None:
    replaced = set(re.findall(r"DVT-\d{3}", PAGE.read_text()))
    assert rows_with_tests("DVT") & ROWS, "no marker was found at all"
    assert sorted(ROWS - rows_with_tests("DVT") - replaced) == []


def test_the_page_shows_only_benches_that_can_be_made(tmp_path: Path) -> None:
    own, instrument, named, _ = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
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


def test_the_scenario_on_the_page_flies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cell = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[-1]
    cell, hosts, _ = cell.partition("\nhosts:")  # for real programs only
    shutil.copyfile(ROOT / "scenarios" / "bench" / "bench.yml", tmp_path / "bench.yaml")
    program = f'program: {{definitions: {ROOT / "scenarios" / "bench"}}}\ndevices: {{lot: "306427.001", size: 2}}\n'
    (tmp_path / "cell.yaml").write_text(f"drycell: 1\nname: the page\nseed: 5\n{program}{cell}")
    code = main(["run", str(tmp_path / "cell.yaml"), "--rung", "model", "--out", str(tmp_path / "run")])
    assert hosts and code == 0, capfd.readouterr().err
