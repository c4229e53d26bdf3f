"""STDF files, whole or broken: one entry per record, as far as ``runtime.stdf`` finds records.

STDF has few times: SETUP_T and START_T of MIR, FINISH_T of MRR, and TEST_T of each part. A touchdown begins with the
first PIR after a PRR, and lasts as long as its slowest part.
"""

from collections.abc import Iterator
from pathlib import Path

from drycell.plugins_sim.importers.text import Timed, recording
from drycell.runtime.stdf import Gap as Damage
from drycell.runtime.stdf import Record, read_tolerant
from drycell.runtime.stdf.json_records import to_json
from drycell.sim.replay.lines import head
from drycell.sim.replay.recording import Entry, Gap, Recording

_BEGIN_BYTES = 16 * 1024
_FAR = (b"\x02\x00\x00\x0a", b"\x00\x02\x00\x0a")


class StdfReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """It begins with FAR; of a broken file MIR will do."""
        return 3 if head.startswith(_FAR) else 1 if head[2:4] == b"\x01\x0a" else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is no record in it."""
        return recording("STDF", path, lambda: _records(path), lambda: _records(head(path, _BEGIN_BYTES)))


def _records(source: Path | bytes) -> Iterator[Timed]:
    now_ns: int | None = None
    longest_ns = 0
    for item in read_tolerant(source):
        if isinstance(item, Damage):
            yield Gap(f"byte {item.offset}", item.error.problem, item.length)
            continue
        if item.name == "MIR":
            now_ns = item.fields.get("START_T", 0) * 10**9
        elif item.name == "PIR" and now_ns is not None:
            now_ns, longest_ns = now_ns + longest_ns, 0
        elif item.name == "PRR":
            longest_ns = max(longest_ns, item.fields.get("TEST_T", 0) * 10**6)
        elif item.name == "MRR" and now_ns is not None:
            now_ns = max(now_ns + longest_ns, item.fields.get("FINISH_T", 0) * 10**9)
        yield now_ns, _entry(item)


def _entry(record: Record) -> Entry:
    return Entry(0, "record", topic=record.name, detail=to_json(record))
