"""Instruments of a cell: one pure model each, asked in-process or by lines over TCP on the kernel's loop.

A client sends a line and gets one line back. Lines are limited in length; a client that breaks off or does not read
disturbs nobody. Every question and answer is one event of the journal.
"""

import asyncio
from collections.abc import Callable

from drycell.sim.hooks import Instrument

LINE_LIMIT_BYTES = 4096


class InstrumentServer:
    """One instrument. ``ask`` is the in-process way; ``start`` opens the TCP way on loopback."""

    def __init__(self, name: str, model: Instrument, record: Callable[..., object]) -> None:
        self.name = name
        self._model = model
        self._record = record
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    def ask(self, line: str) -> str:
        """The answer to ``line``."""
        answer = self._model.answer(line)
        self._record("ask", self.name, line=line, answer=answer)
        return answer

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LINE_LIMIT_BYTES)

    @property
    def address(self) -> str:
        """``host:port`` of the listener."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is None:
            return
        self._server.close()
        clients, self._clients = self._clients, set()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                answer = self.ask(line.decode("latin-1").strip())
                writer.write(answer.encode("latin-1", "replace") + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # broken off, or a line beyond the limit: this client is closed, the others go on
        finally:
            self._clients.discard(task)
            writer.close()
