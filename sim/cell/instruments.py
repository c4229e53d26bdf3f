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
        answer = self._model.answer(line)
        changed = self._fault(self.name, line, answer)
        if changed is None or list(changed) == [(0, answer)]:
            self._record("ask", self.name, line=line, answer=answer)
            return answer
        given = [text if not delay_ns else {"answer": text, "after_s": delay_ns / 1e9} for delay_ns, text in changed]
        self._record("ask", self.name, line=line, answer=answer, instead=given)
        return changed

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
