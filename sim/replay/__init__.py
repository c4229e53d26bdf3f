"""Field failures: recordings of live cells, where journals part. Reads files only; never looks into a live cell."""

from drycell.sim.replay.divergence import Divergence, first_divergence
from drycell.sim.replay.importing import open_recording
from drycell.sim.replay.recording import Entry, Gap, Reader, Recording

__all__ = ["Divergence", "Entry", "Gap", "Reader", "Recording", "first_divergence", "open_recording"]
