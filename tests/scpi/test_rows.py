"""Every row DVT-015 to DVT-122 of the inventory has a test, or docs/instruments.md says what replaces it."""

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "instruments.md"
ROWS = {f"DVT-{number:03d}" for number in range(15, 123)}


def test_every_row_is_tested_or_replaced() -> None:
    tested: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for marker in re.findall(r"mark\.row\((.*?)\)", path.read_text(), re.DOTALL):
            tested.update(re.findall(r"DVT-\d{3}", marker))
    replaced = set(re.findall(r"DVT-\d{3}", PAGE.read_text()))
    assert tested & ROWS, "no marker was found at all"
    assert sorted(ROWS - tested - replaced) == []


def test_the_page_shows_only_benches_that_can_be_made(tmp_path: Path) -> None:
    from drycell.plugins_sim.instruments.bench import load_bench

    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "my_instrument.yaml").write_text(blocks[1])
    (tmp_path / "lab.yaml").write_text('spec: "1.0"\ndevices: {device 1: {dialogues: [{q: "?", r: hello}]}}\n')
    (tmp_path / "bench.yaml").write_text(blocks[0])
    bench = load_bench(tmp_path / "bench.yaml", lambda: 0)
    assert bench.ask("old", "?") == "hello" and bench.ask("mine", "*IDN?").startswith("Acme,HP-1")
    assert bench.ports["meter"] == 6004
    for name in ("oven", "vin", "vaux", "meter"):
        assert bench.ask(name, "*IDN?").startswith("drycell,")
