"""Drivers of the instruments that a characterisation bench has: chamber, supply, multimeter, electronic load.

The command words are those of docs/instruments.md; numbers are sent with fixed decimals.
"""

import math
import time
from collections.abc import Callable

from drycell.runtime.instruments.interfaces import IElectronicLoad, IMultimeter, IPowerSupply, IThermalChamber, Range
from drycell.runtime.instruments.scpi_driver import BaseDriver
from drycell.runtime.instruments.transports import Transport

VOLT_RANGES = (0.1, 1.0, 10.0, 100.0, 1000.0)
CURRENT_RANGES = (0.001, 0.01, 0.1, 1.0, 3.0, 10.0)
OHM_RANGES = (100.0, 1e3, 1e4, 1e5, 1e6, 1e7)
NPLC_LOW, NPLC_HIGH = 0.001, 1000.0


class ThermalChamberDriver(BaseDriver, IThermalChamber):
    """``sleep`` and ``monotonic`` are the clock it waits on; a simulator or a test may give its own."""

    def __init__(
        self,
        transport: Transport,
        check_errors: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport, check_errors)
        self._sleep, self._monotonic = sleep, monotonic

    def set_temperature(self, setpoint: float) -> None:
        self.write(f"TEMP:SETPOINT {finite('set-point', setpoint):.2f}")

    def get_temperature(self) -> float:
        return self.query_float("TEMP:ACTUAL?")

    def get_setpoint(self) -> float:
        return self.query_float("TEMP:SETPOINT?")

    def is_stable(self) -> bool:
        return self.query_bool("TEMP:STAB?")

    def wait_until_stable(self, timeout: float = 300.0, poll_interval: float = 1.0) -> bool:
        if not timeout >= 0.0:
            raise ValueError(f"a timeout of {timeout:g} s is impossible; use 0 or more")
        if not poll_interval > 0.0:
            raise ValueError(f"a poll interval of {poll_interval:g} s is impossible; use more than 0")
        end_s = self._monotonic() + timeout
        while not self.is_stable():
            left_s = end_s - self._monotonic()
            if left_s <= 0.0:
                return False
            self._sleep(min(poll_interval, left_s))
        return True

    def set_ramp_rate(self, rate: float) -> None:
        if not finite("ramp rate", rate) > 0.0:
            raise ValueError(f"a ramp rate of {rate:g} K/min is impossible; use more than 0")
        self.write(f"TEMP:RAMP {rate:.2f}")

    def get_ramp_rate(self) -> float:
        """Limit of the air's rate in K/min."""
        return self.query_float("TEMP:RAMP?")


class PowerSupplyDriver(BaseDriver, IPowerSupply):
    """Channel 1 is addressed without channel list, as supplies with one output want it."""

    def set_voltage(self, channel: int, voltage: float) -> None:
        if not finite("voltage", voltage) >= 0.0:
            raise ValueError(f"a supply cannot give {voltage:g} V; use 0 or more")
        self.write(f"VOLT {voltage:.3f}{listed(channel)}")

    def get_voltage(self, channel: int) -> float:
        return self.query_float(f"VOLT?{asked(channel)}")

    def set_current_limit(self, channel: int, current: float) -> None:
        if not finite("current limit", current) >= 0.0:
            raise ValueError(f"a limit of {current:g} A is impossible; use 0 or more")
        self.write(f"CURR {current:.3f}{listed(channel)}")

    def get_current_limit(self, channel: int) -> float:
        return self.query_float(f"CURR?{asked(channel)}")

    def measure_voltage(self, channel: int) -> float:
        return self.query_float(f"MEAS:VOLT?{asked(channel)}")

    def measure_current(self, channel: int) -> float:
        return self.query_float(f"MEAS:CURR?{asked(channel)}")

    def enable_output(self, channel: int, enable: bool) -> None:
        self.write(f"OUTP {'ON' if enable else 'OFF'}{listed(channel)}")

    def is_output_enabled(self, channel: int) -> bool:
        return self.query_bool(f"OUTP?{asked(channel)}")


class MultimeterDriver(BaseDriver, IMultimeter):
    """``range`` is AUTO or a number that one of the meter's ranges holds."""

    def measure_dc_voltage(self, range: Range = "AUTO") -> float:
        return self.query_float(f"MEAS:VOLT:DC?{ranged(range, VOLT_RANGES, 'V')}")

    def measure_dc_current(self, range: Range = "AUTO") -> float:
        return self.query_float(f"MEAS:CURR:DC?{ranged(range, CURRENT_RANGES, 'A')}")

    def measure_resistance(self, range: Range = "AUTO") -> float:
        return self.query_float(f"MEAS:RES?{ranged(range, OHM_RANGES, 'ohm')}")

    def set_integration_time(self, nplc: float) -> None:
        if not NPLC_LOW <= finite("integration time", nplc) <= NPLC_HIGH:
            raise ValueError(f"an integration time of {nplc:g} cycles is impossible; use {NPLC_LOW} to {NPLC_HIGH:g}")
        self.write(f"VOLT:DC:NPLC {nplc:g}")

    def configure_dc_voltage(self) -> None:
        """Select DC voltage for :meth:`read`."""
        self.write("CONF:VOLT:DC")

    def configure_dc_current(self) -> None:
        """Select DC current for :meth:`read`."""
        self.write("CONF:CURR:DC")

    def get_configuration(self) -> str:
        """The selected function, such as VOLT:DC."""
        return self.query("CONF?").strip('"')

    def read(self) -> float:
        """A reading of the selected function."""
        return self.query_float("READ?")


class ElectronicLoadDriver(BaseDriver, IElectronicLoad):
    """A load in constant current."""

    def set_current(self, channel: int, current: float) -> None:
        if not finite("current", current) >= 0.0:
            raise ValueError(f"a load cannot take {current:g} A; use 0 or more")
        self.write(f"CURR {current:.3f}{listed(channel)}")

    def get_current(self, channel: int) -> float:
        return self.query_float(f"CURR?{asked(channel)}")

    def enable_input(self, channel: int, enable: bool) -> None:
        self.write(f"INP {'ON' if enable else 'OFF'}{listed(channel)}")

    def is_input_enabled(self, channel: int) -> bool:
        return self.query_bool(f"INP?{asked(channel)}")

    def measure_voltage(self, channel: int) -> float:
        return self.query_float(f"MEAS:VOLT?{asked(channel)}")

    def measure_current(self, channel: int) -> float:
        return self.query_float(f"MEAS:CURR?{asked(channel)}")


def finite(what: str, value: float) -> float:
    """``value``. ValueError if it is no finite number."""
    if not math.isfinite(value):
        raise ValueError(f"the {what} is {value}; it must be a finite number")
    return value


def listed(channel: int) -> str:
    """How a command names its channel. ValueError for one below 1."""
    return "" if _checked(channel) == 1 else f",(@{channel})"


def asked(channel: int) -> str:
    """How a query names its channel. ValueError for one below 1."""
    return "" if _checked(channel) == 1 else f" (@{channel})"


def ranged(value: Range, known: tuple[float, ...], unit: str) -> str:
    """How a query names its range. ValueError for one that no range holds."""
    if isinstance(value, str) and value.upper() == "AUTO":
        return ""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 < number <= known[-1]:
        raise ValueError(f"a range of {value} {unit} is impossible; use AUTO or up to {known[-1]:g}")
    return f" {number:g}"


def _checked(channel: int) -> int:
    if isinstance(channel, bool) or not isinstance(channel, int) or channel < 1:
        raise ValueError(f"there is no channel {channel!r}; channels count from 1")
    return channel
