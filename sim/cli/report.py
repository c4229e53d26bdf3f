"""``drycell report`` and ``drycell export``: a finished run for people and for other tools."""

import argparse
import sys
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path

from drycell.sim.cli.output import print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.errors import DrycellError
from drycell.sim.report import Collected, collect, write_report
from drycell.sim.report.perfetto import write_perfetto
from drycell.sim.report.tables import write_csv
from drycell.sim.runs import RunStore
from drycell.sim.suggest import did_you_mean


def report(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell report``."""
    path = write_report(RunStore().find(arguments.run), arguments.out)
    print_text(str(path))
    wanted = arguments.open or ("yes" if sys.stdout.isatty() and sys.stderr.isatty() else "no")
    if wanted == "yes" and not webbrowser.open(path.resolve().as_uri()):
        talk("no browser could be started; open the file yourself")
    return 0


def _perfetto(collected: Collected, folder: Path) -> list[Path]:
    path = folder / "trace.perfetto.json"
    write_perfetto(collected, path)
    return [path]


FORMATS: Mapping[str, Callable[[Collected, Path], list[Path]]] = {"perfetto": _perfetto, "csv": write_csv}


def export(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell export``."""
    formats = [word.strip() for word in arguments.to.split(",") if word.strip()]
    for word in formats:
        if word not in FORMATS:
            raise UsageError(f"--to {word!r} is no format; {did_you_mean(word, FORMATS)}")
    if not formats:
        raise UsageError(f"--to names no format; known are {', '.join(FORMATS)}")
    collected = collect(RunStore().find(arguments.run))
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for word in dict.fromkeys(formats):
            for path in FORMATS[word](collected, arguments.out):
                print_text(str(path))
    except OSError as error:
        raise DrycellError(
            f"{arguments.out} cannot be written ({error.strerror}); name another folder with -o"
        ) from None
    return 0
