"""The ioctl ``Teardown`` for every actuator of the cell (dialect ``specification``)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from drycell.runtime.protocol import specification as spec
from drycell.sim.cell.inquiry import Inquiry
from drycell.sim.cell.port import Port
from drycell.sim.cell.reach import Reach

Json = dict[str, Any]


class Teardowns:
    """Each :meth:`run` asks every one of ``actuators`` once, whatever becomes of the others."""

    def __init__(self, port: Port, reach: Reach, actuators: Sequence[str], *, timeout_s: float) -> None:
        self._port = port
        self._reach = reach
        self._actuators = actuators
        self._timeout_s = timeout_s
        self._count = 0

    def run(self, on_done: Callable[[str], None]) -> None:
        """Ask all of them; ``on_done(failures)`` when all have answered or had their time, "" for no failure."""
        self._count += 1
        missing = set(self._actuators)
        failures: dict[str, str] = {}

        def answered(actuator: str, response: Json | None) -> None:
            missing.discard(actuator)
            reason = "no answer" if response is None else spec.refusal(response)
            if reason:
                failures[actuator] = reason
                self._port.record("problem", text=f"the Teardown of actuator {actuator} failed: {reason}")
            if not missing:
                on_done(_words(failures))

        for actuator in self._actuators:
            request = spec.relayed_request(
                spec.io_request(actuator, spec.TEARDOWN, {}), [f"teardown-{self._count}-{actuator}"]
            )
            Inquiry(
                self._port, self._reach, actuator, request,
                timeout_s=self._timeout_s, on_answer=partial(answered, actuator),
            )  # fmt: skip
        if not self._actuators:
            self._port.later(0, lambda: on_done(""))


def _words(failures: dict[str, str]) -> str:
    return ", ".join(f"{actuator} ({reason})" for actuator, reason in sorted(failures.items()))
