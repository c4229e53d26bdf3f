"""Devices under test as circuits: regulator, contact with diode, battery cell, analog-digital converter, Hall sensor.

Rules that hold here:
- A model says what stands between its pins (elements of a circuit), what slow states it has, and what its digital
  output reads. It knows neither instruments nor time.
- ``power`` is what flows into all its pins together less what it stores: that is what heats it.
Units: volts, amperes, degrees Celsius, tesla; currents flow into a pin.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

from drycell.plugins_sim.physics.circuit import (
    GROUND,
    VOLT_TOLERANCE,
    Element,
    Row,
    Solution,
)
from drycell.plugins_sim.physics.elements import Resistor
from drycell.plugins_sim.physics.ldo import KELVIN, REFERENCE_C, Ldo, LdoParameters
from drycell.plugins_sim.physics.thermal import PhysicsError


@runtime_checkable
class DeviceModel(Protocol):
    """One kind of device with the parameters of one specimen."""

    @property
    def pins(self) -> tuple[str, ...]:
        """Names of the nodes it is connected by."""

    @property
    def elements(self) -> tuple[Element, ...]:
        """What stands between the pins."""

    def first_states(self) -> tuple[float, ...]:
        """Slow states (state of charge, ...) of a fresh device."""

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        """Set the slow states and the magnetic field for the next solution."""

    def rates(self, solution: Solution) -> tuple[float, ...]:
        """Change of the slow states per second."""

    def power(self, solution: Solution) -> float:
        """Watts that heat it."""

    def code(self, solution: Solution) -> int | None:
        """What its digital output reads, None if it has none."""


@dataclass(slots=True, eq=False)
class Diode:
    """A junction from plus to minus: ``Is(T) (exp(v / n Vt) - 1)``. Its mode is the voltage it is linearised at."""

    plus: str
    minus: str = GROUND
    saturation_amperes: float = 1e-14
    ideality: float = 1.0
    modes: tuple[float, ...] = (0.0,)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def _scales(self, temperature_c: float) -> tuple[float, float]:
        thermal_volts = self.ideality * 8.617333262e-5 * (temperature_c + KELVIN)
        return self.saturation_amperes * 2.0 ** ((temperature_c - REFERENCE_C) / 10.0), thermal_volts

    def rows(self, mode: float, temperature_c: float, at_s: float) -> Sequence[Row]:
        saturation, scale = self._scales(temperature_c)
        grown = saturation * math.exp(min(mode / scale, 200.0))
        slope, current = grown / scale, grown - saturation
        return (((-slope,), (1.0,), current - slope * mode),)

    def check(
        self, mode: float, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> float:
        """Newton's method with the step limit of junctions (Nagel, SPICE2, section 4.3)."""
        saturation, scale = self._scales(temperature_c)
        v = volts[0]
        if abs(v - mode) < 1e-9:
            return mode
        critical = scale * math.log(scale / (math.sqrt(2.0) * saturation))
        if v > critical and abs(v - mode) > 2.0 * scale:
            if mode > 0.0:
                step = 1.0 + (v - mode) / scale
                return mode + scale * math.log(step) if step > 0.0 else critical
            return scale * math.log(max(v / scale, 1.0))
        return v


@dataclass(slots=True, eq=False)
class Part:
    """A device made of elements only: no slow states, no digital output."""

    pins: tuple[str, ...]
    elements: tuple[Element, ...]

    def first_states(self) -> tuple[float, ...]:
        return ()

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        return

    def rates(self, solution: Solution) -> tuple[float, ...]:
        return ()

    def power(self, solution: Solution) -> float:
        return solution.power_into(self.elements)

    def code(self, solution: Solution) -> int | None:
        return None


def contact(
    contact_ohm: float | None = 0.5, saturation_amperes: float = 1e-14, ideality: float = 1.0, pin: str = "in"
) -> Part:
    """A pin with its contact resistance (None: open) and its protection diode to ground, for continuity tests.

    A current drawn out of the pin makes it a diode below ground.
    """
    inner = f"{pin}.die"
    parts = (Resistor(pin, inner, contact_ohm), Diode(GROUND, inner, saturation_amperes, ideality))
    return Part((pin,), parts)


