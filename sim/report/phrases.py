"""Small change of sentences: times, counts, lists, and a sentence with the events it speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence and the numbers of the events that it speaks of."""

    text: str
    seqs: tuple[int, ...] = ()


def clock(t_ns: int) -> str:
    """A time or a duration of so many simulated nanoseconds: ``2.700 s``, ``1:02:03.400 h``."""
    seconds = t_ns / 1e9
    if seconds < 60:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{int(minutes)}:{rest:06.3f} min"
    return f"{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:06.3f} h"


def sentence(text: str) -> str:
    """``text`` with a capital and a full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…:" else ".")


def counted(number: int, what: str) -> str:
    """``1 device``, ``no device``, ``3 devices``."""
    return f"{number or 'no'} {what}{'' if number in (0, 1) else 's'}"


def listed(items: Sequence[str], most: int = 8) -> str:
    """``a, b and c``; beyond ``most``, how many more."""
    shown = list(items[:most])
    if len(items) > most:
        return f"{', '.join(shown)} and {len(items) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
