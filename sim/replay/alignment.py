"""Two recordings of one cell, message by message and client by client: equal, or where they part first. Pure.

Who said something follows from its topic, since an observer hears topics only. Times are masked: that of log lines,
``TEST_T`` of parts, ``TEST_TIM`` of summaries; and the folder the program lies in, which is the machine's.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.faults.select import kind_of
from drycell.sim.replay.recording import Entry, Gap, Recording

Json = dict[str, Any]
PROGRAMS = "programs"
CONTEXT = 3
_SAYS: Mapping[str, str] = {
    "program-command": "master",
    "control-command": "master",
    "master-status": "master",
    "master-response": "master",
    "peripheral-answer": "master",
    "peripheral-request": "master",
    "peripheral-response": "tcc",
    "handler-command": "handler",
    "handler-status": "handler",
    "control-status": "control",
}
_UNDER_WAY = ("connecting", "loading", "ready", "testing", "unloading")
_LOG_TIME = re.compile(r"^([^|]*)\|[^|]*\|")


@dataclass(frozen=True, slots=True)
class Said:
    """One message as it is compared. ``number``: of its entry in the recording from 1, of a run that of its event;
    ``after_gap``: something may be missing right before it."""

    number: int
    t_ns: int
    client: str
    topic: str
    text: str
    after_gap: bool = False

    @property
    def same(self) -> tuple[str, str]:
        """What must be equal."""
        return self.topic, self.text


@dataclass(frozen=True, slots=True)
class Parting:
    """Where a client's messages part. A side is None when it said nothing more; ``before``: the last that agreed."""

    client: str
    recorded: Said | None
    replayed: Said | None
    before: Sequence[Said]
    following: Sequence[Said]

    def sentences(self) -> list[str]:
        """What to tell a person."""
        return [
            f"{self.client} parts from the recording",
            *(f"    both:   {_line(said)}" for said in self.before),
            f"  recorded: {_line(self.recorded)}",
            f"  replayed: {_line(self.replayed)}",
            *(f"  {change}" for change in _changes(self.recorded, self.replayed)),
            *(f"    then:   {_line(said)}" for said in self.following),
        ]


@dataclass(frozen=True, slots=True)
class Alignment:
    """``partings``: of each client that parts, the earliest first; ``counts``: messages compared; ``tolerated``: of
    these, how many stand in gaps."""

    partings: Sequence[Parting]
    counts: Mapping[str, int]
    tolerated: int

    @property
    def equal(self) -> bool:
        """Whether every client said the same."""
        return not self.partings


def spoken(
    recording: Recording, topics: Topics, *, until: int | None = None, logs: bool = True
) -> dict[str, list[Said]]:
    """Client -> what it said, in order. ``until``: the number of the last entry that counts; ``logs``: whether log
    lines count, which models do not write."""
    by_client: dict[str, list[Said]] = {}
    gap = set[str]()
    every: set[str] = set()
    lost = False
    count = 0
    for item in recording.items():
        if isinstance(item, Gap):
            lost, gap = True, set()
            continue
        count += 1
        number = item.detail.get("event", count)
        if until is not None and number > until:
            break
        if item.kind != "publish":
            continue
        client = speaker(topics, item.topic)
        if client is None or ("/log/" in item.topic and not logs):
            continue
        every.add(client)
        after_gap = lost and client not in gap
        gap.add(client)
        said = Said(number, item.t_ns, client, item.topic, _masked(item), after_gap)
        by_client.setdefault(client, []).append(said)
    return by_client


def speaker(topics: Topics, topic: str) -> str | None:
    """Who speaks on ``topic``; None for a topic that is not of this cell."""
    kind, site = kind_of(topics, topic), site_of(topic)
    if kind in _SAYS:
        return f"{_SAYS[kind]}{site}" if _SAYS[kind] == "control" else _SAYS[kind]
    if topic.startswith(f"ate/{topics.device}/TestApp/") and site:
        return f"program{site}"
    if topic == topics.control_log(site):
        return f"control{site}"
    return None


