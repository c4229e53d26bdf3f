"""An instrument of the cell as an object: method calls are carried out by its driver, as blocking code on the kernel.

So a program that calls ``measure_dc_voltage`` waits, on the simulated clock, for what the driver of
``runtime.instruments`` asks and for what the instrument takes to answer.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drycell.runtime.instruments.by_name import DRIVERS
from drycell.runtime.instruments.drivers import ThermalChamberDriver
from drycell.runtime.instruments.scpi_driver import BaseDriver
from drycell.sim.cell.greenlets import Fiber
from drycell.sim.cell.line_transport import LineTransport, Put
from drycell.sim.kernel import NS_PER_S, Kernel, ns

Done = Callable[[Any], None]
Failed = Callable[[BaseException], None]
CONFIGURE = ("apply_configuration", "set_configuration_values")


class InstrumentCalls:
    """``put`` is the instrument called ``name``, ``driver`` one of DRIVERS or None; one call at a time."""

    def __init__(
        self, kernel: Kernel, name: str, put: Put, record: Callable[..., object], driver: str | None = None
    ) -> None:
        self._kernel = kernel
        self._name = name
        self._record = record
        self._fiber: Fiber | None = None
        self._driver = _driver(driver, LineTransport(name, put, self), self)
        self._driver.connect()

    def methods(self) -> list[str]:
        """What may be called."""
        public = (name for name, _ in inspect.getmembers(type(self._driver), inspect.isfunction) if name[0] != "_")
        return [*(name for name in public if name not in ("connect", "disconnect")), *CONFIGURE]

    def call(self, method: str, arguments: list[Any], done: Done, failed: Failed) -> None:
        """Begin a call; ``done(value)`` or ``failed(error)`` ends it. Raises ValueError for what cannot be called."""
        if method not in self.methods():
            raise ValueError(f"the instrument {self._name} has no {method}")
        if method in CONFIGURE:
            self._record("configure", self._name, values=arguments[0] if arguments else {})
            done(None)
            return
        answers: list[Any] = []

        def body() -> None:
            answers.append(getattr(self._driver, method)(*arguments))

        def ended(error: BaseException | None) -> None:
            if error is None:
                done(answers[0])
            else:
                failed(error)

        self._fiber = Fiber(self._kernel, body, home=Path(__file__).parent, on_end=ended)
        self._fiber.wake()

    def close(self) -> None:
        """The program is gone: a call that is under way never ends."""
        if self._fiber is not None:
            self._fiber.abandon()

    # how the driver waits ------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self._kernel.now_ns

    def wait_until(self, at_ns: int, told: Callable[[], bool] = lambda: False) -> None:
        """Let others run until then, or until ``told``."""
        assert self._fiber is not None
        while not told() and (left_ns := at_ns - self._kernel.now_ns) > 0:
            self._fiber.wait(left_ns)

    def tell(self) -> None:
        """An answer has come."""
        if self._fiber is not None:
            self._fiber.wake()


def _driver(name: str | None, transport: LineTransport, calls: InstrumentCalls) -> BaseDriver:
    kind = BaseDriver if name is None else DRIVERS[name]
    if kind is ThermalChamberDriver:
        return ThermalChamberDriver(
            transport,
            check_errors=True,
            sleep=lambda seconds: calls.wait_until(calls.now_ns + ns(seconds)),
            monotonic=lambda: calls.now_ns / NS_PER_S,
        )
    return kind(transport, check_errors=kind is not BaseDriver)
