"""The stage: all that a fault can reach in a cell. The cell implements it; tests use a small one of their own.

Rules: every method acts at the present simulated instant and returns at once; what cannot be done (no such program
runs just now) is noted in the journal, never raised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.machine import Cancel
from drycell.runtime.protocol.topics import Topics

if TYPE_CHECKING:
    import numpy as np

    from drycell.sim.faults.rules import MessageRule, PacketRule, ReplyRule


@dataclass(frozen=True, slots=True)
class Packet:
    """One MQTT packet on a program's link. ``kind``: its name, such as PUBREL; ``inbound``: towards the broker.

    ``topic`` is that of a PUBLISH, or of the PUBLISH that an acknowledgement belongs to; empty for all others.
    """

    client_id: str
    kind: str
    inbound: bool
    topic: str
    raw: bytes


class Programs(Protocol):
    """The test programs, by site."""

    def signal(self, site: int, name: str, last_words: str = "") -> None:
        """Send a signal, such as SIGKILL; a deadly one leaves ``last_words`` on standard error."""

    def exit(self, site: int, code: int, last_words: str) -> None:
        """The program ends at once with an exit code of its own."""

    def exit_code(self, site: int, code: int, last_words: str) -> None:
        """When the program ends next, of whatever cause, it does so with this exit code."""

    def freeze(self, site: int) -> None:
        """The program stands still (SIGSTOP)."""

    def thaw(self, site: int) -> None:
        """A frozen program goes on (SIGCONT)."""

    def flood(self, site: int, count: int) -> None:
        """The program writes ``count`` bytes to its standard error."""

    def hinder(self, site: int, delay_s: float | None) -> None:
        """The program of the next start comes up ``delay_s`` later than usual; None: its CONNECT never arrives."""

    def abandon(self, site: int) -> None:
        """The control of ``site`` dies and comes back, and knows nothing of the program it had started."""


class Links(Protocol):
    """The programs' connections, by site, and the broker as a whole."""

    def cut(self, site: int) -> None:
        """Both ends see the end of the connection."""

    def half_open(self, site: int) -> None:
        """Nothing passes any more, and neither end is told."""

    def take_over(self, site: int, times: int, once_more: Callable[[], None]) -> None:
        """A stranger connects with the program's client id, again whenever it is thrown out, ``times`` in all;
        ``once_more`` is called before each time but the first."""

    def outage(self, for_s: float) -> None:
        """The broker is gone for ``for_s`` seconds, then starts again with nothing in its memory."""


class Floor(Protocol):
    """Handler, master, TCC and operator."""

    def operator(self, command: str, payload: Mapping[str, Any]) -> None:
        """The operator gives a command at the master's screen."""

    def jam(self, for_s: float | None) -> None:
        """The handler stands still for ``for_s`` seconds, None: for good."""

    def misplace(self, site: int, shift: int, touchdowns: int) -> None:
        """In the next ``touchdowns``, ``site`` gets the device ``shift`` places further on in the lot."""

    def lose_contact(self, site: int, touchdowns: int) -> None:
        """In the next ``touchdowns``, nothing touches ``site``."""

    def wrong_lot(self, lot: str) -> None:
        """The handler loads its next lot under this number."""

    def restart_master(self, down_s: float) -> None:
        """The master dies, its will is published, and a new one comes up ``down_s`` later."""

    def stop_tcc(self, for_s: float | None) -> None:
        """Nobody answers for the peripherals for ``for_s`` seconds, None: for good."""


class Files(Protocol):
    """The lot's STDF file."""

    def fill_disk(self, left_bytes: int, for_s: float | None) -> None:
        """Only ``left_bytes`` more can be written, for ``for_s`` seconds or for good."""

    def write_protect(self, for_s: float | None) -> None:
        """No file can be made or written, for ``for_s`` seconds or for good."""

    def leave_behind(self, content: bytes) -> None:
        """A file with the name of the lot's STDF file is already there. Only before the lot is loaded."""


class Devices(Protocol):
    """The devices of the lot."""

    def change(self, part: int, values: Mapping[str, float], factors: Mapping[str, float]) -> None:
        """Device ``part`` gets new true values, or old ones times a factor."""

    def parameters(self) -> Sequence[str]:
        """What a device of this lot has."""


class Stage(Protocol):
    """Everything a fault can reach; made anew for each injection, so that each has its own random stream."""

    programs: Programs
    links: Links
    floor: Floor
    files: Files
    devices: Devices

    @property
    def now_ns(self) -> int: ...

    @property
    def topics(self) -> Topics: ...

    @property
    def random(self) -> "np.random.Generator":
        """The stream of this injection."""

    def later(self, delay_s: float, action: Callable[[], None]) -> Cancel:
        """Call ``action`` after ``delay_s`` simulated seconds."""

    def note(self, **fields: Any) -> None:
        """Write into the journal that the fault takes effect (kind ``effect``)."""

    def lasts(self, site: int, for_s: float | None = None, *, until_exit: bool = True) -> None:
        """Note the fault at each contact of ``site`` from now on: for ``for_s`` seconds, until its program ends, or
        as long as the run."""

    def part_at(self, site: str) -> str | None:
        """The part id in contact at ``site``."""

    def asked_site(self, instrument: str, question: str) -> str:
        """The site that a question to an instrument is about by its channel list, "" for none or several."""

    @property
    def dialect(self) -> Dialect:
        """What the cell speaks."""

    def result_deadline_ns(self, site: str) -> int | None:
        """When the master gives up waiting for the result of ``site``, None when it waits for none."""

    def on_messages(self, rule: "MessageRule") -> None:
        """Have ``rule`` decide on every message from now on."""

    def on_packets(self, rule: "PacketRule") -> None:
        """Have ``rule`` decide on every packet of the programs' links from now on."""

    def on_replies(self, rule: "ReplyRule") -> None:
        """Have ``rule`` decide on every answer of an instrument from now on."""
