"""Instruments of a cell: one pure model each, asked in-process or by lines over TCP on the kernel's loop.

Every question and its answer is one event of the journal.
"""

from collections.abc import Callable, Sequence

from drycell.sim.cell.line_server import Answers, LineServer
from drycell.sim.hooks import Instrument


class InstrumentServer:
    """One instrument. ``ask`` is the in-process way; ``start`` opens the TCP way on loopback.

    ``fault(name, line, answer)`` makes other answers out of one, each with a delay in ns; None leaves it.
    """

    def __init__(
        self,
        name: str,
        model: Instrument,
        record: Callable[..., object],
        fault: Callable[[str, str, str], Sequence[tuple[int, str]] | None] = lambda name, line, answer: None,
    ) -> None:
        self.name = name
        self._model = model
        self._record = record
        self._fault = fault
        self._server = LineServer(self.ask)

    def ask(self, line: str) -> Answers:
        """What is answered to ``line``."""
        true = self._model.answer(line)
        given = self._fault(self.name, line, true)
        if given is None or list(given) == [(0, true)]:
            self._record("ask", self.name, line=line, answer=true)
            return true
        delay_ns, answer = min(given, default=(0, None))
        late = {"after_s": delay_ns / 1e9} if delay_ns else {}
        self._record("ask", self.name, line=line, answer=answer, true=true, **late)
        return given

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
