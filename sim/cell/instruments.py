"""Instruments of a cell: one pure model each, asked in-process or by lines over TCP on the kernel's loop.

Every question and its answer is one event of the journal; of an answer with a long block only its size.
"""

from collections.abc import Callable

from drycell.sim.cell.line_server import LineServer
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.hooks import Instrument, ServedInstrument

JOURNALLED_BYTES = 4096


class InstrumentServer:
    """One instrument. ``ask`` is the in-process way; ``start`` opens the TCP way on loopback.

    ``model``: an Instrument answers at once, a ServedInstrument after its latency (which ``ask`` leaves out).
    """

    def __init__(
        self,
        name: str,
        model: Instrument | ServedInstrument,
        record: Callable[..., object],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.name = name
        self._model = model
        self._record = record
        self._server: LineServer | MessageServer
        if hasattr(model, "reply"):
            self._server = MessageServer(model, host, port, self._heard)  # type: ignore[arg-type]  # it has the face
        else:
            self._server = LineServer(self.ask, host, port)

    def ask(self, line: str) -> str:
        """The answer to ``line``."""
        answer = self._model.answer(line)
        self._record("ask", self.name, line=line, answer=_shown(answer))
        return answer

    def _heard(self, message: bytes, answer: bytes) -> None:
        self._record("ask", self.name, line=message.decode("latin-1"), answer=_shown(answer.decode("latin-1")))

    async def start(self) -> None:
        """Listen on its port."""
        await self._server.start()

    @property
    def address(self) -> str:
        """``host:port`` of the listener."""
        return self._server.address

    @property
    def port(self) -> int:
        """Port of the listener."""
        return self._server.port

    async def stop(self) -> None:
        """Close the listener and every connection."""
        await self._server.stop()


def _shown(answer: str) -> str:
    if len(answer) <= JOURNALLED_BYTES:
        return answer
    return f"{answer[:64]}... ({len(answer)} bytes)"
