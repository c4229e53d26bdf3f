"""Instruments of the simulated bench as plugin objects: the drivers of ``runtime.instruments``, with one option.

Option ``address``: ``host:port`` of a served instrument; empty: a bench inside this process, on its wall clock. The
object has the methods of its interface there, so the same test runs on real instruments.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from drycell.plugins_sim.instruments.bench import Bench, make_bench
from drycell.runtime.instruments.by_name import DRIVERS
from drycell.runtime.instruments.transports import TCPTransport, Transport
from drycell.runtime.plugins.interfaces import Configurable


class BenchTransport(Transport):
    """One instrument of a bench in this process; answers at once."""

    def __init__(self, bench: Callable[[], Bench], instrument: str) -> None:
        self._bench, self._instrument = bench, instrument
        self._answers: list[bytes] = []

    @property
    def is_connected(self) -> bool:
        return True

    def connect(self) -> None:
        """Always connected."""

    def disconnect(self) -> None:
        self._answers.clear()

    def write(self, command: str) -> None:
        answer = self._bench().served[self._instrument].reply(command.encode())
        self._answers += [answer] if answer else []

    def read(self, timeout: float | None = None) -> str:
        return self._next().decode("latin-1").strip()

    def read_block(self, timeout: float | None = None) -> bytes:
        block = self._next()
        return block[2 + int(block[1:2]) :]

    def _next(self) -> bytes:
        if not self._answers:
            raise TimeoutError(f"the {self._instrument} has nothing to say; was the question understood?")
        return self._answers.pop(0)


class ChosenTransport(Transport):
    """The bench in this process, or the address that was configured last; connects when it is used."""

    def __init__(self, bench: Callable[[], Bench], instrument: str) -> None:
        self._inside = BenchTransport(bench, instrument)
        self._now: Transport = self._inside

    def lead_to(self, address: str) -> None:
        """Use ``host:port``, or the bench for the empty text. ValueError for what is no address."""
        chosen = make_tcp(address) if address else self._inside
        self._now.disconnect()
        self._now = chosen

    @property
    def is_connected(self) -> bool:
        return self._now.is_connected

    def connect(self) -> None:
        if not self._now.is_connected:
            self._now.connect()

    def disconnect(self) -> None:
        self._now.disconnect()

    def write(self, command: str) -> None:
        self.connect()
        self._now.write(command)

    def read(self, timeout: float | None = None) -> str:
        return self._now.read(timeout)

    def read_block(self, timeout: float | None = None) -> bytes:
        return self._now.read_block(timeout)


def make_tcp(address: str) -> TCPTransport:
    """A transport to ``host:port``. ValueError for anything else."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit()):
        raise ValueError(f"{address!r} is no address; write host:port")
    return TCPTransport(host.strip("[]"), int(port))


class _Configured(Configurable):
    OPTIONS: ClassVar[Mapping[str, str]] = {"address": ""}
    transport: ChosenTransport

    def check(self, values: Mapping[str, str]) -> None:
        if values["address"]:
            make_tcp(values["address"])

    def set_configuration_values(self, values: Mapping[str, str]) -> None:
        super().set_configuration_values(values)
        self.transport.lead_to(self.option("address"))


class Table:
    """What lies on the table of one plugin: a bench that is made when it is first used, and drivers to it."""

    def __init__(self) -> None:
        self._made: Bench | None = None

    def bench(self) -> Bench:
        """The bench of this process."""
        if self._made is None:
            self._made = make_bench({}, time.monotonic_ns)
        return self._made

    def instrument(self, name: str) -> Any:
        """An object for the instrument ``name`` of the bench."""
        driver = DRIVERS[name]
        made = type(driver.__name__, (_Configured, driver), {})
        return made(ChosenTransport(self.bench, name), check_errors=True)
