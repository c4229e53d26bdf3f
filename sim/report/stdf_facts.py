"""What the STDF file of a run holds: counts of records, parts, and whether the file is whole.

Rule: a damaged or unfinished file is a finding, never an error.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from drycell.runtime.stdf import Gap, StdfError, read_tolerant

MOST_BYTES = 64 * 2**20


@dataclass(slots=True)
class StdfFacts:
    """One file. ``note`` is a sentence for people; empty when everything is as it should be."""

    name: str
    size: int
    records: Counter[str] = field(default_factory=Counter)
    note: str = ""


def stdf_facts(run_dir: Path) -> list[StdfFacts]:
    """Every STDF file of a run directory, by name."""
    return [_facts(path) for path in sorted(run_dir.glob("*.stdf")) if path.is_file()]


def _facts(path: Path) -> StdfFacts:
    facts = StdfFacts(path.name, path.stat().st_size)
    if facts.size > MOST_BYTES:
        facts.note = "The file is too large to be counted here; drycell stdf check does it."
        return facts
    last = ""
    gaps = 0
    try:
        for item in read_tolerant(path):
            if isinstance(item, Gap):
                gaps += 1
                continue
            last = item.type.name
            facts.records[last] += 1
    except (StdfError, OSError) as error:
        facts.note = f"It cannot be read: {error}"
        return facts
    if gaps:
        facts.note = f"It is damaged in {gaps} place{'s' if gaps > 1 else ''}; everything else can be read."
    elif last != "MRR":
        facts.note = "The lot was not closed: there is no MRR. Every record that is there can be read."
    return facts
