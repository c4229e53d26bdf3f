"""The port between a test program and the world it runs in.

A program is blocking code. On a bench, and in a process of its own in the cell, the world is MQTT with threads
(``bench``); on rung model it is the simulation's own thread (``drycell.sim.cell.greenlets``). Nothing else of the
SDK knows which it is.
"""

from dataclasses import dataclass
from typing import Protocol

from drycell.runtime.instruments.transports import Transport


@dataclass(frozen=True, slots=True)
class Heard:
    """A message; with an empty topic the news that the connection to the broker is there (again)."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """How a program is connected to its broker: MQTT 3.1.1, clean session, all with QoS 2, nothing retained."""

    client_id: str
    will_topic: str
    will: bytes
    filters: tuple[str, ...]


class World(Protocol):
    """Every method that waits lets simulated time pass where time is simulated."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def connect(self, link: Link) -> None:
        """Begin to connect; Heard("", b"") comes when the connection is there. Raises ProgramError if it cannot."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send; what the broker could not take yet is sent again after a loss of the connection, in order."""

    def receive(self, timeout_s: float | None) -> Heard | None:
        """The next message, or None after ``timeout_s`` seconds (None: wait for ever; 0: only what is there)."""

    def instrument(self, name: str) -> Transport:
        """A line to an instrument, not yet connected. Raises ProgramError when there is none of that name."""

    def note(self, kind: str, **facts: object) -> None:
        """A fact for whoever records the run: ``state`` and ``trigger``."""

    def close(self) -> None:
        """Wait until the broker has everything, then disconnect; the last will is not published."""
