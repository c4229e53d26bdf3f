"""Where the traceback of an internal error goes: into a file, never onto the user's screen."""

import tempfile
import traceback
from pathlib import Path

NAME = "traceback.txt"


def write_traceback(folder: Path) -> str:
    """Write the traceback of the exception being handled; returns where. ``folder``: the run directory, if any."""
    text = traceback.format_exc()
    for place in (folder / NAME if folder != Path() else None, Path(tempfile.gettempdir()) / f"drycell-{NAME}"):
        if place is None:
            continue
        try:
            place.write_text(text, encoding="utf-8")
            return str(place)
        except OSError:
            continue
    return "no file, because none could be written"
