"""Types of parameters: each reads the raw text of one parameter or raises the Failure that the standard names.

Sources: IEEE 488.2 section 7.7 (data elements), SCPI-99 volume 1, chapter 7 (suffixes, MINimum/MAXimum/DEFault,
channel lists in chapter 8.3.2).
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from drycell.plugins_sim.instruments.scpi.errors import Failure

DIGITS_LIMIT = 255
EXPONENT_LIMIT = 32000
CHANNELS_LIMIT = 256

_MULTIPLIERS = MappingProxyType(
    {"EX": 1e18, "PE": 1e15, "T": 1e12, "G": 1e9, "MA": 1e6, "K": 1e3, "": 1.0, "M": 1e-3, "U": 1e-6, "N": 1e-9,
     "P": 1e-12, "F": 1e-15, "A": 1e-18}
)  # fmt: skip
# unit: {suffix: (factor, offset)}; multipliers are added to those of _SCALED.
_SCALED = ("V", "A", "OHM", "W", "S", "HZ", "T")
_FIXED = MappingProxyType(
    {
        "CEL": {"CEL": (1.0, 0.0), "C": (1.0, 0.0), "K": (1.0, -273.15), "FAR": (5.0 / 9.0, -160.0 / 9.0)},
        "S": {"MIN": (60.0, 0.0), "HR": (3600.0, 0.0)},
        "OHM": {"MOHM": (1e6, 0.0)},  # IEEE 488.2 table 7-2: M means mega before OHM and HZ
        "HZ": {"MHZ": (1e6, 0.0)},
        "PCT": {"PCT": (1.0, 0.0)},
    }
)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[eE]\s*([+-]?\d+))?\s*([A-Za-z/]*)", re.ASCII)
_BASED = re.compile(r"#(?:[hH]([0-9a-fA-F]+)|[qQ]([0-7]+)|[bB]([01]+))", re.ASCII)
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)


@lru_cache(4096)
def short_form(word: str) -> str:
    """The capitals and digits of a mnemonic: VOLTage -> VOLT."""
    return "".join(c for c in word if not c.islower())


def suffixes(unit: str) -> dict[str, tuple[float, float]]:
    """Every suffix a quantity may have: factor and offset to the base unit."""
    known = {f"{m}{unit}": (factor, 0.0) for m, factor in _MULTIPLIERS.items()} if unit in _SCALED else {}
    return {**known, **_FIXED.get(unit, {})}


class Parameter(Protocol):
    """One parameter of a command."""

    @property
    def optional(self) -> bool:
        """Whether it may be left out; it is then None."""

    def read(self, text: str, limits: bool) -> Any:
        """Its value. ``limits`` False leaves ranges unchecked."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number with unit, range and the words MINimum, MAXimum, DEFault.

    ``positive``: ``low`` holds in every profile.
    """

    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    default: float = 0.0
    positive: bool = False
    optional: bool = False
    whole: bool = False

    def read(self, text: str, limits: bool = True) -> float:
        """The number in the base unit."""
        word = _WORD.fullmatch(text)
        if word:
            return self.named(text)
        value = self._value(text)
        if self.whole:
            value = float(math.floor(value + 0.5)) if math.isfinite(value) else value
        self._check(value, text, limits)
        return value

    def named(self, text: str) -> float:
        """The number that MIN, MAX or DEF stands for."""
        words = {"MIN": self.low, "MINIMUM": self.low, "MAX": self.high, "MAXIMUM": self.high, "DEF": self.default,
                 "DEFAULT": self.default}  # fmt: skip
        value = words.get(text.upper())
        if value is None or not math.isfinite(value):
            raise Failure(-141 if value is None else -224, text[:30], f"invalid value '{text[:30]}'")
        return value

    def _value(self, text: str) -> float:
        based = _BASED.fullmatch(text)
        if based:
            return float(int(based[1], 16) if based[1] else int(based[2], 8) if based[2] else int(based[3], 2))
        found = _NUMBER.fullmatch(text)
        if found is None:
            raise _no_number(text)
        mantissa, exponent, suffix = found.groups()
        if len(mantissa) > DIGITS_LIMIT:
            raise Failure(-124, plain="invalid value: too many digits")
        if exponent and abs(int(exponent[:7])) > EXPONENT_LIMIT:
            raise Failure(-123, text[:30], f"invalid value '{text[:30]}'")
        value = float(f"{mantissa}e{exponent or 0}")
        if not suffix:
            return value
        known = suffixes(self.unit)
        if not known:
            raise Failure(-138, suffix[:12], f"invalid value '{text[:30]}'")
        if suffix.upper() not in known:
            raise Failure(-131, suffix[:12], f"invalid value '{text[:30]}'")
        factor, offset = known[suffix.upper()]
        return value * factor + offset

    def _check(self, value: float, text: str, limits: bool) -> None:
        if value < self.low and (limits or self.positive or self.low == 0.0):
            plain = "value must be positive" if self.positive else "value cannot be negative"
            raise Failure(-222, f"{text[:30]} is below {self.low:g}", plain)
        if (value > self.high and limits) or not math.isfinite(value):
            raise Failure(-222, f"{text[:30]} is above {self.high:g}", f"invalid value '{text[:30]}'")


@dataclass(frozen=True, slots=True)
class Boolean:
    """ON, OFF or a number, where everything that rounds to 0 is off."""

    optional: bool = False

    def read(self, text: str, limits: bool = True) -> bool:
        """Whether it is on."""
        named = {"ON": True, "OFF": False}.get(text.upper())
        if named is not None:
            return named
        if _WORD.fullmatch(text):
            raise Failure(-141, text[:30], f"invalid value '{text[:30]}'; use ON, OFF, 1 or 0")
        value = Number().read(text)
        if not limits and value not in (0.0, 1.0):
            raise Failure(-224, text[:30], f"invalid value '{text[:30]}'; use ON, OFF, 1 or 0")
        return abs(value) >= 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words in short or long form; the value is the short form."""

    words: tuple[str, ...]
    optional: bool = False

    def read(self, text: str, limits: bool = True) -> str:
        """The short form of the word."""
        for word in self.words:
            if text.upper() in (short_form(word), word.upper()):
                return short_form(word)
        if _WORD.fullmatch(text):
            raise Failure(-141, f"{text[:30]}; use {', '.join(self.words)}"[:120], f"invalid value '{text[:30]}'")
        if text[0] in "\"'":
            raise Failure(-158, text[:30], f"invalid value '{text[:30]}'")
        raise Failure(-128, text[:30], f"invalid value '{text[:30]}'")


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    optional: bool = False

    def read(self, text: str, limits: bool = True) -> str:
        """The characters between the quotes; a doubled quote stands for one."""
        mark = text[0]
        if mark not in "\"'":
            raise Failure(-104, f"{text[:30]} is no string", f"invalid value '{text[:30]}'")
        inside = text[1:-1]
        if len(text) < 2 or text[-1] != mark or mark in inside.replace(mark * 2, ""):
            raise Failure(-151, text[:30], f"invalid value '{text[:30]}'")
        return inside.replace(mark * 2, mark)


