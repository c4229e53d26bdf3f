"""Capturing a live broker: ``Listener`` on a ``Wire``, ``Segments`` on a disk, the wall clock between them.

Rules
- One thread: read what has come, store it, acknowledge it, in this order.
- A lost connection is made again, for ever, with growing pauses; the pause stands in the recording as a gap.
- It ends in order when told to: it takes what still waits in the broker, and removes the session. Told twice, or with
  a session that shall be kept, it leaves what waits to the next capture.
"""

import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.broker import codec
from drycell.sim.broker.external import Address
from drycell.sim.errors import DrycellError
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.instants import Instants
from drycell.sim.replay.listener import DROPPED, Listener
from drycell.sim.replay.recording import Entry, Gap
from drycell.sim.replay.segments import Segments
from drycell.sim.replay.wire import TIMEOUT_S, LostError, Wire

KEEPALIVE_S = 30
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
_FORGOTTEN = "no connection, and the broker had forgotten the session: messages are lost"
_KEPT = "no connection: messages of QoS 0 are lost, the broker kept the others"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to capture, and how. ``context`` is set for TLS; sizes in bytes; ``for_s`` None: until told to stop."""

    address: Address
    folder: Path
    filters: Sequence[str] = ("#",)
    qos: int = 2
    client_id: str | None = None
    context: ssl.SSLContext | None = None
    segment_bytes: int = 64 * 1024 * 1024
    limit_bytes: int | None = None
    for_s: float | None = None
    keep_session: bool = False


class Capture:
    """One capture into ``plan.folder``, which it continues when it holds one. ``say`` gets lines for people.

    ``counts``: what was written by this process, by kind of entry; gaps under ``gap``.
    """

    def __init__(self, plan: Plan, attention: Attention, say: Callable[[str], None]) -> None:
        self._plan, self._attention, self._say = plan, attention, say
        self._instants = Instants()
        self.counts: Counter[str] = Counter()
        self._dropped: int | None = None
        self._listening = False
        header = {
            "client_id": plan.client_id or f"drycell-capture-{secrets.token_hex(4)}",
            "filters": list(plan.filters),
        }
        self._segments = Segments(
            plan.folder,
            f"{'mqtts' if plan.address.tls else 'mqtt'}://{plan.address.host}:{plan.address.port}",
            self._instants.unix_ns(),
            header,
            same="filters",
            segment_bytes=plan.segment_bytes,
            limit_bytes=plan.limit_bytes,
        )
        self.client_id: str = self._segments.header["client_id"]
        self._away_since_ns = self._segments.last_ns
        self._pause_s = FIRST_PAUSE_S

    def run(self) -> None:
        """Capture until told to stop or the time is over.

        Raises DrycellError when a new capture cannot reach the broker, when the broker refuses us, when the disk is
        full.
        """
        for_s = self._plan.for_s
        end_s = float("inf") if for_s is None else time.monotonic() + for_s
        try:
            while not self._over(end_s):
                try:
                    self._listen(end_s)
                except LostError as lost:
                    if self._away_since_ns is None:
                        raise DrycellError(str(lost)) from None
                    self._say(f"{lost}; next try in {self._pause_s:g} s")
                    self._rest(min(end_s, time.monotonic() + self._pause_s))
                    self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            if not self._leaves_session:
                self._forget_session()
        finally:
            self._segments.close()

    def _listen(self, end_s: float) -> None:
        """One connection, from CONNECT to its end or ours."""
        listener, self._listening = self._listener(), False
        wire = Wire(self._plan.address, self._plan.context)
        try:
            wire.send(listener.hello())
            heard_s = sent_s = time.monotonic()
            ending = False
            while not (ending and self._has_all(listener)):
                patience_s = TIMEOUT_S if ending else min(end_s - time.monotonic(), KEEPALIVE_S / 4)
                self._attention.wait(patience_s, wire.fileno())
                data, now_s = wire.receive(), time.monotonic()
                self._store(listener.receive(data, self._t_ns()), listener)
                if self._over(end_s) and not ending:
                    ending = True
                    if not self._leaves_session:
                        listener.leave()
                    listener.ping()
                elif now_s - sent_s > KEEPALIVE_S / 2 or (ending and listener.answered and not listener.quiet):
                    listener.ping()
                if answers := listener.answers():
                    wire.send(answers)
                    sent_s = now_s
                if data:
                    heard_s = now_s
                elif now_s - heard_s > (TIMEOUT_S if ending else KEEPALIVE_S):
                    raise LostError("the broker does not answer")
            wire.send(codec.DISCONNECT_BYTES)
        except codec.ProtocolError as error:
            raise LostError(f"the broker broke MQTT 3.1.1: {error}") from None
        finally:
            if listener.subscribed:
                self._away_since_ns = self._t_ns()
            wire.close()

    def _store(self, entries: list[Entry], listener: Listener) -> None:
        """Write what was heard and marked. When this returns, it may be acknowledged."""
        marks = [Entry(self._t_ns(), "mark", payload=note.encode()) for note in self._attention.marks()]
        items = [*self._return(listener), *(item for entry in entries for item in self.kept(entry)), *marks]
        if items:
            self._segments.store(items, durable=any(entry.qos for entry in entries))
            self.counts.update("gap" if isinstance(item, Gap) else item.kind for item in items)
        if listener.subscribed and not self._listening:
            self._listening = True
            self._say(f"listening as {self.client_id}")

    def kept(self, entry: Entry) -> Iterator[Entry | Gap]:
        """What is written of a message: itself, but of the broker's count of dropped messages what it means."""
        if entry.topic != DROPPED:
            yield entry
        elif entry.payload.isdigit():
            dropped = int(entry.payload[:18])
            before, self._dropped = self._dropped, dropped
            if before is not None and dropped > before:
                where = f"until {entry.t_ns / 1e9:.3f} s"
                yield Gap(
                    where, "the broker dropped messages of its clients, perhaps ours", dropped - before, "messages"
                )

    def _return(self, listener: Listener) -> Iterator[Gap]:
        """The gap before a connection, once the broker has said what it kept."""
        if self._away_since_ns is not None and listener.session_present is not None:
            why = _KEPT if listener.session_present else _FORGOTTEN
            now_ns = self._t_ns()
            yield Gap(f"until {now_ns / 1e9:.3f} s", why, now_ns - self._away_since_ns, "nanoseconds")
            self._away_since_ns = None
            self._pause_s = FIRST_PAUSE_S

    def _forget_session(self) -> None:
        """Take the session off the broker, so that it keeps nothing for nobody."""
        try:
            wire = Wire(self._plan.address, self._plan.context)
            try:
                wire.send(self._listener(clean=True).hello())
                self._attention.wait(TIMEOUT_S, wire.fileno())
                wire.send(codec.DISCONNECT_BYTES)
            finally:
                wire.close()
        except LostError as lost:
            self._say(f"{lost}; its session for {self.client_id} remains")

    def _listener(self, *, clean: bool = False) -> Listener:
        plan, address = self._plan, self._plan.address
        return Listener(
            self.client_id,
            plan.filters,
            qos=plan.qos,
            username=address.username,
            password=address.password,
            keepalive_s=KEEPALIVE_S,
            clean=clean,
        )

    def _has_all(self, listener: Listener) -> bool:
        """Whether nothing is left to be taken from the broker."""
        return listener.quiet or (listener.answered and self._leaves_session)

    @property
    def _leaves_session(self) -> bool:
        return self._plan.keep_session or self._attention.hurry

    def _over(self, end_s: float) -> bool:
        return self._attention.stop or time.monotonic() >= end_s

    def _rest(self, until_s: float) -> None:
        while not self._attention.stop and time.monotonic() < until_s:
            self._attention.wait(until_s - time.monotonic())

    def _t_ns(self) -> int:
        return self._instants.unix_ns() - self._segments.start_unix_ns
