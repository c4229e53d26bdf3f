"""Which message a fault means: its kind, site, part, state, and which one in the row of those.

Rules
- Kinds are words of the protocol (``testresult``, ``next``, ``master-status`` ...); a topic filter is the way out.
- ``nth`` counts the fitting messages from the moment the fault is armed; ``count`` says how many are hit in a row.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.runtime.stdf import StdfError
from drycell.sim.faults.base import Fault
from drycell.sim.faults.stage import Stage
from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import Part, Seconds, Site, Text, Whole

if TYPE_CHECKING:
    from drycell.sim.broker import Message

Json = dict[str, Any]

MessageName = Literal[
    "status",
    "testresult",
    "stdf",
    "testsummary",
    "log",
    "execution_strategy",
    "io-control",
    "next",
    "terminate",
    "reset",
    "setloglevel",
    "getexecutionstrategy",
    "sethbin",
    "setparameter",
    "loadTest",
    "program-command",
    "control-command",
    "control-status",
    "master-status",
    "master-response",
    "handler-command",
    "handler-status",
    "peripheral-request",
    "peripheral-response",
    "peripheral-answer",
]
"""Kinds of messages. The first seven come from programs (``stdf`` in dialect specification, where ``testresult`` is
another word for it); the next eight are commands of the master by their names; ``peripheral-request`` and
``-response`` are between master and TCC, ``peripheral-answer`` goes on to the programs."""

_FROM_PROGRAMS = ("status", "testresult", "stdf", "testsummary", "log", "execution_strategy", "io-control")


def kind_of(topics: Topics, topic: str) -> str:
    """The kind of message that travels on ``topic``, "" for a topic that is not of this cell."""
    topic = topics.canonical(topic)
    fixed = {
        topics.canonical(topics.program_cmd): "program-command",
        topics.control_cmd: "control-command",
        topics.master_status: "master-status",
        topics.master_response: "master-response",
        topics.master_cmd: "handler-command",
        topics.handler_status: "handler-status",
    }
    if topic in fixed:
        return fixed[topic]
    levels = topic.split("/")
    if levels[:2] != ["ate", topics.device] or len(levels) < 4:
        return ""
    if levels[2] == "TestApp" and levels[3] in _FROM_PROGRAMS:
        return levels[3]
    if levels[2] == "Control" and levels[3] == "status":
        return "control-status"
    if levels[2] == "Master" and levels[-1] == "response":
        return "peripheral-answer"
    return f"peripheral-{levels[-1]}" if levels[3] == "io-control" else ""


def content_of(payload: bytes) -> dict[str, Any]:
    """The JSON object in ``payload``; an empty one when there is none."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def topic_fits(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT topic filter takes a topic (MQTT 3.1.1 section 4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def state_in(content: dict[str, Any]) -> str:
    """The state that a status announces, of whichever role; "" for none."""
    inner = content.get("payload")
    state = content.get("state") or (inner.get("state") if isinstance(inner, dict) else "")
    return state if isinstance(state, str) else ""


def with_records(payload: bytes, stage: Stage, change: Callable[[list[Json]], list[Json]]) -> bytes:
    """``payload`` with its STDF records changed; the same when it holds no whole records."""
    if stage.dialect.stdf.fragments:
        travel = stage.dialect.stdf
        try:
            return travel.pack(change(travel.join([travel.unpack(payload)])))
        except (ValueError, StdfError):  # a fragment that is cut within a record, or records that are none
            return payload
    content = content_of(payload)
    records = content.get("payload")
    if not isinstance(records, list):
        return payload
    return json.dumps({**content, "payload": change(records)}).encode()


class MessageFault(Fault):
    """Base of faults that strike messages: says which."""

    message: MessageName | None = None
    """Kind of message: testresult, status, next, ... ; without it, any."""
    topic: Text | None = None
    """An MQTT topic filter in place of ``message``."""
    state: Text | None = None
    """Only statuses that announce this state."""
    site: Site | None = None
    """Only of or for this site."""
    part: Part | None = None
    """Only while this device is in contact at the message's site."""
    nth: Whole = Field(default=1, ge=1)
    """The first one that is hit, counting those that fit from 1."""
    count: Whole | None = Field(default=1, ge=1)
    """How many in a row are hit; null for all."""
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long the fault lasts at most; null for as long as the run."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.message is not None and self.topic is not None:
            raise ValueError("message and topic both say which messages are meant; keep one")
        return self

    def inject(self, stage: Stage) -> None:
        """Strike the chosen messages from now on."""
        chosen = Chosen(self, stage)

        def rule(message: "Message") -> "Sequence[tuple[int, Message]] | None":
            if not chosen.takes(message):
                return None
            stage.note(topic=message.topic)
            return self.change(message, stage)

        stage.on_messages(rule)

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """What becomes of a message that is hit: (delay in ns, message) each."""
        raise NotImplementedError


class Chosen:
    """Counts the messages that fit ``fault`` and says which of them are hit."""

    def __init__(self, fault: MessageFault, stage: Stage) -> None:
        self._fault = fault
        self._stage = stage
        self._seen = 0
        self._until_ns = None if fault.for_s is None else stage.now_ns + ns(fault.for_s)

    def takes(self, message: "Message") -> bool:
        """Whether this message is hit; each message may be asked about once."""
        if self._until_ns is not None and self._stage.now_ns >= self._until_ns:
            return False
        if not self._fits(message):
            return False
        self._seen += 1
        past = self._seen - self._fault.nth
        return past >= 0 and (self._fault.count is None or past < self._fault.count)

    def _fits(self, message: "Message") -> bool:
        fault, topics = self._fault, self._stage.topics
        if fault.topic is not None and not topic_fits(fault.topic, message.topic):
            return False
        kind = kind_of(topics, message.topic)
        is_command = kind in ("program-command", "control-command")
        content = content_of(message.payload) if is_command or fault.state is not None else {}
        names = (None, kind, content.get("command"), "testresult" if kind == "stdf" else kind)
        if fault.message not in names:
            return False
        if fault.state is not None and state_in(content) != fault.state:
            return False
        return self._is_at_site(message, content)

    def _is_at_site(self, message: "Message", content: dict[str, Any]) -> bool:
        fault, site = self._fault, site_of(message.topic)
        if fault.site is not None:
            wanted, sites = str(fault.site), content.get("sites")
            if site != wanted and not (isinstance(sites, list) and wanted in sites):
                return False
        if fault.part is None:
            return True
        at = [site] if site else [] if fault.site is None else [str(fault.site)]
        return any(self._stage.part_at(one) == str(fault.part) for one in at)
