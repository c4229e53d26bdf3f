"""The journal of a run as a recording: what an observer beside its broker could have written down."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from drycell.sim.kernel.journal import Event, read, read_header
from drycell.sim.replay.recording import Entry, Gap, Recording

JOURNAL = "journal.jsonl"


class JournalReader:
    """Reads a journal, or the one in a run directory."""

    def sniff(self, head: bytes) -> int:
        """It says so itself in its first line."""
        return 3 if head.startswith(b'{"drycell_journal":') else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when it is no journal, or of an unknown version."""
        file = path / JOURNAL if path.is_dir() else path
        read_header(file)
        return Recording("journal", path.name, lambda: _items(file))


def _items(file: Path) -> Iterator[Entry | Gap]:
    for event in read(file):
        entry = _ENTRIES.get(event.kind)
        if entry is not None:
            yield entry(event)


def _connect(event: Event) -> Entry:
    fields = event.fields
    detail = {key: fields[key] for key in ("clean", "keepalive_s", "session_present") if key in fields}
    if "will_topic" in fields:
        detail["will"] = {
            "topic": fields["will_topic"], "qos": fields["will_qos"], "retain": fields["will_retain"], "payload": "",
        }  # fmt: skip
    return Entry(event.t_ns, "connect", event.actor, detail=detail)


def _disconnect(event: Event) -> Entry:
    return Entry(event.t_ns, "disconnect", event.actor, detail={"cause": event.fields.get("cause", "closed")})


def _subscribe(event: Event) -> Entry:
    filters = [[event.fields["topic_filter"], event.fields["qos"]]]
    return Entry(event.t_ns, "subscribe", event.actor, detail={"filters": filters})


def _unsubscribe(event: Event) -> Entry:
    return Entry(event.t_ns, "unsubscribe", event.actor, detail={"filters": [event.fields["topic_filter"]]})


def _publish(event: Event) -> Entry:
    fields = event.fields
    packed = fields.get("payload_b64")
    payload = b64decode(packed) if packed is not None else fields.get("payload", "").encode()
    detail = {"will": True} if fields.get("will") else {}
    return Entry(
        event.t_ns, "publish", event.actor, fields["topic"], payload, fields["qos"], fields["retain"], detail=detail
    )


_ENTRIES: Mapping[str, Callable[[Event], Entry]] = {
    "connect": _connect,
    "disconnect": _disconnect,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "message": _publish,
}
