"""A recording proxy: passes bytes between clients and a broker or an instrument, and records what they say.

Rules
- Bytes are passed on unchanged before anybody looks at them; neither bytes that are no MQTT nor a full disk disturb
  production. What one side does not take is not read from the other.
- When one side has ended, so has the other as soon as it has everything.
- What is recorded outlives this process; the disk is not waited for, since nothing could be asked for again.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from drycell.sim.errors import DrycellError
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.conversation import Conversation
from drycell.sim.replay.dialogue import Dialogue
from drycell.sim.replay.instants import Instants
from drycell.sim.replay.recording import Direction, Entry, Gap
from drycell.sim.replay.segments import Segments

TIMEOUT_S = 10.0
_READ_BYTES = 64 * 1024
_LOOK_S = 0.1
Place = tuple[str, int]


class Hearing(Protocol):
    """Understands one connection; see Conversation and Dialogue."""

    def feed(self, direction: Direction, data: bytes, t_ns: int) -> Iterator[Entry | Gap]:
        """Take the next bytes of a direction."""

    def end(self, t_ns: int, cause: str) -> Iterator[Entry | Gap]:
        """The connection is over."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where to listen, where to pass it on to, and what is spoken there: mqtt or scpi."""

    listen: Place
    target: Place
    language: str

    @classmethod
    def parse(cls, text: str) -> "Route":
        """From ``[HOST:]PORT=mqtt://HOST[:PORT]`` or ``scpi://``. Raises DrycellError when it is not of this form."""
        here, _, there = text.partition("=")
        host, _, port = here.rpartition(":")
        try:
            parts = urlsplit(there)
            usual = _USUAL_PORTS[parts.scheme]
            if not parts.hostname or not 0 <= int(port) < 65_536:
                raise ValueError
            return cls((host or "127.0.0.1", int(port)), (parts.hostname, parts.port or usual), parts.scheme)
        except (ValueError, KeyError):
            raise DrycellError(
                f"{text!r} is no route of a proxy; 1884=mqtt://tester7:1883 or 5026=scpi://meter:5025 would be right"
            ) from None

    def hearing(self, client: str) -> Hearing:
        """Who understands a connection of ``client``."""
        return Conversation(client) if self.language == "mqtt" else Dialogue(f"{self.target[0]}:{self.target[1]}")

    def __str__(self) -> str:
        return f"{self.language}://{self.target[0]}:{self.target[1]}"


_USUAL_PORTS: Mapping[str, int] = {"mqtt": 1883, "scpi": 5025}


class Proxy:
    """Records into ``folder``, which it continues when it holds a recording of the same routes.

    ``say`` gets lines for people; ``counts``: what was written by this process, by kind of entry; gaps under ``gap``.
    """

    def __init__(
        self, routes: Sequence[Route], folder: Path, attention: Attention, say: Callable[[str], None], *,
        segment_bytes: int, limit_bytes: int | None = None,
    ) -> None:  # fmt: skip
        self._routes, self._attention, self._say = routes, attention, say
        self._instants = Instants()
        self._failure: DrycellError | None = None
        self.counts: Counter[str] = Counter()
        names = [str(route) for route in routes]
        self._segments = Segments(
            folder, ", ".join(names), self._instants.unix_ns(), {"routes": names}, same="routes",
            segment_bytes=segment_bytes, limit_bytes=limit_bytes,
        )  # fmt: skip

    def run(self, for_s: float | None = None) -> None:
        """Pass on and record until told to stop, or for so long.

        Raises DrycellError when a port is taken; at the end, when the disk took nothing more.
        """
        try:
            asyncio.run(self._run(float("inf") if for_s is None else time.monotonic() + for_s))
        finally:
            self._segments.close()
        if self._failure is not None:
            raise self._failure

    async def _run(self, end_s: float) -> None:
        servers: list[asyncio.Server] = []
        try:
            for route in self._routes:
                servers.append(await self._listen(route))
            while not self._attention.stop and time.monotonic() < end_s:
                self._attention.wait(0)
                self._store(Entry(self._t_ns(), "mark", payload=note.encode()) for note in self._attention.marks())
                await asyncio.sleep(_LOOK_S)
        finally:
            for server in servers:
                server.close()

    async def _listen(self, route: Route) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(route, reader, writer)

        try:
            server = await asyncio.start_server(serve, *route.listen)
        except OSError as error:
            host, port = route.listen
            raise DrycellError(f"{host}:{port} cannot be listened on ({error.strerror}); name another port") from None
        host, port = server.sockets[0].getsockname()[:2]
        self._say(f"listening on {host}:{port} for {route}")
        return server

    async def _serve(self, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        host, port = writer.get_extra_info("peername")[:2]
        hearing = route.hearing(f"{host}:{port}")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                back_reader, back_writer = await asyncio.open_connection(*route.target)
        except OSError as error:
            self._say(f"{route} cannot be reached ({error.strerror or 'no answer'})")
            self._store([Gap(f"{host}:{port}", f"{route} could not be reached")])
            writer.close()
            return
        for one in (writer, back_writer):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(
                self._pass_on(reader, back_writer, "in", hearing), self._pass_on(back_reader, writer, "out", hearing)
            )
        finally:
            self._store(hearing.end(self._t_ns(), "closed"))
            for one in (writer, back_writer):
                one.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction, hearing: Hearing
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                writer.write(data)
                self._store(hearing.feed(direction, data, self._t_ns()))
                await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    def _store(self, items: Iterable[Entry | Gap]) -> None:
        """Write; after the disk has refused once nothing more is recorded, and everything is still passed on."""
        kept = list(items)
        if not kept or self._failure is not None:
            return
        try:
            self._segments.store(kept, durable=False)
        except DrycellError as error:
            self._failure = DrycellError(f"{error}; everything was passed on, but not recorded from then on")
            self._say(f"{error}; everything is still passed on")
        else:
            self.counts.update("gap" if isinstance(item, Gap) else item.kind for item in kept)

    def _t_ns(self) -> int:
        return self._instants.unix_ns() - self._segments.start_unix_ns
