"""How answers are written: numbers with fixed decimals, booleans, strings, blocks (IEEE 488.2 section 8.7)."""

import math

OVERRANGE = "9.9E+37"  # SCPI-99 volume 1, section 7.2.1.4
NOT_A_NUMBER = "9.91E+37"


def number(value: float, decimals: int) -> str:
    """A number with that many decimals, never a negative zero; infinities and NaN as the standard writes them."""
    if math.isnan(value):
        return NOT_A_NUMBER
    if math.isinf(value):
        return OVERRANGE if value > 0 else f"-{OVERRANGE}"
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def scientific(value: float, digits: int = 9) -> str:
    """A number with exponent, for quantities that span decades."""
    return f"{value + 0.0:.{digits}E}" if math.isfinite(value) else number(value, 0)


def boolean(value: bool) -> str:
    """1 or 0."""
    return "1" if value else "0"


def quoted(text: str) -> str:
    """A string in double quotes."""
    return '"' + text.replace('"', '""') + '"'


def block(data: bytes) -> bytes:
    """A definite-length arbitrary block: ``#``, the number of digits, the length, the bytes."""
    size = str(len(data)).encode()
    return b"#" + str(len(size)).encode() + size + data
