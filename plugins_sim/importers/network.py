"""Network captures as recordings: the MQTT and SCPI connections in a pcap or pcapng file.

A connection is MQTT when its first bytes are a CONNECT, or when one end is port 1883; it is SCPI when one end is
port 5025. All others are left alone, and encrypted ones are told as such. Everything else is in ``pcap`` and
``tcp``.
"""

from collections.abc import Iterator
from pathlib import Path

from drycell.plugins_sim.importers.pcap import MAGICS, frames
from drycell.plugins_sim.importers.tcp import Hole, Segment, Stream, segment_of
from drycell.plugins_sim.importers.text import Timed, recording
from drycell.sim.replay.conversation import Conversation
from drycell.sim.replay.dialogue import Dialogue
from drycell.sim.replay.recording import Direction, Entry, Gap, Recording

MQTT_PORT, MQTT_TLS_PORT, SCPI_PORT = 1883, 8883, 5025
_MOST_CONNECTIONS, _MOST_ENDED = 4096, 256
_ACK, _RST = 16, 4
_CONNECT = b"\x00\x04MQTT"


class NetworkReader:
    """See the module."""

    def sniff(self, head: bytes) -> int:
        """The magic numbers of both formats."""
        return 3 if head.startswith(MAGICS) else 0

    def read(self, path: Path) -> Recording:
        """Raises DrycellError when there is neither MQTT nor SCPI in it."""
        return recording("network capture", path, lambda: _Pass(path).items())


class _Pass:
    """One pass over a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: dict[tuple[str, str], _Connection] = {}
        self._ended: dict[tuple[str, str], _Connection] = {}

    def items(self) -> Iterator[Timed]:
        now_ns = 0
        for frame in frames(self._path):
            if isinstance(frame, Gap):
                yield frame
                continue
            now_ns = frame.at_ns
            segment = segment_of(frame)
            if segment is not None:
                yield from _at(now_ns, self._segment(segment, now_ns))
        for connection in self._connections.values():
            yield from _at(now_ns, connection.finish(None))

    def _segment(self, segment: Segment, at_ns: int) -> Iterator[Entry | Gap]:
        """Ended connections are remembered for a while, so that a segment that is sent again begins no new one."""
        key = min(segment.source, segment.target), max(segment.source, segment.target)
        known = self._connections.get(key) or self._ended.get(key)
        if known is not None and known.is_over(segment):
            yield from known.finish("opened anew")
            known = None
        if known is None:
            self._ended.pop(key, None)
            if len(self._connections) >= _MOST_CONNECTIONS:
                oldest = next(iter(self._connections))
                yield from self._connections.pop(oldest).finish("too many connections at once")
            known = self._connections[key] = _Connection()
        yield from known.take(segment, at_ns)
        if known.ended and self._connections.pop(key, None) is not None:
            self._ended[key] = known
            if len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]


def _at(at_ns: int, items: Iterator[Entry | Gap]) -> Iterator[Timed]:
    return (item if isinstance(item, Gap) else (at_ns, item) for item in items)


class _Connection:
    """Both streams of a connection, and what is spoken on it once that is known."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._spoken: _Understood | _Other | None = None
        self._closed: set[str] = set()
        self._cause = "closed"
        self.ended = False

    def is_over(self, segment: Segment) -> bool:
        """Whether ``segment`` opens another connection between the same places; a repeated SYN does not."""
        stream = self._streams.get(segment.source)
        known = stream is None or stream.first == segment.sequence
        return segment.opens and not segment.flags & _ACK and (not known or isinstance(self._spoken, _Other))

    def take(self, segment: Segment, at_ns: int) -> Iterator[Entry | Gap]:
        if isinstance(self._spoken, _Other):
            return
        stream = self._streams.setdefault(segment.source, Stream())
        if segment.opens:
            stream.open(segment.sequence)
        for piece in stream.take(segment, at_ns):
            yield from self._told(segment, piece)
        if segment.ends:
            self._closed.add(segment.source)
            self._cause = "reset" if segment.flags & _RST else self._cause
        if self._is_closed and not any(stream.waits for stream in self._streams.values()):
            yield from self.finish(None)

    def finish(self, cause: str | None) -> Iterator[Entry | Gap]:
        """Nothing more will come; ``cause`` None: because the file ends, or because the connection was closed."""
        self.ended = True
        if self._spoken is not None:
            for source, stream in self._streams.items():
                for piece in stream.rest():
                    yield from self._spoken.hear(source, piece)
            if cause is not None or self._is_closed:
                yield from self._spoken.end(cause or self._cause)

    @property
    def _is_closed(self) -> bool:
        return self._cause == "reset" or len(self._closed) == 2

    def _told(self, segment: Segment, piece: bytes | Hole) -> Iterator[Entry | Gap]:
        if self._spoken is None:
            self._spoken = _language(segment, piece)
            if isinstance(self._spoken, _Other):
                self._streams.clear()
        yield from self._spoken.hear(segment.source, piece)


def _language(segment: Segment, piece: bytes | Hole) -> "_Understood | _Other":
    ports = {int(place.rpartition(":")[2]): place for place in (segment.target, segment.source)}
    broker = ports.get(MQTT_PORT)
    if broker is None and isinstance(piece, bytes) and piece[:1] == b"\x10" and _CONNECT in piece[2:11]:
        broker = segment.target
    if broker is not None:
        return _Understood(broker, Conversation(segment.source if segment.source != broker else segment.target))
    if SCPI_PORT in ports:
        return _Understood(ports[SCPI_PORT], Dialogue(ports[SCPI_PORT]))
    return _Other(encrypted=MQTT_TLS_PORT in ports)


class _Understood:
    """MQTT or SCPI with the broker or instrument at ``target``."""

    def __init__(self, target: str, hearing: Conversation | Dialogue) -> None:
        self._target = target
        self._hearing = hearing

    def hear(self, source: str, piece: bytes | Hole) -> Iterator[Entry | Gap]:
        direction: Direction = "out" if source == self._target else "in"
        if isinstance(piece, Hole):
            yield self._hearing.lose(direction, piece.size, "segments are missing in the capture")
        else:
            yield from self._hearing.feed(direction, piece, 0)

    def end(self, cause: str) -> Iterator[Entry | Gap]:
        return self._hearing.end(0, cause)


class _Other:
    """Something else; told once if it could be MQTT that is encrypted."""

    def __init__(self, *, encrypted: bool) -> None:
        self._encrypted = encrypted

    def hear(self, source: str, piece: bytes | Hole) -> Iterator[Entry | Gap]:
        if self._encrypted:
            self._encrypted = False
            yield Gap(source, "the connection is encrypted; capture it with drycell capture instead")

    def end(self, cause: str) -> Iterator[Entry | Gap]:
        return iter(())
