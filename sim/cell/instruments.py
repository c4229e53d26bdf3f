"""Instruments of a cell: one pure model each, asked in-process or by lines over TCP on the kernel's loop.

Every question and its answer is one event of the journal.
"""

from collections.abc import Callable

from drycell.sim.cell.line_server import LineServer
from drycell.sim.hooks import Instrument


class InstrumentServer:
    """One instrument. ``ask`` is the in-process way; ``start`` opens the TCP way on loopback."""

    def __init__(self, name: str, model: Instrument, record: Callable[..., object]) -> None:
        self.name = name
        self._model = model
        self._record = record
        self._server = LineServer(self.ask)

    def ask(self, line: str) -> str:
        """The answer to ``line``."""
        answer = self._model.answer(line)
        self._record("ask", self.name, line=line, answer=answer)
        return answer

    async def start(self) -> None:
        """Listen on a free loopback port."""
        await self._server.start()

    @property
    def address(self) -> str:
        """``host:port`` of the listener."""
        return self._server.address

    async def stop(self) -> None:
        """Close the listener and every connection."""
        await self._server.stop()
