"""Readers of recordings that others wrote: MQTT tools, network captures, STDF files, logs, CSV.

Each reads a stream within limits, goes on after damage, and names what it had to leave out. Nothing here looks into a
cell or knows what the messages mean.
"""

from collections.abc import Mapping

from drycell.plugins_sim.importers.document import DocumentReader
from drycell.plugins_sim.importers.mosquitto import JsonReader, TextReader
from drycell.plugins_sim.importers.network import NetworkReader
from drycell.plugins_sim.importers.program_log import ProgramLogReader
from drycell.plugins_sim.importers.stdf_file import StdfReader
from drycell.plugins_sim.importers.table import TableReader
from drycell.sim.replay.of_journal import JournalReader
from drycell.sim.replay.recording import Reader
from drycell.sim.replay.stored import StoredReader

READERS: Mapping[str, Reader] = {
    "capture": StoredReader(),
    "journal": JournalReader(),
    "pcap": NetworkReader(),
    "mosquitto": TextReader(),
    "jsonl": JsonReader(),
    "json": DocumentReader(),
    "csv": TableReader(),
    "stdf": StdfReader(),
    "log": ProgramLogReader(),
}
