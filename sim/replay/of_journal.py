"""The journal of a run as a recording: what observers beside its broker and its instruments could have written down.

Faults come as marks, for whoever plays the run again: they are what was done to the cell, and ``detail.run_seed`` is
the seed that they drew by. Every entry says by ``detail.event`` which event of the journal it is.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from drycell.sim.kernel.journal import event_of, read_header
from drycell.sim.replay.lines import lines, may_be_object
from drycell.sim.replay.recording import Entry, Gap, Recording
from drycell.sim.replay.stored import entry_of

JOURNAL, SCENARIO = "journal.jsonl", "scenario.json"


class JournalReader:
    """Reads a journal, or the one in a run directory."""

    def sniff(self, head: bytes) -> int:
        """It says so itself in its first line."""
        return 3 if head.startswith(b'{"drycell_journal":') else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when it is no journal, or of an unknown version."""
        file = path / JOURNAL if path.is_dir() else path
        about = {"run_seed": read_header(file).get("seed")}
        return Recording("journal", path.name, lambda: _items(file, about), start_unix_ns=_epoch_ns(file.parent))


def _epoch_ns(run_dir: Path) -> int | None:
    """When the run began, by its scenario; None when the journal lies alone."""
    try:
        epoch = orjson.loads((run_dir / SCENARIO).read_bytes())["epoch"]
        return round(datetime.fromisoformat(epoch).timestamp()) * 10**9
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _items(file: Path, about: Mapping[str, Any]) -> Iterator[Entry | Gap]:
    """``about``: what is said of every mark."""
    for line in lines(file):
        if line.number == 1:
            continue
        if not may_be_object(line.data):
            yield Gap(f"line {line.number}", "no event of a journal (no JSON object)", line.size)
            continue
        try:
            event = event_of(line.data)
            fields_of = _FIELDS.get(event.kind)
            if fields_of is not None:
                for stored in fields_of(event.fields):
                    more = about if stored["kind"] == "mark" else {}
                    detail = {**stored.get("detail", {}), **more, "event": event.seq}
                    who = _who(event.actor, stored["kind"])
                    yield entry_of({"t_ns": event.t_ns, **who, **stored, "detail": detail})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield Gap(f"line {line.number}", f"no event of a journal ({type(error).__name__})", line.size)


def _who(actor: str, kind: str) -> dict[str, str]:
    """Instruments are topics, all others are clients."""
    return {"topic": actor} if kind == "scpi" else {"client": actor}


def _connect(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    detail = {key: fields[key] for key in ("clean", "keepalive_s", "session_present") if key in fields}
    if "will_topic" in fields:
        detail["will"] = {key: fields[f"will_{key}"] for key in ("topic", "qos", "retain")}
    return [{"kind": "connect", "detail": detail}]


def _disconnect(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "disconnect", "detail": {"cause": fields.get("cause", "closed")}}]


def _subscribe(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "subscribe", "detail": {"filters": [[fields["topic_filter"], fields["qos"]]]}}]


def _unsubscribe(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "unsubscribe", "detail": {"filters": [fields["topic_filter"]]}}]


def _publish(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    same = {key: fields[key] for key in ("qos", "retain", "payload", "payload_b64") if key in fields}
    detail = {"will": True} if fields.get("will") else {}
    return [{"kind": "publish", "topic": fields["topic"], "detail": detail, **same}]


def _ask(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The question and its answer. Where a fault took the answer away, ``true`` is what it would have been."""
    about = {"site": fields["site"]} if "site" in fields else {}
    asked = {"kind": "scpi", "direction": "in", "payload": fields["line"]}
    if fields["answer"] is None:
        return [{**asked, "detail": {**about, "true": fields["true"]}}]
    return [{**asked, "detail": about}, {"kind": "scpi", "direction": "out", "payload": fields["answer"]}]


def _fault(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "mark", "payload": f"fault {fields['fault']}", "detail": dict(fields)}]


_FIELDS: Mapping[str, Callable[[Mapping[str, Any]], list[dict[str, Any]]]] = {
    "connect": _connect,
    "disconnect": _disconnect,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "message": _publish,
    "ask": _ask,
    "fault": _fault,
}
"""What is stored of an event, by its kind."""
