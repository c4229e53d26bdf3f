"""Instruments of a cell: one pure model each, asked in-process or by lines over TCP on the kernel's loop.

Every question and its answer is one event of the journal; of an answer with a long block only its beginning and size.
"""

import re
from collections.abc import Callable, Sequence
from typing import cast

from drycell.sim.cell.desk import Given
from drycell.sim.cell.line_server import Answers, LineServer
from drycell.sim.cell.message_server import MessageServer
from drycell.sim.hooks import Instrument, ServedInstrument

JOURNALLED_BYTES = 4096
_CHANNEL = re.compile(r"\(@(\d+)\)")


class InstrumentServer:
    """One instrument. ``put`` is the in-process way; ``start`` opens the TCP way on loopback.

    ``model``: an Instrument answers at once, a ServedInstrument when its turn has come and its latency has passed.
    ``fault(name, line, answer)`` makes other answers out of one, each with a delay in ns; None leaves it.
    ``first_channel``: how the instrument counts, the channel of site 0. ``lone_site``: the site that a line without
    channel list is about, "" for none.
    """

    def __init__(
        self,
        name: str,
        model: Instrument | ServedInstrument,
        record: Callable[..., object],
        fault: Callable[[str, str, str], Sequence[tuple[int, str]] | None] = lambda name, line, answer: None,
        first_channel: int = 0,
        lone_site: str = "",
    ) -> None:
        self.name = name
        self._first_channel, self._lone_site = first_channel, lone_site
        self._model = model
        self._record = record
        self._fault = fault
        self._server: LineServer | MessageServer = (
            MessageServer(cast(ServedInstrument, model), answers=self._served)
            if hasattr(model, "reply")
            else LineServer(self._ask)
        )

    def put(self, line: str, done: Callable[[Answers], None]) -> None:
        """Hand in a line; ``done`` is called with what is answered, at once or after the instrument's time."""
        if isinstance(self._server, LineServer):
            done(self._ask(line))
        else:
            self._server.desk.put(line.encode("latin-1", "replace"), lambda given: done(_texts(given)))

    def site_of(self, line: str) -> str:
        """The site that a line is about, "" for none or several."""
        found = _CHANNEL.search(line)
        return str(int(found[1]) - self._first_channel) if found else self._lone_site

    def _ask(self, line: str) -> Answers:
        return self._given(line, self._model.answer(line))

    def _given(self, line: str, true: str) -> Answers:
        given = self._fault(self.name, line, true)
        about = {"site": self.site_of(line)} if self._first_channel else {}
        if given is None or list(given) == [(0, true)]:
            self._record("ask", self.name, line=line, answer=_shown(true), **about)
            return true
        delay_ns, answer = min(given, default=(0, None))
        late = {"after_s": delay_ns / 1e9} if delay_ns else {}
        shown = None if answer is None else _shown(answer)
        self._record("ask", self.name, line=line, answer=shown, true=_shown(true), **about, **late)
        return given

    def _served(self, message: bytes, answer: bytes) -> Given:
        given = self._given(message.decode("latin-1"), answer.decode("latin-1"))
        if isinstance(given, str):
            return [(0, answer)]
        return [(delay_ns, text.encode("latin-1", "replace")) for delay_ns, text in given]

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


def _texts(given: Given) -> Answers:
    """Without those that say nothing."""
    return [(delay_ns, answer.decode("latin-1")) for delay_ns, answer in given if answer]


def _shown(answer: str) -> str:
    if len(answer) <= JOURNALLED_BYTES:
        return answer
    return f"{answer[:64]}... ({len(answer)} bytes)"
