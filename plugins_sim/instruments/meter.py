"""The demo's bench meter: one line of text in, one line out, about the device that touches a site.

Rules that hold here:
- ``answer`` is a pure function; it never raises for what a program sends, it answers ``ERROR`` and a reason.
- Readings have fixed decimals, so that they are equal on every machine.
- Commands are SCPI: short or long form, any case; the site stands in the channel list, ``(@SITE)``.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

IDENTITY = "drycell,bench meter,0,1"
OPEN = "9.9E+37"  # SCPI-99, volume 1, section 7.2.1.4: positive overrange reads 9.9E37
NOMINAL_VIN_VOLTS = 5.0
VIN_LIMIT_VOLTS = 20.0
RAMP_POINTS = 1000
PINS = ("VIN", "VOUT")
_DECIMALS = {3: "z.3f", 4: "z.4f"}
"""How a reading is written; z: without the sign of a negative zero."""


class Device(Protocol):
    """What the meter needs of a device under test."""

    def contact_ohm(self, pin: str, site: int) -> float | None:
        """Resistance of a pin and its contact in ohm, None when open."""

    def vout_volts(self, vin_volts: float, site: int, temperature_c: float) -> float:
        """Output voltage at an input voltage."""

    def iq_microamp(self, vin_volts: float, site: int) -> float:
        """Quiescent current in microampere at an input voltage."""


class _RefusedError(Exception):
    """The reason why a line cannot be answered."""


def answer(line: str, device_at: Callable[[int], Device | None], temperature_c: float = 25.0) -> str:
    """The meter's reply to ``line``, both without newline.

    ``device_at`` gives the device in contact at a site, or None: then resistances read open, all else reads zero.
    """
    try:
        header, site, arguments = _parse(line)
        if header == "*IDN":
            return IDENTITY
        return _COMMANDS[header](device_at(site), site, arguments, temperature_c)
    except _RefusedError as refused:
        return f"ERROR {refused}"


@lru_cache(maxsize=1024)
def _parse(line: str) -> tuple[str, int, tuple[str, ...]]:
    found = re.fullmatch(r"\s*(\*IDN|[A-Z:]+)\?\s*(?:\(@(\d{1,4})\))?\s*(?:,(.*))?", line, re.IGNORECASE | re.ASCII)
    if found is None:
        raise _RefusedError(f"not a question: {_shown(line)}")
    header = re.sub(r"^:?MEAS(URE)?:", "MEAS:", found[1].upper())
    header = re.sub(r":RES(ISTANCE)?$", ":RES", header)
    if header != "*IDN" and header not in _COMMANDS:
        raise _RefusedError(f"unknown command {_shown(found[1])}; known are *IDN, {', '.join(_COMMANDS)}")
    if header != "*IDN" and found[2] is None:
        raise _RefusedError(f"{header} needs a channel list such as (@0)")
    return header, int(found[2] or 0), tuple(part.strip() for part in found[3].split(",")) if found[3] else ()


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:60] + "...")


@lru_cache(maxsize=1024)
def _volts(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= VIN_LIMIT_VOLTS:
        raise _RefusedError(f"{_shown(text)} is no input voltage from -{VIN_LIMIT_VOLTS:g} to {VIN_LIMIT_VOLTS:g}")
    return value


def _one_vin(arguments: Sequence[str]) -> float:
    if len(arguments) > 1:
        raise _RefusedError(f"one input voltage expected, {len(arguments)} given")
    return _volts(arguments[0]) if arguments else NOMINAL_VIN_VOLTS


def _number(value: float, decimals: int) -> str:
    return format(value, _DECIMALS[decimals])


def _resistance(device: Device | None, site: int, arguments: Sequence[str], _: float) -> str:
    pin = arguments[0].upper() if len(arguments) == 1 else ""
    if pin not in PINS:
        raise _RefusedError(f"MEAS:RES needs one pin of {' or '.join(PINS)}")
    ohm = device.contact_ohm(pin, site) if device else None
    return OPEN if ohm is None else _number(ohm, 3)


def _output(device: Device | None, site: int, arguments: Sequence[str], temperature_c: float) -> str:
    vin = _one_vin(arguments)
    return _number(device.vout_volts(vin, site, temperature_c) if device else 0.0, 4)


def _quiescent(device: Device | None, site: int, arguments: Sequence[str], _: float) -> str:
    vin = _one_vin(arguments)
    return _number(device.iq_microamp(vin, site) if device else 0.0, 3)


def _ramp(device: Device | None, site: int, arguments: Sequence[str], temperature_c: float) -> str:
    if not 1 <= len(arguments) <= RAMP_POINTS:
        raise _RefusedError(f"MEAS:RAMP needs 1 to {RAMP_POINTS} input voltages, {len(arguments)} given")
    return ",".join(_output(device, site, [text], temperature_c) for text in arguments)


_COMMANDS: dict[str, Callable[[Device | None, int, Sequence[str], float], str]] = {
    "MEAS:RES": _resistance,
    "MEAS:VOUT": _output,
    "MEAS:IQ": _quiescent,
    "MEAS:RAMP": _ramp,
}
