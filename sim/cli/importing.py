"""``drycell import``: recordings of a floor become a scenario."""

import argparse
import os
from pathlib import Path
from typing import Any

from drycell.sim.cli.output import print_json, print_text, talk
from drycell.sim.replay.bringing import bring


def import_(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell import``."""
    staged = bring(arguments.files, arguments.out, **choices(arguments, arguments.out.parent))
    if arguments.json:
        scenario = staged.scenario
        print_json(
            {
                "scenario": str(arguments.out),
                "devices": scenario.devices.size,
                "contacts": len(staged.rows),
                "steps": len(scenario.timeline),
                "notes": list(staged.notes),
            }
        )
        return 0
    for note in staged.notes:
        talk(f"note: {note}")
    print_text(str(arguments.out))
    return 0


def choices(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the options say about the program and the lot; paths as seen from the scenario's ``folder``."""

    def seen_from(text: str | None) -> str | None:
        return text if text is None or Path(text).is_absolute() else os.path.relpath(text, folder)

    return {
        "definitions": arguments.definitions,
        "program": seen_from(arguments.program),
        "python": seen_from(arguments.python),
        "rung": arguments.rung,
        "device": arguments.device,
        "lot": arguments.lot,
        "format": arguments.as_,
    }
