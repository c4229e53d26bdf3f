"""Faults of results and files: late, incomplete, out of order, twice; disk full, folder read-only, leftover files.

Rule: results travel as JSON records, one message per device, or as fragments of STDF; the master makes the lot's STDF
file of them. The first half of this palette strikes the message, the second half the file.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from drycell.runtime.protocol.topics import site_of
from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.rules import Outcome
from drycell.sim.faults.select import Chosen, MessageFault, MessageName, content_of, kind_of, state_in, with_records
from drycell.sim.faults.stage import Stage
from drycell.sim.kernel.clock import ns
from drycell.sim.scenario.words import Seconds, Text, Whole

if TYPE_CHECKING:
    from drycell.sim.broker import Message

Json = dict[str, Any]


class _Result(MessageFault):
    layer: ClassVar[Layer] = "file"
    main: ClassVar[str | None] = "site"
    message: MessageName | None = "testresult"
    """Kind of message."""


class LateResult(_Result):
    """A result comes late: after a time, or just before or just after the master's deadline. In dialect specification
    with it everything that its program says after it, ``idle`` too."""

    by_s: Seconds | None = Field(default=None, alias="by")
    """How late; null for a moment at the deadline."""
    at_deadline: Literal["before", "after"] = "after"
    """One nanosecond before the master gives up, or one after."""

    def inject(self, stage: Stage) -> None:
        """Hold it, and what comes behind it on a program's one connection."""
        if not stage.dialect.stdf.fragments:
            super().inject(stage)
            return
        chosen, until_ns = Chosen(self, stage), dict[str, int]()

        def rule(message: "Message") -> "Outcome[Message]":
            site = site_of(message.topic)
            if kind_of(stage.topics, message.topic) not in ("stdf", "status", "log"):
                return None
            if chosen.takes(message):
                until_ns[site] = stage.now_ns + self.change(message, stage)[0][0]
            left_ns = until_ns.get(site, 0) - stage.now_ns
            if left_ns <= 0:
                return None
            stage.note(topic=message.topic)
            return [(left_ns, message)]

        stage.on_messages(rule)

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The result, later."""
        if self.by_s is not None:
            return [(ns(self.by_s), message)]
        deadline_ns = stage.result_deadline_ns(site_of(message.topic))
        if deadline_ns is None:
            return [(0, message)]
        tick_ns = -1 if self.at_deadline == "before" else 1
        return [(max(0, deadline_ns + tick_ns - stage.now_ns), message)]


class ResultBeforeIdle(_Result):
    """A result comes before the status ``idle`` that the program sends first. Dialect semi-ate only, since in the
    other one it always does."""

    dialects: ClassVar[Collection[str]] = ("semi-ate",)

    def inject(self, stage: Stage) -> None:
        """Hold the idle of the chosen site until its result has passed."""
        chosen, held = Chosen(self, stage), dict[str, "Message"]()

        def rule(message: "Message") -> "Outcome[Message]":
            kind, site = kind_of(stage.topics, message.topic), message.topic.rpartition("/")[2]
            if kind == "testresult" and site in held:
                idle = held.pop(site)
                if chosen.takes(message):
                    stage.note(topic=message.topic)
                    return [(0, message), (0, idle)]
                return [(0, idle), (0, message)]
            is_idle = kind == "status" and state_in(content_of(message.payload)) == "idle"
            wanted = self.site is None or site == f"site{self.site}"
            if not is_idle or not wanted or stage.part_at(site.removeprefix("site")) is None:
                return None
            held[site] = message
            return []

        stage.on_messages(rule)


class _Records(_Result):
    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """The result with other records."""
        changed = with_records(message.payload, stage, lambda records: self.rearranged(records, stage))
        return [(0, replace(message, payload=changed))]

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """The records that arrive in place of ``records``."""
        raise NotImplementedError


class MissingRecords(_Records):
    """A result lacks its records of one kind."""

    record: Literal["PIR", "PTR", "FTR", "MPR", "PRR"] = "PRR"
    """Which."""

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """All others."""
        return [record for record in records if record.get("type") != self.record]


class TruncatedRecords(_Records):
    """A result ends too early: well-formed, but with its first records only."""

    keep: Whole = Field(default=3, ge=0)
    """How many arrive."""

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """The first ones."""
        return records[: self.keep]


class WrongOrder(_Records):
    """A result's records come in another order."""

    draws: ClassVar[bool] = True
    how: Literal["reversed", "shuffled", "prr-first"] = "reversed"
    """Back to front, drawn, or with the last one first."""

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """The same records, elsewhere."""
        if self.how == "shuffled":
            return [records[int(index)] for index in stage.random.permutation(len(records))]
        return records[::-1] if self.how == "reversed" else records[-1:] + records[:-1]


class WrongLength(_Records):
    """A record says more values than it holds (RSLT_CNT of an MPR)."""

    by: Whole = Field(default=1, ge=1, le=65_535)
    """How many values more it says than there are."""

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """Records with wrong counts."""
        return [
            {**record, "RSLT_CNT": (record.get("RSLT_CNT") or 0) + self.by} if record.get("type") == "MPR" else record
            for record in records
        ]


class DuplicatedResult(_Result):
    """A result comes twice."""

    after_s: Seconds = Field(default=0.0, alias="after")
    """Time between the two."""

    def change(self, message: "Message", stage: Stage) -> "Sequence[tuple[int, Message]]":
        """Two of it."""
        return [(0, message), (ns(self.after_s), message)]


class WrongPart(_Records):
    """A result names another device than the one in contact."""

    part_id: Text = "1"
    """The part id it names."""

    def rearranged(self, records: list[Json], stage: Stage) -> list[Json]:
        """The records with another PART_ID."""
        return [{**r, "PART_ID": self.part_id} if r.get("type") == "PRR" else r for r in records]


class _File(Fault):
    layer: ClassVar[Layer] = "file"


class DiskFull(_File):
    """The disk with the lot's STDF file is full."""

    main: ClassVar[str | None] = "left_bytes"
    left_bytes: Whole = Field(default=0, ge=0)
    """How much can still be written."""
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long until somebody makes room; null for never."""

    def inject(self, stage: Stage) -> None:
        """Fill it."""
        stage.files.fill_disk(self.left_bytes, self.for_s)


class ReadOnlyFolder(_File):
    """The folder of the lot's STDF file cannot be written."""

    main: ClassVar[str | None] = "for_s"
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long; null for good."""

    def inject(self, stage: Stage) -> None:
        """Protect it."""
        stage.files.write_protect(self.for_s)


class LeftoverFile(_File):
    """A file of an earlier lot with the same name is already there, whole or cut off."""

    draws: ClassVar[bool] = True
    main: ClassVar[str | None] = "size"
    size: Whole = Field(default=100, ge=0, le=1_000_000)
    """Its size in bytes; its content is drawn."""

    def inject(self, stage: Stage) -> None:
        """Leave it there."""
        stage.files.leave_behind(stage.random.bytes(self.size))
