"""Messages in one JSON document: exports of MQTTX, histories of MQTT Explorer and of other tools.

The tools differ in what they put around a message and agree on the message: an object with a topic (or below one)
and a payload. What MQTTX itself sent (``out``) has the client id of its connection. A document that is cut or
damaged is read object by object.
"""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from drycell.plugins_sim.importers.mosquitto import message_of
from drycell.plugins_sim.importers.text import Timed, recording, storable
from drycell.sim.replay.lines import whole
from drycell.sim.replay.recording import Entry, Gap, Recording

_MOST_FAILURES = 200
_DECODER = json.JSONDecoder()


class DocumentReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """An array or object over several lines, or an array, that speaks of topics."""
        begin = head.lstrip()[:1]
        if b'"topic"' not in head and b'"messages"' not in head:
            return 0
        return 2 if begin == b"[" else 1 if begin == b"{" else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when it is too large or holds no message."""
        return recording("MQTTX or MQTT Explorer", path, lambda: _messages(whole(path)))


def _messages(data: bytes) -> Iterator[Timed]:
    try:
        parts: list[Any] = [orjson.loads(data)]
        gaps: list[Gap] = []
    except orjson.JSONDecodeError:
        parts, gaps = _salvaged(data.decode("utf-8", "replace"))
    found = [message for part in parts for message in _below(part)]
    found.sort(key=lambda item: item[0] or 0)  # each connection of MQTTX has a list of its own
    yield from found
    yield from gaps


def _below(part: Any) -> Iterator[tuple[int | None, Entry]]:
    """The messages in a value, in order; without recursion, since its depth is a stranger's choice."""
    stack: list[tuple[Any, str | None, str | None]] = [(part, None, None)]
    while stack:
        value, topic, client = stack.pop()
        if isinstance(value, list):
            stack += [(one, topic, client) for one in reversed(value)]
        elif isinstance(value, dict):
            named = value.get("topic")
            topic = named if isinstance(named, str) else topic
            owner = value.get("clientId", value.get("client_id"))
            client = storable(owner) if isinstance(owner, str) else client
            message = message_of(_unpacked(value), topic)
            if message is not None:
                at_ns, entry = message
                yield at_ns, replace(entry, client=client if value.get("out") is True else None)
            else:
                stack += [
                    (one, topic, client) for one in reversed(list(value.values())) if isinstance(one, list | dict)
                ]


def _unpacked(value: dict[str, Any]) -> dict[str, Any]:
    """MQTT Explorer keeps a payload as Base64 in an object of its own."""
    inner = value.get("payload")
    if isinstance(inner, dict) and isinstance(inner.get("base64Message"), str):
        try:
            text = b64decode(inner["base64Message"], validate=True).decode("utf-8")
        except ValueError:
            return value
        return {**value, "payload": text}
    return value


def _salvaged(text: str) -> tuple[list[Any], list[Gap]]:
    """Every whole object of a damaged document; so much work at most as reading it a few times."""
    parts: list[Any] = []
    at = failures = used = 0
    effort = 4 * len(text)
    while (at := text.find("{", at)) >= 0 and failures < _MOST_FAILURES and effort > 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except ValueError as error:  # JSONDecodeError, or a number of too many digits
            failures += 1
            effort -= getattr(error, "pos", at) - at
            at += 1
        except RecursionError:
            break
        else:
            parts.append(value)
            used += end - at
            at = end
    why = "no whole JSON document; its whole objects were read"
    return parts, [Gap("the document", why, len(text) - used)]
