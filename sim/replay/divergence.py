"""The first event at which two journals differ, with both sides."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from drycell.sim.kernel import Event
from drycell.sim.kernel import journal as journals


@dataclass(frozen=True, slots=True)
class Divergence:
    """Two runs part at event ``seq``. A side is None when its journal ended before."""

    seq: int
    first: Event | None
    second: Event | None

    def sentences(self) -> tuple[str, str, str]:
        """What to tell a person: where, and each side."""
        return (
            f"the two runs part at event {self.seq}",
            f"  first:  {_words(self.first)}",
            f"  second: {_words(self.second)}",
        )


def first_divergence(first: Path, second: Path) -> Divergence | None:
    """Where the journal files ``first`` and ``second`` part; None when they tell the same.

    Raises DrycellError when one of them is no journal.
    """
    pairs = zip_longest(journals.read(first), journals.read(second))
    for seq, (left, right) in enumerate(pairs, start=1):
        if left != right:
            return Divergence(seq, left, right)
    return None


def _words(event: Event | None) -> str:
    if event is None:
        return "the journal ended before"
    fields = ", ".join(f"{key}={_short(value)}" for key, value in event.fields.items())
    return f"{event.t_ns / 1e9:.9f} s {event.actor} {event.kind}: {fields}"


def _short(value: object, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