@dataclass(frozen=True, slots=True)
class Channels:
    """A channel list, ``(@1,3:5,1!2)``. The value is a tuple of numbers; ``row!column`` is ``100 row + column``."""

    high: int
    low: int = 1
    optional: bool = False
    columns: int = 0  # greater than 0: numbers are 100 row + column

    def read(self, text: str, limits: bool = True) -> tuple[int, ...]:
        """The channels in the order given."""
        if not (text.startswith("(") and text.endswith(")") and text[1:].lstrip().startswith("@")):
            raise Failure(-171, f"{text[:30]} is no channel list", f"invalid value '{text[:30]}'")
        channels: list[int] = []
        for part in text[1:-1].lstrip()[1:].split(","):
            ends = [self._one(end) for end in part.split(":")]
            if len(ends) > 2:
                raise Failure(-171, part[:30])
            channels += self._range(ends[0], ends[-1])
            if len(channels) > CHANNELS_LIMIT:
                raise Failure(-171, f"more than {CHANNELS_LIMIT} channels")
        return tuple(channels)

    def _one(self, text: str) -> int:
        found = re.fullmatch(r"\s*(\d{1,4})\s*(?:!\s*(\d{1,2})\s*)?", text, re.ASCII)
        if found is None:
            raise Failure(-171, text[:30])
        channel = int(found[1]) * 100 + int(found[2]) if found[2] else int(found[1])
        if not self._known(channel):
            raise Failure(-222, f"there is no channel {text.strip()[:30]}")
        return channel

    def _range(self, first: int, last: int) -> list[int]:
        step = 1 if last >= first else -1
        return [channel for channel in range(first, last + step, step) if self._known(channel)]

    def _known(self, channel: int) -> bool:
        if not self.columns:
            return self.low <= channel <= self.high
        return 1 <= channel // 100 <= self.high and 1 <= channel % 100 <= self.columns


def _no_number(text: str) -> Failure:
    plain = f"invalid value '{text[:30]}'"
    if text[0] in "\"'":
        return Failure(-158, text[:30], plain)
    if text[0] == "(":
        return Failure(-178, text[:30], plain)
    if text[0] == "#":
        return Failure(-168, text[:30], plain)
    return Failure(-121, text[:30], plain)
