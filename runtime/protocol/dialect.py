"""What a dialect is: a value that holds everything in which one runtime protocol differs from another.

Rules
- Whoever speaks or judges a protocol is handed the value and asks it; nobody asks for its name to decide something.
- A role that differs strongly is a class of its own, chosen by :attr:`Dialect.name` once, where a cell is built.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drycell.runtime.protocol.table import Table
from drycell.runtime.protocol.topics import Topics

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProgramWords:
    """What test programs say. ``status(state, message)``, and the last ``will()``.

    ``io_request(peripheral, ioctl, parameters, request_id)`` asks a peripheral. ``teardown(callback, has_error)`` is
    said on the log topic before a teardown callback runs (``has_error``: None but for a cycle's), None: nothing is.
    """

    status: Callable[[str, str], Json]
    will: Callable[[], Json]
    io_request: Callable[[str, str, Json, str], Json]
    teardown: Callable[[str, bool | None], Json | None]


@dataclass(frozen=True, slots=True)
class StdfTravel:
    """How STDF comes from test programs to the master.

    ``kind``: the program topic it travels on. ``fragments``: in pieces while the program tests, else whole after it.
    ``pack(records)`` makes one payload, ``unpack(payload)`` the piece in it, ``join(pieces)`` the records of all the
    pieces of one device. Records are JSON objects as :func:`drycell.runtime.stdf.from_json` reads them. ``unpack``
    and ``join`` raise ValueError in words for what cannot be read.
    """

    kind: str
    fragments: bool
    pack: Callable[[Sequence[Json]], bytes]
    unpack: Callable[[bytes], Any]
    join: Callable[[Sequence[Any]], list[Json]]


@dataclass(frozen=True)
class Dialect:
    """One runtime protocol. ``tables``: role -> state table; ``topics(device, handler)``: its topics.

    ``deadlines_s``: timeouts that stand in no table, by name. ``farewell``: the state that a program announces when
    it has ended well; ``failed``: what the master announces when it is in error. ``trigger_lead``: the trigger for
    test N pulses right before it (0), or right after the test before it (1), so that none can be had for the first.
    """

    name: str
    tables: Mapping[str, Table]
    topics: Callable[[str, str], Topics]
    program: ProgramWords
    stdf: StdfTravel
    deadlines_s: Mapping[str, float]
    farewell: str
    trigger_lead: int

    @property
    def failed(self) -> str:
        """The state that the master announces while only an operator's reset can help."""
        return self.tables["master"].published["softerror"]

    @property
    def timeouts_s(self) -> dict[str, float]:
        """Every timeout by its name, in seconds."""
        rows = {timeout.name: timeout.seconds for table in self.tables.values() for timeout in table.timeouts}
        return {**self.deadlines_s, **rows}
