"""What a program and an instrument say to each other on one connection: bytes of both directions in, entries out.

A message ends with a line feed. Binary blocks are not known here: one that holds a line feed becomes several entries.
"""

from collections.abc import Iterator

from drycell.sim.replay.recording import Direction, Entry, Gap

_LIMIT_BYTES = 1024 * 1024


class Dialogue:
    """Pure. ``instrument`` names it, as the topic of every entry."""

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._held: dict[Direction, bytes] = {"in": b"", "out": b""}

    def feed(self, direction: Direction, data: bytes, t_ns: int) -> Iterator[Entry | Gap]:
        """Take the next bytes of a direction."""
        *whole, rest = (self._held[direction] + data).split(b"\n")
        for line in whole:
            yield Entry(t_ns, "scpi", None, self._instrument, line.rstrip(b"\r"), direction=direction)
        if len(rest) > _LIMIT_BYTES:
            yield Gap(self._instrument, "no end of a message", len(rest))
            rest = b""
        self._held[direction] = rest

    def lose(self, direction: Direction, count: int, why: str) -> Gap:
        """Bytes of a direction are missing; what was said of the message is lost with them."""
        lost, self._held[direction] = len(self._held[direction]), b""
        return Gap(self._instrument, why, count + lost)

    def end(self, t_ns: int, cause: str) -> Iterator[Entry | Gap]:
        """The connection is over."""
        return iter(
            [self.lose(side, 0, f"a message without an end, {cause}") for side, held in self._held.items() if held]
        )
