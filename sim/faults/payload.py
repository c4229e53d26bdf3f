"""Faults of what messages say: cut off, not JSON, of another site or type, old, not a number, ill encoded, too large.

Every change is a function of the payload's bytes alone; where JSON is changed, it is JSON again afterwards, spelled
as the runtime packages spell it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from drycell.sim.faults.base import Layer
from drycell.sim.faults.rules import Outcome
from drycell.sim.faults.select import Chosen, MessageFault, content_of, with_records
from drycell.sim.faults.stage import Stage
from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import Seconds, Share, Site, Text, Whole

if TYPE_CHECKING:
    from drycell.sim.broker import Message

Json = dict[str, Any]


class _Payload(MessageFault):
    layer: ClassVar[Layer] = "payload"
    main: ClassVar[str | None] = "message"

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The message with another payload."""
        return [(0, replace(message, payload=self.altered(message.payload, stage)))]

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """The payload that arrives in place of ``payload``."""
        raise NotImplementedError


class Truncated(_Payload):
    """A message ends too early."""

    keep: Share = 0.5
    """How much of it arrives."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """Its beginning."""
        return payload[: int(len(payload) * self.keep)]


class Malformed(_Payload):
    """A message is no JSON."""

    how: Literal["bracket", "quote", "text", "empty", "list"] = "bracket"
    """A closing bracket is missing, a quote is missing, plain text, nothing at all, or JSON that is no object."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """Something that no JSON reader takes, or that is no object."""
        return _MALFORMED[self.how](payload)


_MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "bracket": lambda payload: payload[:-1],
    "quote": lambda payload: payload.replace(b'"', b"", 1),
    "text": lambda payload: b"Segmentation fault (core dumped)",
    "empty": lambda payload: b"",
    "list": lambda payload: b"[" + payload + b"]",
}


class WrongSite(_Payload):
    """A message of one site comes as if it were of another: on its topic, and in its records."""

    as_site: Site = Field(alias="as")
    """The site it pretends to be."""
    where: Literal["topic", "records", "both"] = "both"
    """Whether topic, SITE_NUM of the records, or both are wrong."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The message of the other site."""
        topic, payload = message.topic, message.payload
        if self.where != "records":
            levels = [f"site{self.as_site}" if level.startswith("site") else level for level in topic.split("/")]
            topic = "/".join(levels)
        if self.where != "topic":
            payload = _with_records(payload, stage, lambda record: _with(record, "SITE_NUM", self.as_site))
        stage.note(site=str(self.as_site), topic=topic)
        return [(0, replace(message, topic=topic, payload=payload))]


class WrongType(_Payload):
    """A value is of another type than agreed."""

    draws: ClassVar[bool] = True
    key: Text | None = None
    """Which field: a name on any level of the message; null for one that is drawn."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """The same with one value of another type."""
        content = content_of(payload)
        places = [place for place in _places(content) if self.key is None or place[1] == self.key]
        if not places:
            return payload
        holder, key = places[int(stage.random.integers(len(places)))]
        value = holder[key]
        others: list[Any] = [other for other in _OF_EVERY_TYPE if type(other) is not type(value)]
        holder[key] = others[int(stage.random.integers(len(others)))]
        return json.dumps(content).encode()


_OF_EVERY_TYPE: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {})


class NotFinite(_Payload):
    """Measured values are NaN or infinite, as the packages write them into their JSON."""

    value: Literal["NaN", "Infinity", "-Infinity"] = "NaN"
    """What they are."""
    key: Text = "RESULT"
    """Field of the records that is hit; the values of an MPR are hit as RTN_RSLT."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """The records with that value."""
        number = float(self.value)
        return _with_records(
            payload,
            stage,
            lambda record: (
                _with(record, self.key, [number] * len(record.get(self.key) or []) or [number])
                if isinstance(record.get(self.key), list)
                else _with(record, self.key, number)
            ),
        )


class WrongEncoding(_Payload):
    """A message is not UTF-8."""

    encoding: Literal["utf-16", "latin-1", "zip"] = "latin-1"
    """UTF-16 with a byte order mark, a Latin-1 degree sign in the text, or bytes of a compressed file."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """Other bytes."""
        return _ENCODED[self.encoding](payload)


_ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "utf-16": lambda payload: payload.decode("utf-8", "replace").encode("utf-16"),
    "latin-1": lambda payload: payload[:-1] + b', "unit": "\xb0C"}',
    "zip": lambda payload: b"PK\x03\x04\xff\xfe\x00" + payload[:40],
}


class Oversized(_Payload):
    """A message is far larger than anybody expects: well-formed, with a field nobody knows."""

    size: Whole = Field(default=1_000_000, ge=1, le=64_000_000, alias="bytes")
    """Its size in bytes, at least."""

    def altered(self, payload: bytes, stage: Stage) -> bytes:
        """The same with a long field at the end."""
        missing = max(0, self.size - len(payload) - 15)
        return payload[:-1] + b', "padding": "' + b"x" * missing + b'"}'


class Stale(_Payload):
    """A message says what the one before it on its topic said."""

    def inject(self, stage: Stage) -> None:
        """Remember each payload, and bring the old one where the new one is due."""
        chosen, before = Chosen(self, stage), dict[str, bytes]()

        def rule(message: "Message") -> "Outcome[Message]":
            old = before.get(message.topic)
            before[message.topic] = message.payload
            if not chosen.takes(message) or old is None:
                return None
            stage.note(topic=message.topic)
            return [(0, replace(message, payload=old))]

        stage.on_messages(rule)


class Replayed(_Payload):
    """A message comes once more, much later, when nobody waits for it."""

    after_s: Seconds = Field(default=5.0, alias="after")
    """How much later."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The message now and again."""
        return [(0, message), (ns(self.after_s), message)]


def _with(record: Json, key: str, value: Any) -> Json:
    return {**record, key: value} if key in record else record


def _with_records(payload: bytes, stage: Stage, change: Callable[[Json], Json]) -> bytes:
    """``payload`` with each of its STDF records changed; the same when it holds none."""
    return with_records(
        payload, stage, lambda records: [change(one) if isinstance(one, dict) else one for one in records]
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) in a JSON value, in its order."""
    entries = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    found: list[tuple[Any, Any]] = []
    for key, inner in entries:
        found += [(value, key), *_places(inner)]
    return found
