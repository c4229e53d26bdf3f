"""What the README promises: its commands exist and print what it shows."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drycell.sim.cli.parsing import Verbs
from drycell.sim.cli.verbs import command
from drycell.sim.scenario import from_text

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = "drycell run scenarios/demo.yaml --rung model"


def blocks(kind: str = "") -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def shape(text: str) -> str:
    """The text with every number, name and column width taken out of it."""
    text = re.sub(r"─+", "─", text)
    return re.sub(r"\d+(\.\d+)?", "N", re.sub(r" +", " ", text)).strip()


def test_the_two_commands_are_the_two_commands() -> None:
    assert blocks()[0].split("\n") == ["make demo", "make test", ""]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_demo_offline_is_the_command_that_the_readme_names() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "demo", "OFFLINE=1"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f".venv/bin/{DEMO}"
    assert DEMO in README


def test_the_offline_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    drycell = Path(sys.executable).with_name("drycell")
    words = shlex.split(DEMO)[1:]
    words[1] = str(ROOT / words[1])
    done = subprocess.run([drycell, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = next(block for block in blocks() if block.startswith("a lot of voltage regulators"))
    printed, rest = done.stdout.split("\n\nSTDF: ")
    table = re.compile(r"─\n.*?\n\n", re.DOTALL)  # which bins there are depends on the devices
    assert shape(table.sub("─\n\n", printed)) == shape(table.sub("─\n\n", shown))
    assert re.search(r"^run directory: \.drycell/runs/\S+$", rest, re.MULTILINE)
    verdict = json.loads((tmp_path / ".drycell" / "runs" / "latest" / "verdict.json").read_text())
    assert_the_table_adds_up(printed, verdict)


def assert_the_table_adds_up(printed: str, verdict: dict[str, object]) -> None:
    rows = re.findall(r"^ +(\d+) +(\d+)   (\S+) +(\d+) +(\d+) +(\d+) +[\d.]+%$", printed, re.MULTILINE)
    assert {soft: int(total) for soft, _, _, _, _, total in rows} == verdict["soft_bins"]
    assert all(int(first) + int(second) == int(total) for _, _, _, first, second, total in rows)
    assert re.search(rf"Yield .* {verdict['parts']} +{verdict['yield']:.1%}$", printed, re.MULTILINE)


def test_the_scenario_of_the_readme_is_one() -> None:
    assert from_text(blocks("yaml")[0]).devices.size == 50


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    dead = [
        f"{page.name}: {target}"
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_verb_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    missing = [word for word in words_of(command().get_default("verbs")) if f"{word}" not in page]
    assert missing == []


def words_of(verbs: Verbs) -> list[str]:
    words = []
    for name, parser in verbs.parsers.items():
        words += [name, *(words_of(verbs.groups[name]) if name in verbs.groups else ())]
        for action in parser._actions:
            words += [option for option in action.option_strings if option not in ("-h", "--help")]
    return words
