"""Strict STDF V4 codec: record tables, reading, writing, checking. Pure: bytes in, values out.

Lives here: the tables of all record types (``records``), the codec (``encode``, ``decode``, ``reading``), the bulk
path (``bulk``), the assembly of a lot (``lot``), the checks (``checks``), ATDF text (``atdf``) and comparison
(``compare``). Imports nothing of drycell outside this room.
"""

from drycell.runtime.stdf.damage import Gap
from drycell.runtime.stdf.encode import BIG, LITTLE, Encoder
from drycell.runtime.stdf.errors import StdfError
from drycell.runtime.stdf.json_records import from_json, to_json
from drycell.runtime.stdf.lot import LotSummary, LotWriter
from drycell.runtime.stdf.reading import read, read_tolerant
from drycell.runtime.stdf.records import TYPES, record
from drycell.runtime.stdf.rules import EXACT, LENIENT, STRICT, Rules, epoch_s
from drycell.runtime.stdf.table import Record, RecordType
from drycell.runtime.stdf.values import Bits

__all__ = [
    "BIG",
    "EXACT",
    "LENIENT",
    "LITTLE",
    "STRICT",
    "TYPES",
    "Bits",
    "Encoder",
    "Gap",
    "LotSummary",
    "LotWriter",
    "Record",
    "RecordType",
    "Rules",
    "StdfError",
    "epoch_s",
    "from_json",
    "read",
    "read_tolerant",
    "record",
    "to_json",
]
