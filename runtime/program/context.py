"""What a test can reach: its place in the cell, the clock, the options of this cycle, peripherals and instruments."""

import logging
from collections.abc import Callable
from typing import Any

from drycell.runtime.instruments.transports import Transport
from drycell.runtime.program.errors import ProgramError, ProxyError
from drycell.runtime.program.options import Options
from drycell.runtime.program.world import World

PROXY_TIMEOUT_S = 5.0
Call = Callable[[str, str, dict[str, Any], float], Any]
"""``call(peripheral, ioctl, parameters, timeout_s)`` gives the result of the answer; TimeoutError when none comes."""


class Proxy:
    """A peripheral that the master or the test cell controller owns. Each method call is one io-control request.

    ``ctx.get_proxy("Temperature").set_temperature(temperature=[25])`` blocks until it is answered and returns the
    result. Keyword ``timeout`` (seconds, default 5) is how long. Raises ProxyError when no answer comes in time, or
    when it does not say "ok".
    """

    def __init__(self, name: str, call: Call) -> None:
        self._name = name
        self._call = call

    def __getattr__(self, ioctl: str) -> Callable[..., Any]:
        if ioctl.startswith("_"):
            raise AttributeError(ioctl)

        def request(*, timeout: float = PROXY_TIMEOUT_S, **parameters: Any) -> Any:
            asked = f"peripheral {self._name} did not carry out {ioctl}"
            try:
                result = self._call(self._name, ioctl, parameters, timeout)
            except TimeoutError:
                raise ProxyError(f"{asked}: no answer within {timeout:g} s") from None
            status = result.get("status", "ok") if isinstance(result, dict) else result
            if isinstance(status, str) and status.lower() != "ok":
                reason = result.get("error_message") if isinstance(result, dict) else None
                raise ProxyError(f"{asked}: {reason or status}")
            return result

        return request


class Context:
    """Handed to every test and hook.

    ``device_id``: the cell; ``site_id``: the site's number; ``part_id``: the device in contact, empty between
    devices; ``options``: those of the present cycle; ``logger``: what it is told goes to the master, too.
    """

    def __init__(self, device_id: str, site_id: int, logger: logging.Logger, world: World, call: Call) -> None:
        self.device_id = device_id
        self.site_id = site_id
        self.part_id = ""
        self.options = Options()
        self.logger = logger
        self._bin: int | None = None
        self._world = world
        self._call = call
        self._instruments: dict[str, Transport] = {}

    def now(self) -> float:
        """Seconds since some fixed moment, on the clock of the cell."""
        return self._world.now()

    def sleep(self, seconds: float) -> None:
        """Wait, for settling and the like."""
        self._world.sleep(seconds)

    def get_proxy(self, name: str) -> Proxy:
        """The actuator or instrument ``name`` that the master or the test cell controller owns."""
        return Proxy(name, self._call)

    get_actuator_proxy = get_proxy
    get_instrument_proxy = get_proxy

    def instrument(self, name: str) -> Transport:
        """The instrument ``name`` of this tester, connected: ``ctx.instrument("meter").query("*IDN?")``.

        Its address is in the environment variable ``DRYCELL_<NAME>`` as ``host:port``. Raises ProgramError when that
        is not set, ConnectionError when nothing listens there.
        """
        transport = self._instruments.get(name)
        if transport is None:
            transport = self._instruments[name] = self._world.instrument(name)
        if not transport.is_connected:
            transport.connect()
        return transport

    def bin(self, soft_bin: int) -> None:
        """Ask for a soft bin for this device, a grade for example. Fail bins (from 10) stick, grades only fall."""
        if soft_bin < 0:
            raise ProgramError(f"soft bin {soft_bin} cannot be")
        self._bin = soft_bin

    def take_bin(self) -> int | None:
        """What :meth:`bin` has been asked for since this was called last."""
        wished, self._bin = self._bin, None
        return wished

    def disconnect(self) -> None:
        """Let go of the instruments; called when the program ends."""
        for transport in self._instruments.values():
            transport.disconnect()
