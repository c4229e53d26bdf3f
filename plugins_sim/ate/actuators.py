"""Actuators: what changes the surroundings of a device, for whoever controls them (master or test cell controller).

The methods are the io-control requests of the Semi-ATE proxies, with their parameters: temperatures in degC, fields
in millitesla.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from drycell.plugins_sim.instruments.bench import Bench
from drycell.runtime.plugins.interfaces import Configurable


class _OnBench(Configurable):
    def __init__(self, bench: Callable[[], Bench]) -> None:
        self._bench = bench

    def _order(self, instrument: str, message: str) -> str:
        bench = self._bench()
        answer = bench.ask(instrument, message)
        error = bench.ask(instrument, "SYST:ERR?")
        if not error.startswith(("0", "+0")):
            raise ValueError(f"the {instrument} refused {message!r}: {error}")
        return answer


class Temperature(_OnBench):
    """The chamber. Option ``ramp_k_per_min``: limit of its rate, empty: the chamber's own."""

    OPTIONS: ClassVar[Mapping[str, str]] = {"ramp_k_per_min": ""}

    def set_temperature(self, temperature: Sequence[float], timeout: float = 5) -> dict[str, str]:
        """Send the chamber to the first temperature; it answers when it has understood, not when it has arrived."""
        if len(temperature) != 1:
            raise ValueError(f"one chamber takes one temperature, not {len(temperature)}")
        if self.option("ramp_k_per_min"):
            self._order("chamber", f"TEMP:RAMP {float(self.option('ramp_k_per_min')):.2f}")
        self._order("chamber", f"TEMP:SETPOINT {float(temperature[0]):.2f}")
        return {"status": "ok"}

    def get_temperature(self) -> float:
        """Temperature of the air."""
        return float(self._order("chamber", "TEMP:ACTUAL?"))

    def check(self, values: Mapping[str, str]) -> None:
        if values["ramp_k_per_min"]:
            float(values["ramp_k_per_min"])


class MagneticField(_OnBench):
    """The magnet."""

    def set_field(self, millitesla: float) -> dict[str, str]:
        """Switch the magnet on and send it to a flux density."""
        self._order("magnet", f"FIEL {float(millitesla) / 1000.0:.6f}")
        self._order("magnet", "OUTP ON")
        return {"status": "ok"}

    def disable(self) -> dict[str, str]:
        """Let the field go back to zero."""
        self._order("magnet", "OUTP OFF")
        return {"status": "ok"}

    def read_config(self) -> dict[str, float]:
        """The flux density now."""
        return {"millitesla": float(self._order("magnet", "FIEL:ACT?")) * 1000.0}