@dataclass(slots=True, eq=False)
class Battery:
    """A cell between ``pin`` and ground: open-circuit voltage by state of charge, behind a series resistance."""

    capacity_ah: float = 2.5
    series_ohm: float = 0.05
    charge: float = 0.5
    curve: tuple[tuple[float, float], ...] = ((0.0, 3.0), (0.1, 3.45), (0.5, 3.7), (0.9, 4.05), (1.0, 4.2))
    pin: str = "in"
    modes: tuple[str, ...] = ("cell",)
    _now: float = field(default=math.nan)

    @property
    def pins(self) -> tuple[str, ...]:
        return (self.pin,)

    @property
    def elements(self) -> tuple[Element, ...]:
        return (self,)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.pin, GROUND),)

    def open_circuit_volts(self, charge: float) -> float:
        """Linear between the points of the curve, held beyond its ends."""
        points = self.curve
        for (x0, y0), (x1, y1) in pairwise(points):
            if charge <= x1:
                return y0 + (y1 - y0) * max(0.0, charge - x0) / (x1 - x0)
        return points[-1][1]

    def first_states(self) -> tuple[float, ...]:
        return (self.charge,)

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        self._now = states[0]

    def rates(self, solution: Solution) -> tuple[float, ...]:
        rate = solution.current(self) / (3600.0 * self.capacity_ah)
        stuck = (self._now <= 0.0 and rate < 0.0) or (self._now >= 1.0 and rate > 0.0)
        return (0.0 if stuck else rate,)

    def power(self, solution: Solution) -> float:
        return self.series_ohm * solution.current(self) ** 2

    def code(self, solution: Solution) -> int | None:
        return None

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        return (((1.0,), (-self.series_ohm,), self.open_circuit_volts(self._now)),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        return mode


@dataclass(slots=True, eq=False)
class Adc:
    """An analog-digital converter: input ``pin`` against ground, straight code from 0 to 2**bits - 1.

    ``offset_volts`` and ``gain_error`` (1e-3 is 0.1 %) shift the code; ``inl_codes`` bows it at mid-scale.
    """

    bits: int = 12
    reference_volts: float = 3.0
    offset_volts: float = 0.0
    gain_error: float = 0.0
    inl_codes: float = 0.0
    drift_v_per_c: float = 0.0
    input_ohm: float = 1e6
    pin: str = "in"
    pins: tuple[str, ...] = ("in",)
    elements: tuple[Element, ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= self.bits <= 24 and self.reference_volts > 0.0):
            raise PhysicsError("an ADC has 1 to 24 bits and a reference above 0 V.")
        self.pins = (self.pin,)
        self.elements = (Resistor(self.pin, GROUND, self.input_ohm),)

    def first_states(self) -> tuple[float, ...]:
        return ()

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        return

    def rates(self, solution: Solution) -> tuple[float, ...]:
        return ()

    def power(self, solution: Solution) -> float:
        return solution.power_into(self.elements)

    def code(self, solution: Solution) -> int | None:
        volts = solution.voltage(self.pin) + self.offset_volts
        volts += self.drift_v_per_c * (solution.temperature_c - REFERENCE_C)
        share = volts * (1.0 + self.gain_error) / self.reference_volts
        top = (1 << self.bits) - 1
        bow = self.inl_codes * 4.0 * share * (1.0 - share) if 0.0 < share < 1.0 else 0.0
        return min(top, max(0, math.floor(share * (top + 1) + bow)))


@dataclass(slots=True, eq=False)
class Hall:
    """A linear Hall sensor: supply at ``in``, output ``out`` at half supply plus sensitivity times flux density."""

    sensitivity_v_per_t: float = 10.0
    supply_ohm: float = 1000.0
    output_ohm: float = 100.0
    offset_volts: float = 0.0
    pins: tuple[str, ...] = ("in", "out")
    modes: tuple[str, ...] = ("linear", "low", "high")
    _tesla: float = 0.0

    @property
    def elements(self) -> tuple[Element, ...]:
        return (self,)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return (("in", GROUND), ("out", GROUND))

    def first_states(self) -> tuple[float, ...]:
        return ()

    def take(self, states: Sequence[float], field_tesla: float) -> None:
        self._tesla = field_tesla

    def rates(self, solution: Solution) -> tuple[float, ...]:
        return ()

    def power(self, solution: Solution) -> float:
        return solution.power_into((self,))

    def code(self, solution: Solution) -> int | None:
        return None

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        share = {"linear": 0.5, "low": 0.0, "high": 1.0}[mode]
        shift = self._shift if mode == "linear" else 0.0
        return (
            ((-1.0 / self.supply_ohm, 0.0), (1.0, 1.0), 0.0),
            ((-share, 1.0), (0.0, -self.output_ohm), shift),
        )

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        supply = max(0.0, volts[0])
        wanted = 0.5 * volts[0] + self._shift
        if wanted < -VOLT_TOLERANCE:
            return "low"
        return "high" if wanted > supply + VOLT_TOLERANCE else ("linear" if mode == "linear" or wanted > 0 else mode)

    @property
    def _shift(self) -> float:
        return self.offset_volts + self.sensitivity_v_per_t * self._tesla


_MODELS: Mapping[str, Callable[..., DeviceModel]] = {
    "ldo": Ldo,
    "contact": contact,
    "battery": Battery,
    "adc": Adc,
    "hall": Hall,
}
MODEL_NAMES = tuple(_MODELS)


def make_device(model: str, parameters: Mapping[str, float]) -> DeviceModel:
    """A device by the name of its model and numbers for its parameters. Raises PhysicsError for unknown ones."""
    if model not in _MODELS:
        raise PhysicsError(f"there is no device model {model!r}; known are {', '.join(MODEL_NAMES)}.")
    known = parameter_names(model)
    for name, value in parameters.items():
        if name not in known:
            raise PhysicsError(f"device model {model} has no parameter {name!r}; it has {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise PhysicsError(f"parameter {name} of device model {model} is {value!r}; it must be a number.")
    values: dict[str, Any] = dict(parameters)
    device: DeviceModel = Ldo(LdoParameters(**values)) if model == "ldo" else _MODELS[model](**values)
    return device


def parameter_names(model: str) -> tuple[str, ...]:
    """The numbers that a model takes."""
    if model == "ldo":
        return tuple(f.name for f in fields(LdoParameters))
    if model == "contact":
        return ("contact_ohm", "saturation_amperes", "ideality")
    own = {"battery": ("capacity_ah", "series_ohm", "charge"), "hall": (
        "sensitivity_v_per_t", "supply_ohm", "output_ohm", "offset_volts")}  # fmt: skip
    adc = ("bits", "reference_volts", "offset_volts", "gain_error", "inl_codes", "drift_v_per_c", "input_ohm")
    return own.get(model, adc)
