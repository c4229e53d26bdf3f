"""``drycell export``: a run, or a recording of a floor, for other tools. No file that is there is written over."""

import argparse
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from drycell.runtime.stdf import Gap, read_tolerant
from drycell.runtime.stdf.atdf import line
from drycell.sim.cli.output import print_text, talk
from drycell.sim.cli.parsing import UsageError
from drycell.sim.errors import DrycellError
from drycell.sim.replay import Recording, open_recording
from drycell.sim.replay.packets import packets
from drycell.sim.replay.stored import SUFFIX, store
from drycell.sim.report import Collected, collect
from drycell.sim.report.pcapng import write_pcapng
from drycell.sim.report.perfetto import write_perfetto
from drycell.sim.report.tables import write_csv, write_parquet
from drycell.sim.runs import Run, RunStore
from drycell.sim.suggest import did_you_mean


class _Source:
    """What is exported: a run, or else a file or folder that ``open_recording`` reads."""

    def __init__(self, word: str) -> None:
        self._path = Path(word)
        is_recording = "\0" not in word and self._path.exists() and not (self._path / "scenario.json").exists()
        self._run = None if is_recording else RunStore().find(word)

    @property
    def run(self) -> Run:
        """Raises UsageError when it is a recording."""
        if self._run is None:
            raise UsageError(f"{self._path} is no run of drycell; {' and '.join(_OF_RECORDINGS)} can be made of it")
        return self._run

    @cached_property
    def collected(self) -> Collected:
        """Everything that the report knows of the run."""
        return collect(self.run)

    @property
    def recording(self) -> Recording:
        """Its messages."""
        return open_recording(self._path if self._run is None else self._run.path)

    def stdf(self) -> list[Path]:
        """The STDF files of the run. Raises DrycellError when there is none."""
        found = sorted(self.run.path.glob("*.stdf"))
        if not found:
            raise DrycellError(f"{self.run.path} holds no STDF file; its scenario makes none, or it ended before")
        return found


def export(arguments: argparse.Namespace) -> int:
    """Carry out ``drycell export``."""
    formats = [word.strip() for word in arguments.to.split(",") if word.strip()]
    for word in formats:
        if word not in FORMATS:
            raise UsageError(f"--to {word!r} is no format; {did_you_mean(word, FORMATS)}")
    if not formats:
        raise UsageError(f"--to names no format; known are {', '.join(FORMATS)}")
    source, out = _Source(arguments.run), arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=out) as work:
            for word in dict.fromkeys(formats):
                for path in FORMATS[word](source, Path(work)):
                    print_text(str(_kept(path, out / path.name)))
    except OSError as error:
        raise DrycellError(f"{out} cannot be written ({error.strerror}); name another folder with -o") from None
    return 0


def _kept(made: Path, path: Path) -> Path:
    """``path``, where a whole file now lies that was ``made`` elsewhere."""
    if path.exists():
        raise DrycellError(f"{path} exists already; name another folder with -o")
    return made.rename(path)


def _perfetto(source: _Source, folder: Path) -> list[Path]:
    path = folder / "trace.perfetto.json"
    write_perfetto(source.collected, path)
    return [path]


def _csv(source: _Source, folder: Path) -> list[Path]:
    return write_csv(source.collected, folder)


def _parquet(source: _Source, folder: Path) -> list[Path]:
    return write_parquet(source.collected, folder)


def _recording(source: _Source, folder: Path) -> list[Path]:
    path = folder / f"messages{SUFFIX}"
    store(source.recording, path)
    return [path]


def _pcapng(source: _Source, folder: Path) -> list[Path]:
    path = folder / "messages.pcapng"
    recording = source.recording
    write_pcapng(packets(recording), path, recording.start_unix_ns or 0)
    return [path]


def _stdf(source: _Source, folder: Path) -> list[Path]:
    return [Path(shutil.copyfile(file, folder / file.name)) for file in source.stdf()]


def _atdf(source: _Source, folder: Path) -> list[Path]:
    made = []
    for file in source.stdf():
        made.append(folder / file.with_suffix(".atdf").name)
        with made[-1].open("w", encoding="utf-8", newline="\n") as text:
            for item in read_tolerant(file):
                if isinstance(item, Gap):
                    talk(f"{file.name}: {item.error} ({item.length} bytes left out)")
                else:
                    text.write(f"{line(item)}\n")
    return made


FORMATS: Mapping[str, Callable[[_Source, Path], list[Path]]] = {
    "perfetto": _perfetto,
    "csv": _csv,
    "parquet": _parquet,
    "recording": _recording,
    "pcapng": _pcapng,
    "stdf": _stdf,
    "atdf": _atdf,
}
_OF_RECORDINGS = ("recording", "pcapng")
