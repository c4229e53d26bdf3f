"""Every shipped scenario shows what it says: twice with the same journal, on rung model and on rung process.

The real program flies in virtual time.
"""

from pathlib import Path

import pytest

from drycell.sim.cell.result import RunResult
from drycell.sim.cell.run import JOURNAL, run
from drycell.sim.faults import PALETTE
from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals
from drycell.sim.scenario import Scenario, canonical, from_text, load
from drycell.sim.scenario.files import pretty
from drycell.sim.scenario.shipped import markdown

ROOT = Path(__file__).parents[2] / "scenarios"
SHIPPED = {
    str(path.relative_to(ROOT)): load(path) for path in sorted(ROOT.rglob("*.yaml")) if "found" not in path.parts
}
SHOWN = {name: scenario for name, scenario in SHIPPED.items() if scenario.shows is not None}
REAL = [name for name, scenario in SHOWN.items() if scenario.shows and "process" in scenario.shows.rungs]


def check(scenario: Scenario, result: RunResult) -> None:
    assert scenario.shows is not None
    violated = {oracle.name: oracle.text for oracle in result.oracles if oracle.verdict == "violated"}
    assert set(violated) == set(scenario.shows.violates), (violated, result.problems)
    assert result.verdict == scenario.shows.verdict, [o for o in result.oracles if o.required]


@pytest.mark.parametrize("name", SHOWN)
def test_on_rung_model_it_shows_what_it_says_twice_with_the_same_journal(name, tmp_path):
    seen: list[Event] = []
    first, again = (run(SHOWN[name], tmp_path / side, observer=seen.append) for side in ("first", "again"))
    check(SHOWN[name], first)
    assert first.journal_sha256 == again.journal_sha256
    assert first.verdict == again.verdict
    assert seen == [*journals.read(first.run_dir / JOURNAL), *journals.read(again.run_dir / JOURNAL)]


@pytest.mark.real
@pytest.mark.xdist_group("real")
@pytest.mark.parametrize("name", REAL)
def test_with_the_real_program_it_shows_the_same_twice_with_the_same_journal(name, tmp_path):
    scenario = load(ROOT / name, {"rung": "process"})
    first, again = (run(scenario, tmp_path / side) for side in ("first", "again"))
    check(scenario, first)
    assert first.deterministic
    assert first.journal_sha256 == again.journal_sha256


def test_there_are_enough_and_each_is_small_and_says_in_words_what_happens():
    assert len(SHOWN) >= 20
    assert len(REAL) >= 10
    for name, scenario in SHOWN.items():
        assert scenario.devices.size <= 12, name
        assert (ROOT / name).read_text("utf-8").startswith("# "), name
        assert scenario.expect, name
    names = [scenario.name for scenario in SHIPPED.values()]
    assert len(set(names)) == len(names)


def test_every_layer_of_the_palette_is_shown():
    used = {step.do.fault[0] for scenario in SHOWN.values() for step in scenario.timeline if step.do.fault}
    layers = {layer: {name for name, fault in PALETTE.items() if fault.layer == layer} for layer in
              ("process", "link", "payload", "instrument", "file", "floor")}  # fmt: skip
    for layer, faults in layers.items():
        assert len(faults & used) >= len(faults) // 2, (layer, faults - used)


@pytest.mark.parametrize("name", SHIPPED)
def test_its_plain_form_and_its_canonical_form_are_the_same_scenario(name):
    text = canonical(SHIPPED[name])
    assert canonical(from_text(pretty(SHIPPED[name]))) == text
    assert canonical(from_text(text, as_json=True)) == text


def test_the_page_lists_them_as_they_are():
    page = ROOT.parent / "docs" / "scenarios.md"
    assert markdown(ROOT) in page.read_text("utf-8")
