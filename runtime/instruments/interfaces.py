"""What a test program may ask of an instrument, whoever made it.

Contract of all methods: ConnectionError when not connected, OSError when the instrument refuses, TimeoutError when
it does not answer, ValueError for a channel, range or rate that cannot be, NotImplementedError for what it lacks.
Units: degrees Celsius, volts, amperes, ohms, seconds, tesla. Channels count from 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

Range = float | str
"""A range in the unit of the quantity, or "AUTO"."""


class IThermalChamber(ABC):
    """A chamber around the devices."""

    @abstractmethod
    def set_temperature(self, setpoint: float) -> None:
        """Send the chamber to a temperature."""

    @abstractmethod
    def get_temperature(self) -> float:
        """Temperature of the air."""

    @abstractmethod
    def get_setpoint(self) -> float:
        """Where it goes."""

    @abstractmethod
    def is_stable(self) -> bool:
        """Whether the air is at the set-point, within the chamber's window and dwell time."""

    @abstractmethod
    def wait_until_stable(self, timeout: float = 300.0, poll_interval: float = 1.0) -> bool:
        """Wait for :meth:`is_stable`; False after ``timeout`` seconds. ValueError for impossible times."""

    @abstractmethod
    def set_ramp_rate(self, rate: float) -> None:
        """Limit of the air's rate in K/min, above 0."""


class IPowerSupply(ABC):
    """A supply with channels."""

    @abstractmethod
    def set_voltage(self, channel: int, voltage: float) -> None:
        """Set-point of the voltage."""

    @abstractmethod
    def get_voltage(self, channel: int) -> float:
        """Set-point of the voltage."""

    @abstractmethod
    def set_current_limit(self, channel: int, current: float) -> None:
        """Current from which on it is a current source."""

    @abstractmethod
    def get_current_limit(self, channel: int) -> float:
        """Current limit."""

    @abstractmethod
    def measure_voltage(self, channel: int) -> float:
        """Voltage at its terminals."""

    @abstractmethod
    def measure_current(self, channel: int) -> float:
        """Current it gives."""

    @abstractmethod
    def enable_output(self, channel: int, enable: bool) -> None:
        """Switch the output."""

    @abstractmethod
    def is_output_enabled(self, channel: int) -> bool:
        """Whether the output is on."""


class IMultimeter(ABC):
    """A multimeter."""

    @abstractmethod
    def measure_dc_voltage(self, range: Range = "AUTO") -> float:
        """DC voltage."""

    @abstractmethod
    def measure_dc_current(self, range: Range = "AUTO") -> float:
        """DC current."""

    @abstractmethod
    def measure_resistance(self, range: Range = "AUTO") -> float:
        """Two-wire resistance; 9.9e37 when open."""

    @abstractmethod
    def set_integration_time(self, nplc: float) -> None:
        """Integration time in power line cycles."""


class IElectronicLoad(ABC):
    """A load in constant current."""

    @abstractmethod
    def set_current(self, channel: int, current: float) -> None:
        """Current to take."""

    @abstractmethod
    def get_current(self, channel: int) -> float:
        """Set-point of the current."""

    @abstractmethod
    def enable_input(self, channel: int, enable: bool) -> None:
        """Switch the input."""

    @abstractmethod
    def is_input_enabled(self, channel: int) -> bool:
        """Whether the input is on."""

    @abstractmethod
    def measure_voltage(self, channel: int) -> float:
        """Voltage at its terminals."""

    @abstractmethod
    def measure_current(self, channel: int) -> float:
        """Current it takes."""


class ISourceMeasure(ABC):
    """A source-measure unit; currents count as given."""

    @abstractmethod
    def source_voltage(self, channel: int, voltage: float, current_limit: float) -> None:
        """Become a voltage source with a limited current."""

    @abstractmethod
    def source_current(self, channel: int, current: float, voltage_limit: float) -> None:
        """Become a current source with a limited voltage."""

    @abstractmethod
    def enable_output(self, channel: int, enable: bool) -> None:
        """Switch the output."""

    @abstractmethod
    def measure_voltage(self, channel: int) -> float:
        """Voltage at its terminals."""

    @abstractmethod
    def measure_current(self, channel: int) -> float:
        """Current it gives."""

    @abstractmethod
    def is_limited(self, channel: int) -> bool:
        """Whether the limit holds instead of the set level."""


class IDigitizer(ABC):
    """A digitizer."""

    @abstractmethod
    def acquire(self, points: int, rate_hz: float, channel: int = 1, timeout: float = 10.0) -> list[float]:
        """Sample ``points`` voltages; returns when they are there."""


class ISwitchMatrix(ABC):
    """A matrix of relays."""

    @abstractmethod
    def close(self, crosspoints: Sequence[tuple[int, int]]) -> None:
        """Close relays (row, column)."""

    @abstractmethod
    def open(self, crosspoints: Sequence[tuple[int, int]]) -> None:
        """Open relays (row, column)."""

    @abstractmethod
    def open_all(self) -> None:
        """Open every relay."""

    @abstractmethod
    def closed(self) -> list[tuple[int, int]]:
        """The closed relays."""


class IMagnet(ABC):
    """A magnet."""

    @abstractmethod
    def set_field(self, tesla: float) -> None:
        """Flux density to go to."""

    @abstractmethod
    def get_field(self) -> float:
        """Flux density now."""

    @abstractmethod
    def enable_output(self, enable: bool) -> None:
        """Switch the current; off goes back to no field."""

    @abstractmethod
    def is_stable(self) -> bool:
        """Whether the field has arrived."""
