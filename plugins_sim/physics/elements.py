"""What instruments and boards put into a circuit: supply, load, source-measure unit, resistors, switches.

Rules that hold here:
- Fields may be changed between two solutions only (see World.change).
- A source that settles is a function of time: it moves to its target exponentially from the instant of the change.
- An ideal source has 1 microohm behind its sense terminals, so that two of them in parallel have an answer: the one
  that reaches its limit gives way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from drycell.plugins_sim.physics.circuit import AMPERE_TOLERANCE, GROUND, VOLT_TOLERANCE, Row

SENSE_OHM = 1e-6
LEAK_REFERENCE_C, DOUBLES_EVERY_K = 25.0, 10.0
_SETTLED = 23.0  # time constants after which a step of 1e3 V is settled to 1e-7 V


@dataclass(slots=True)
class Level:
    """A value that moves to its target with time constant ``settle_s`` (0: at once)."""

    target: float = 0.0
    settle_s: float = 0.0
    _start: float = 0.0
    _since_s: float = 0.0

    def at(self, at_s: float) -> float:
        """The value ``at_s`` seconds into the run."""
        if self.settle_s <= 0.0 or at_s >= self.quiet_at_s:
            return self.target
        return self.target + (self._start - self.target) * math.exp(-(at_s - self._since_s) / self.settle_s)

    def go(self, target: float, at_s: float, start: float | None = None) -> None:
        """Move to ``target`` from now on, from ``start`` or from where it is."""
        self._start = self.at(at_s) if start is None else start
        self.target, self._since_s = target, at_s

    @property
    def quiet_at_s(self) -> float:
        """From when on the value no longer moves; -inf when it never did."""
        if self.settle_s <= 0.0 or self._start == self.target:
            return -math.inf
        return self._since_s + _SETTLED * self.settle_s


@dataclass(slots=True)
class Slew:
    """A value that moves to its target at a constant rate per second (inf: at once)."""

    target: float = 0.0
    rate: float = math.inf
    _start: float = 0.0
    _since_s: float = 0.0

    def at(self, at_s: float) -> float:
        """The value ``at_s`` seconds into the run."""
        if at_s >= self.quiet_at_s:
            return self.target
        return self._start + math.copysign(self.rate * (at_s - self._since_s), self.target - self._start)

    def go(self, target: float, rate: float, at_s: float) -> None:
        """Move to ``target`` from where it is."""
        self._start = self.at(at_s)
        self.target, self.rate, self._since_s = target, rate, at_s

    @property
    def quiet_at_s(self) -> float:
        """When it arrives."""
        return self._since_s + abs(self.target - self._start) / self.rate


@dataclass(slots=True, eq=False)
class Supply:
    """A one-quadrant supply: constant voltage up to its current limit, then constant current. Modes cv, cc, rev."""

    plus: str
    minus: str = GROUND
    on: bool = False
    level: Level = field(default_factory=Level)
    limit_amperes: float = 1.0
    modes: tuple[str, ...] = ("cv", "cc", "rev")

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        if not self.on or mode == "rev":
            return (((0.0,), (1.0,), 0.0),)
        if mode == "cc":
            return (((0.0,), (1.0,), -self.limit_amperes),)
        return (((1.0,), (-SENSE_OHM,), self.level.at(at_s)),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        if not self.on:
            return mode
        given = -amperes[0]
        if mode == "cv":
            if given > self.limit_amperes + AMPERE_TOLERANCE:
                return "cc"
            return "rev" if given < -AMPERE_TOLERANCE else "cv"
        over = volts[0] - self.level.at(at_s)
        if mode == "cc":
            return "cv" if over > VOLT_TOLERANCE else "cc"
        return "cv" if over < -VOLT_TOLERANCE else "rev"


@dataclass(slots=True, eq=False)
class Load:
    """An electronic load. ``kind``: cc, cr or cv; ``value`` in ampere, ohm or volt. It never gives current.

    Below ``value * least_ohm`` volts a constant current is out of reach and the load is its least resistance.
    """

    plus: str
    minus: str = GROUND
    on: bool = False
    kind: str = "cc"
    value: float = 0.0
    least_ohm: float = 0.01
    limit_amperes: float = 40.0
    modes: tuple[str, ...] = ("set", "low", "idle")

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        if not self.on or mode == "idle":
            return (((0.0,), (1.0,), 0.0),)
        if self.kind == "cr":
            return (((1.0,), (-max(self.value, self.least_ohm),), 0.0),)
        if self.kind == "cv":
            if mode == "low":
                return (((0.0,), (1.0,), self.limit_amperes),)
            return (((1.0,), (-self.least_ohm,), self.value),)
        if mode == "low":
            return (((1.0,), (-self.least_ohm,), 0.0),)
        return (((0.0,), (1.0,), self.value),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        if not self.on:
            return mode
        v, i = volts[0], amperes[0]
        if mode == "idle":
            woken = "set" if self.kind == "cv" else "low"
            return woken if v > (self.value if self.kind == "cv" else 0.0) + VOLT_TOLERANCE else "idle"
        if i < -AMPERE_TOLERANCE or (v < -VOLT_TOLERANCE and self.kind != "cv"):
            return "idle"
        if self.kind == "cr":
            return "set"
        if self.kind == "cv":
            if mode == "set":
                return "low" if i > self.limit_amperes + AMPERE_TOLERANCE else "set"
            return "set" if v < self.value + self.limit_amperes * self.least_ohm - VOLT_TOLERANCE else "low"
        if mode == "set":
            return "low" if v < self.value * self.least_ohm - VOLT_TOLERANCE else "set"
        return "set" if i > self.value + AMPERE_TOLERANCE else "low"


@dataclass(slots=True, eq=False)
class SourceMeasure:
    """A four-quadrant source. ``kind``: volt or curr; the other quantity is limited to plus and minus ``limit``."""

    plus: str
    minus: str = GROUND
    on: bool = False
    kind: str = "volt"
    level: Level = field(default_factory=Level)
    limit: float = 0.1
    modes: tuple[str, ...] = ("set", "high", "low")

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        if not self.on:
            return (((0.0,), (1.0,), 0.0),)
        if mode == "set":
            value = self.level.at(at_s)
            return (((1.0,), (-SENSE_OHM,), value),) if self.kind == "volt" else (((0.0,), (1.0,), -value),)
        limit = self.limit if mode == "high" else -self.limit
        return (((0.0,), (1.0,), -limit),) if self.kind == "volt" else (((1.0,), (-SENSE_OHM,), limit),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        """``high``/``low``: the limited quantity (given current, or voltage) sits at +limit/-limit."""
        if not self.on:
            return mode
        value = self.level.at(at_s)
        volt = self.kind == "volt"
        limited, other = (-amperes[0], volts[0]) if volt else (volts[0], -amperes[0])
        tolerance, other_tolerance = (
            (AMPERE_TOLERANCE, VOLT_TOLERANCE) if volt else (VOLT_TOLERANCE, AMPERE_TOLERANCE)
        )
        if mode == "set":
            if limited > self.limit + tolerance:
                return "high"
            return "low" if limited < -self.limit - tolerance else "set"
        if mode == "high":
            return "set" if other > value + other_tolerance else "high"
        return "set" if other < value - other_tolerance else "low"


@dataclass(slots=True, eq=False)
class Resistor:
    """A resistor, a contact, an ammeter, a closed switch; ``ohm`` None is open."""

    plus: str
    minus: str = GROUND
    ohm: float | None = SENSE_OHM
    modes: tuple[str, ...] = ("ohm",)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        return (((0.0,), (1.0,), 0.0),) if self.ohm is None else (((1.0,), (-self.ohm,), 0.0),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        return mode


@dataclass(slots=True, eq=False)
class Leak:
    """A junction that leaks: current in proportion to the voltage, twice as much every ``DOUBLES_EVERY_K``."""

    plus: str
    minus: str
    siemens_at_25c: float
    modes: tuple[str, ...] = ("leak",)

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        return ((self.plus, self.minus),)

    def rows(self, mode: str, temperature_c: float, at_s: float) -> Sequence[Row]:
        siemens = self.siemens_at_25c * 2.0 ** ((temperature_c - LEAK_REFERENCE_C) / DOUBLES_EVERY_K)
        return (((-siemens,), (1.0,), 0.0),)

    def check(
        self, mode: str, volts: Sequence[float], amperes: Sequence[float], temperature_c: float, at_s: float
    ) -> str:
        return mode
