"""From a file to a recording: which reader fits, and the refusal when none does."""

from collections.abc import Mapping
from pathlib import Path

from drycell.sim.errors import DrycellError
from drycell.sim.hooks import registry
from drycell.sim.replay.lines import head
from drycell.sim.replay.of_journal import JOURNAL
from drycell.sim.replay.recording import Reader, Recording
from drycell.sim.replay.stored import segments
from drycell.sim.suggest import did_you_mean

HEAD_BYTES = 64 * 1024
FEW = 3
"""So many files of a folder are named."""


def open_recording(path: Path, format: str | None = None) -> Recording:
    """The recording in ``path``: a file, a folder that ``drycell capture`` wrote, or a run directory.

    ``format`` names the reader; without it the one that fits the first bytes best is taken. Raises DrycellError when
    the file cannot be read, when no reader fits, when several fit equally well, or when the format is unknown.
    """
    readers = registry().importers
    if format is not None:
        if format not in readers:
            raise DrycellError(f"there is no format {format!r}; {did_you_mean(format, readers)}")
        return readers[format].read(path)
    return readers[_fitting(path, readers)].read(path)


def _fitting(path: Path, readers: Mapping[str, Reader]) -> str:
    first = head(_first_file(path), HEAD_BYTES)
    if not first:
        raise DrycellError(f"{path} is empty")
    fits = {name: fit for name, reader in readers.items() if (fit := reader.sniff(first))}
    best = [name for name, fit in fits.items() if fit == max(fits.values())]
    if not best:
        raise DrycellError(f"{path} is of no known format; known are {', '.join(readers)}")
    if len(best) > 1:
        raise DrycellError(f"{path} could be {' or '.join(best)}; say which with --as")
    return best[0]


def _first_file(path: Path) -> Path:
    file = next(iter(segments(path)), path / JOURNAL)
    if path.is_dir() and not file.exists():
        held = sorted(one.name for one in path.iterdir() if one.is_file())[:FEW]
        what = f"; it holds {', '.join(held)}" if held else ""
        raise DrycellError(
            f"{path} is a folder without a recording{what}; name a file, a run, or what drycell capture wrote"
        )
    if file.exists() and not file.is_file():
        raise DrycellError(f"{path} is no file; recordings are read more than once, so write it to a file first")
    return file