def align(
    recorded: Mapping[str, Sequence[Said]],
    replayed: Mapping[str, Sequence[Said]],
    clients: Collection[str],
    *,
    whole: bool | None = None,
) -> Alignment:
    """Compare client by client.

    Where the recording has a gap, the replay may have said more; at its end, too, unless it is ``whole``: None for
    what the master said last, which is another thing when the lot was done.
    """
    whole = _lot_was_done(recorded) if whole is None else whole
    partings: list[Parting] = []
    tolerated = 0
    for client in clients:
        left, right = recorded.get(client, ()), replayed.get(client, ())
        parting, skipped = _first_parting(client, left, right, whole=whole)
        tolerated += skipped
        partings += [parting] if parting else []
    partings.sort(key=lambda parting: parting.recorded.number if parting.recorded else 1 << 62)
    return Alignment(partings, {client: len(recorded.get(client, ())) for client in clients}, tolerated)


def _lot_was_done(recorded: Mapping[str, Sequence[Said]]) -> bool:
    """Whether the master was in the middle of nothing when the recording ended, as far as it was heard."""
    states = [said.text for said in recorded.get("master", ()) if said.topic.endswith("/Master/status")]
    return not states or not any(f'"state": "{state}"' in states[-1] for state in _UNDER_WAY)


def _first_parting(
    client: str, left: Sequence[Said], right: Sequence[Said], *, whole: bool
) -> tuple[Parting | None, int]:
    at, skipped = 0, 0
    for index, said in enumerate(left):
        if said.after_gap:
            found = next((k for k in range(at, len(right)) if right[k].same == said.same), at)
            skipped += found - at
            at = found
        other = right[at] if at < len(right) else None
        if other is None or other.same != said.same:
            before, following = left[max(0, index - CONTEXT) : index], left[index + 1 : index + 1 + CONTEXT]
            return Parting(client, said, other, before, following), skipped
        at += 1
    if whole and at < len(right):
        return Parting(client, None, right[at], left[-CONTEXT:], ()), skipped
    return None, skipped


def _masked(entry: Entry) -> str:
    """The payload without what is measured by a clock, as one text."""
    try:
        content = json.loads(entry.payload)
    except (ValueError, RecursionError):
        return repr(entry.payload)
    if isinstance(content, dict):
        for key, mask in _MASKS.items():
            if key in content:
                content[key] = mask(content[key])
    return json.dumps(content)


def _mask_payload(payload: Any) -> Any:
    if isinstance(payload, str):
        return _LOG_TIME.sub(r"\1|time|", payload)
    if isinstance(payload, list):
        return [_mask_record(record) for record in payload]
    return payload


def _mask_record(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    return {key: "time" if key in ("TEST_T", "TEST_TIM") and value else value for key, value in record.items()}


def _mask_folder(parameters: Any) -> Any:
    return {**parameters, "cwd": "folder"} if isinstance(parameters, dict) else parameters


_MASKS: Mapping[str, Callable[[Any], Any]] = {"payload": _mask_payload, "testapp_params": _mask_folder}


def _line(said: Said | None, limit: int = 160) -> str:
    if said is None:
        return "nothing more"
    text = said.text if len(said.text) <= limit else f"{said.text[: limit - 3]}..."
    return f"entry {said.number} at {said.t_ns / 1e9:.3f} s, {said.topic}: {text}"


def _changes(left: Said | None, right: Said | None, most: int = 5) -> Iterator[str]:
    """Which values differ, when both said something on the same topic."""
    if left is None or right is None or left.topic != right.topic:
        return
    try:
        pair = json.loads(left.text), json.loads(right.text)
    except ValueError:
        return
    found = list(_differences("", *pair))
    for place, one, other in found[:most]:
        yield f"{place or 'the payload'}: recorded {json.dumps(one)[:80]}, replayed {json.dumps(other)[:80]}"
    if len(found) > most:
        yield f"and {len(found) - most} further values"


def _differences(place: str, left: Any, right: Any) -> Iterable[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in dict.fromkeys((*left, *right)):
            yield from _differences(f"{place}.{key}".lstrip("."), left.get(key), right.get(key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _differences(f"{place}[{index}]", one, other)
    elif json.dumps(left) != json.dumps(right):
        yield place, left, right
