"""How simulated time relates to wall time: jump from event to event, or follow the wall clock by a factor."""

import re
import time
from dataclasses import dataclass

from drycell.sim.errors import DrycellError


@dataclass(frozen=True, slots=True)
class Pace:
    """``factor`` simulated seconds pass per wall second; None jumps without waiting (pace ``virtual``)."""

    factor: float | None

    @property
    def is_virtual(self) -> bool:
        return self.factor is None

    def __str__(self) -> str:
        if self.factor is None:
            return "virtual"
        return "real" if self.factor == 1 else f"x{self.factor:g}"

    @classmethod
    def parse(cls, text: str) -> "Pace":
        """From ``virtual``, ``real`` or ``xF`` (F a positive number); DrycellError otherwise."""
        if text == "virtual":
            return cls(None)
        if text == "real":
            return cls(1.0)
        match = re.fullmatch(r"x(\d+(?:\.\d+)?)", text)
        if match and float(match[1]) > 0:
            return cls(float(match[1]))
        raise DrycellError(f"pace {text!r} is unknown; use virtual, real or a factor such as x10")


VIRTUAL = Pace(None)
REAL = Pace(1.0)


class WallClock:
    """Maps simulated instants to wall time for a paced run. Absolute, so that it never drifts."""

    def __init__(self, factor: float, start_ns: int = 0) -> None:
        self._factor = factor
        self._start_ns = start_ns
        self._wall_start_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """The simulated instant that corresponds to this very moment."""
        return self._start_ns + int((time.monotonic_ns() - self._wall_start_ns) * self._factor)

    def wait_s(self, until_ns: int) -> float:
        """Wall seconds from this moment until ``until_ns``; 0 when it has passed."""
        return max(0.0, (until_ns - self.now_ns()) / self._factor / 1e9)
