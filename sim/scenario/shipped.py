"""The table of shipped scenarios in docs/scenarios.md.

``python -m drycell.sim.scenario.shipped scenarios docs/scenarios.md`` writes it anew from the files themselves.
"""

import sys
from pathlib import Path

from drycell.sim.scenario.loading import load

BEGIN, END = "<!-- scenarios: begin (generated) -->", "<!-- scenarios: end -->"


def markdown(root: Path) -> str:
    """One row per scenario below ``root`` that says what it shows."""
    rows = ["| File | What happens | Verdict | Rungs |", "|---|---|---|---|"]
    for path in sorted(root.rglob("*.yaml")):
        shows = load(path).shows
        if shows is not None:
            verdict = shows.verdict + (
                f": {', '.join(f'`{name}`' for name in shows.violates)}" if shows.violates else ""
            )
            about = " ".join(line[2:] for line in path.read_text("utf-8").splitlines() if line.startswith("# "))
            rows.append(f"| `{path.relative_to(root).as_posix()}` | {about} | {verdict} | {', '.join(shows.rungs)} |")
    return "\n".join(rows)


def updated(text: str, root: Path) -> str:
    """``text`` with what stands between the two marks replaced by the table."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{markdown(root)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    page = Path(sys.argv[2])
    page.write_text(updated(page.read_text(encoding="utf-8"), Path(sys.argv[1])), encoding="utf-8")
