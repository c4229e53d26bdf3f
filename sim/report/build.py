"""Writing the report of a run into its directory."""

from pathlib import Path

from drycell.sim.errors import DrycellError
from drycell.sim.report.collected import collect
from drycell.sim.report.page import page
from drycell.sim.runs import Run

REPORT = "report.html"


def write_report(run: Run, path: Path | None = None) -> Path:
    """Write the report of ``run`` to ``path`` (default: ``report.html`` in its directory), all or nothing.

    Raises DrycellError when the journal is damaged or the file cannot be written.
    """
    target = run.path / REPORT if path is None else path
    text = page(collect(run))
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DrycellError(f"{target} cannot be written ({error.strerror}); name another file with --out") from None
    return target
