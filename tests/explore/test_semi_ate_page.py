"""docs/findings-semi-ate.md is made of scenarios/found: each is flown with the real program, and told from its journal.

``python -m tests.explore.test_semi_ate_page`` writes it anew. Scenarios get there by
``drycell findings NAME --promote scenarios/found``.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drycell.sim.explore.explanation import explain
from drycell.sim.explore.flight import Violation, fly
from drycell.sim.scenario import load
from drycell.sim.scenario.files import pretty

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "findings-semi-ate.md"
FOUND = sorted((ROOT / "scenarios" / "found").glob("*.yaml"))
BEGIN, END = "<!-- findings: begin (generated) -->\n", "<!-- findings: end -->"


def sections() -> Iterator[str]:
    """One for each file: what is needed for it, and what happened."""
    for number, path in enumerate(FOUND, start=1):
        scenario = load(path)
        assert scenario.shows is not None, path
        flight = fly(scenario)
        assert {violation.oracle for violation in flight.violations} == set(scenario.shows.violates), path
        yield f"## {number}. {_title(flight.findings)}\n`{path.relative_to(ROOT)}`\n```yaml\n{pretty(scenario)}```\n"
        for violation in flight.findings:
            yield "\n".join(["```", *explain(violation, flight.events), "```", ""])


def _title(findings: tuple[Violation, ...]) -> str:
    return ", ".join(f"Not kept: {violation.oracle}" for violation in findings)


def _lasting(text: str) -> list[str]:
    """What stays the same when peers say more or less than before: no story, no numbers."""
    return [re.sub(r"\d+", "#", line) for line in text.splitlines() if not line.startswith(("»", " "))]


@pytest.mark.real
@pytest.mark.xdist_group("real")
def test_the_page_tells_what_the_real_program_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert FOUND
    assert _lasting(PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0]) == _lasting("\n".join(sections()))


if __name__ == "__main__":
    os.chdir(ROOT)
    told = "\n".join(sections())
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{told}{END}{rest.split(END)[1]}", encoding="utf-8")
