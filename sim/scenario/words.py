"""The small words of a scenario: durations, shares, topic levels, instants, and the types built on them.

Rules
- A word is read once, here; behind it there is a plain number or text with its unit in the field's name.
- Every reader is idempotent: what it returns reads to itself, so that the canonical form can be loaded again.
- Nothing is guessed: a number in quotes is a text, a float is no lot number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.pace import Pace

_UNITS_S = {  # unit: times, divided by; two exact numbers, so that 10us is the float nearest to 0.00001
    "ns": (1, 1e9),
    "us": (1, 1e6),
    "ms": (1, 1e3),
    "s": (1, 1),
    "min": (60, 1),
    "h": (3600, 1),
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_EPOCH = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_MISROUTED = ("Control", "TestApp", "Master", "Handler", "status", "cmd", "log")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
T = TypeVar("T")


class Section(BaseModel):
    """Base of every part of a scenario: frozen, nothing unknown, nothing converted behind the author's back."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, use_attribute_docstrings=True
    )

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """The keys that a file may hold here."""
        return tuple(info.alias or name for name, info in cls.model_fields.items())

    @classmethod
    def inside(cls, key: str | int) -> Any:
        """The type of what stands under ``key``; None when nothing may stand there."""
        return next((info.annotation for name, info in cls.model_fields.items() if key in (name, info.alias)), None)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Mark of a field whose type alone does not say what it stands for: ``site: Annotated[int, Meaning("site")]``.
    Whoever draws or simplifies values knows by it which of them make sense in a cell."""

    what: Literal["site", "part", "lot", "peripheral", "instrument", "device parameter", "duration"]


def seconds(value: object) -> object:
    """A duration in seconds from ``90s``, ``250ms``, ``10us``, ``5min``, ``1h`` or a plain number of seconds."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None or match[2] not in _UNITS_S:
        raise ValueError(f"{value!r} is no duration; write 90s, 1.5s, 250ms, 10us, 5min, 1h or a number of seconds")
    times, divided_by = _UNITS_S[match[2]]
    return float(match[1]) * times / divided_by


def share(value: object) -> object:
    """A fraction from ``8%`` or a plain number."""
    if not isinstance(value, str):
        return value
    match = _PERCENT.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is no share; write a percentage such as 8% or a fraction such as 0.08")
    return float(match[1]) / 100


def pace(value: str) -> str:
    """Checks a pace and returns its one spelling: ``virtual``, ``real`` or ``xF``."""
    try:
        return str(Pace.parse(value))
    except DrycellError as error:
        raise ValueError(str(error)) from None


def topic_level(value: str) -> str:
    """One level of an MQTT topic (MQTT 3.1.1 section 4.7) that real masters route rightly.

    The real master finds the receiver by looking for certain words anywhere in the topic, so an identifier that
    contains one of them would send messages astray.
    """
    if not value.isprintable() or not 1 <= len(value) <= 64 or any(mark in value for mark in "/+#"):
        raise ValueError(f"{value!r} is no single topic level; use 1 to 64 letters, digits and dashes, without / + #")
    for word in _MISROUTED:
        if word in value:
            raise ValueError(f"{value!r} contains {word!r}, by which real masters route messages; use another name")
    return value


def instant(value: object) -> datetime:
    """A UTC instant from ``2026-01-01T00:00:00Z``; STDF and the simulated programs know 1970 to 2105 only."""
    if isinstance(value, str) and _EPOCH.fullmatch(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("an instant is needed; write it as 2026-01-01T00:00:00Z")
    value = value.astimezone(UTC)
    if not 1970 <= value.year < 2106:
        raise ValueError("the instant is outside 1970 to 2105; choose one that fits STDF's 32 bit seconds")
    return value


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError(f"{value!r} is no {what}")
        return value

    return check


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """The values as they are; ValueError when one comes twice."""
    twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is named twice; name it once")
    return values


def _numeric_text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value!r} is read as a number and may lose digits; put it in quotes")
    return value


Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[
    Number,
    BeforeValidator(seconds, json_schema_input_type=float | str),
    Field(ge=0, le=31_536_000),
    Meaning("duration"),
]
LogLevel = Literal[10, 15, 20, 30, 40]
Share = Annotated[Number, BeforeValidator(share, json_schema_input_type=float | str), Field(ge=0, le=1)]
PaceWord = Annotated[str, AfterValidator(pace)]
TopicLevel = Annotated[str, AfterValidator(topic_level)]
PeripheralName = Annotated[TopicLevel, Meaning("peripheral")]
InstrumentName = Annotated[Text, Meaning("instrument")]
DeviceParameter = Annotated[Text, Meaning("device parameter")]
Instant = Annotated[datetime, BeforeValidator(instant, json_schema_input_type=str)]
Site = Annotated[Whole, Field(ge=0, le=255), Meaning("site")]
Part = Annotated[Whole, Field(ge=1), Meaning("part")]
Bin = Annotated[Whole, Field(ge=0, le=65535)]
Variable = Annotated[str, AfterValidator(_matching(_VARIABLE, "name of an environment variable; use DRYCELL_METER"))]
Lot = Annotated[
    str,
    Meaning("lot"),
    BeforeValidator(_numeric_text, json_schema_input_type=str | int),
    AfterValidator(_matching(_LOT, 'lot number; use letters, digits, dots and dashes such as "306426.001"')),
]
