"""From the floor to the desk: files of a floor in, a scenario file and its lot file out."""

import os
from collections.abc import Sequence
from pathlib import Path

from drycell.sim.cell.program_model import load_program_model
from drycell.sim.errors import DrycellError
from drycell.sim.replay.importing import open_recording
from drycell.sim.replay.lot_file import write_lot
from drycell.sim.replay.recognising import recognise
from drycell.sim.replay.staging import ProgramChoice, Staged, stage

LOT_SUFFIX = ".devices.csv"


def bring(
    paths: Sequence[Path],
    target: Path,
    *,
    definitions: Path | None = None,
    program: str | None = None,
    python: str | None = None,
    rung: str | None = None,
    device: str | None = None,
    lot: str | None = None,
    format: str | None = None,
) -> Staged:
    """Write the scenario of the recordings in ``paths`` to ``target``, and its lot file beside it.

    ``definitions``: the program's definitions, which say what question is behind each output; ``program`` and
    ``python`` as ``target`` shall hold them. Existing files are replaced. Raises DrycellError when nothing can be
    made of the recordings, or when a file cannot be written.
    """
    if target.suffix not in (".yaml", ".yml"):
        raise DrycellError(f"{target}: a scenario file ends with .yaml")
    recordings = [open_recording(path, format) for path in paths]
    model = None if definitions is None else load_program_model(definitions)
    scene = recognise(recordings, device=device, lot=lot)
    text = None if definitions is None or program is not None else os.path.relpath(definitions, target.parent)
    lot_file = target.with_name(f"{target.stem}{LOT_SUFFIX}")
    staged = stage(scene, lot_file.name, ProgramChoice(text, program, python, rung, model), target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_lot(lot_file, staged.rows)
        target.write_text(staged.text(", ".join(path.name for path in paths)), encoding="utf-8")
    except OSError as error:
        raise DrycellError(f"{target} cannot be written ({error.strerror}); name another file with -o") from None
    return staged
