"""``drycell findings``: what the search has found; show one, fly it again, make a scenario of it."""

import argparse
from dataclasses import asdict
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from drycell.sim.cli.output import console, print_json, print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.explore.findings import DEFAULT_ROOT, Finding, FindingStore, again, investigate, promote
from drycell.sim.explore.flight import fly

VIOLATED = 1


def findings(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell findings``."""
    store = FindingStore(arguments.store or DEFAULT_ROOT)
    if arguments.finding is None:
        if arguments.promote is not None:
            raise UsageError("--promote needs the name of a finding; see drycell findings")
        wanted = store.all()
        return _again(wanted, as_json=arguments.json) if arguments.again else _list(store, as_json=arguments.json)
    finding = store.find(arguments.finding)
    if arguments.promote is not None:
        print_text(str(promote(finding, arguments.promote, fly)))
        return 0
    if arguments.again:
        return _again([finding], as_json=arguments.json)
    return _show(finding, as_json=arguments.json)


def _list(store: FindingStore, *, as_json: bool) -> int:
    found = store.all()
    if as_json:
        print_json([_summary(finding) for finding in found])
        return 0
    if not found:
        talk(f"no findings in {store.root}; look for some with drycell explore")
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Finding", "Rung", "Events", "Shown", "Seen"):
        table.add_column(title, overflow="fold", justify="left" if title in ("Finding", "Rung") else "right")
    for finding in found:
        facts = finding.facts
        events = f"{facts.events}" if facts.minimal else f"{facts.events}, not minimal"
        shown = f"{facts.confirmed} of {facts.flown}"
        table.add_row(escape(finding.name), facts.rung, events, shown, str(facts.seen))
    console().print(table)
    return 0


def _show(finding: Finding, *, as_json: bool) -> int:
    if as_json:
        print_json({**_summary(finding), "scenario": str(finding.file), "explanation": finding.explanation()})
        return 0
    print_text(finding.file.read_text(encoding="utf-8"))
    print_text(finding.explanation() or f"Broken:  {finding.facts.text}\nIt is not reduced yet.\n")
    print_text(f"files: {finding.path}")
    if (finding.path / "run").is_dir():
        print_text(f"its run: drycell show {finding.path / 'run'}")
    return 0


def _again(wanted: list[Finding], *, as_json: bool) -> int:
    """Fly each once more, reduce what is not reduced yet; exit code 1 when one of them still shows."""
    lines: list[dict[str, Any]] = []
    for finding in wanted:
        shown_before = finding.facts.confirmed
        flown = again(finding, fly)[0] if finding.facts.reduced else investigate(finding, fly)
        shows = flown.facts.confirmed > shown_before
        lines.append({**_summary(flown), "shows": shows})
        if not as_json:
            verdict = "shows again" if shows else "does not show any more"
            print_text(f"{flown.name}: {verdict} ({flown.facts.confirmed} of {flown.facts.flown})")
    if as_json:
        print_json(lines)
    return VIOLATED if any(line["shows"] for line in lines) else 0


def _summary(finding: Finding) -> dict[str, Any]:
    return {"name": finding.name, "path": str(finding.path), **asdict(finding.facts)}
