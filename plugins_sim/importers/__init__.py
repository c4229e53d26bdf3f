"""Readers of recordings that others wrote: MQTT tools, network captures, STDF files, logs, CSV.

Each reads a stream within limits, goes on after damage, and names what it had to leave out. Nothing here looks into a
cell or knows what the messages mean.
"""

from collections.abc import Mapping

from drycell.sim.replay.recording import Reader
from drycell.sim.replay.stored import StoredReader

READERS: Mapping[str, Reader] = {"capture": StoredReader()}
