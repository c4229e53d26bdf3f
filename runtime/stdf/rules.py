"""What happens to values that STDF cannot hold as they are. Nothing is changed or kept silently.

Text: STDF knows ASCII only. Numbers: STDF says nothing on NaN and infinities, many readers choke on them. Dates:
whole seconds since 1970-01-01 00:00:00, an unsigned 32-bit count, without a time zone.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from drycell.runtime.stdf.errors import StdfError

SPELLING = {
    "\u03a9": "Ohm", "\u2126": "Ohm", "°": "deg", "\u2103": "degC", "\u2109": "degF", "\u00b5": "u", "\u03bc": "u",
    "²": "^2", "³": "^3", "√": "sqrt", "±": "+/-", "·": ".", "×": "x", "\u2013": "-", "\u2014": "-", "\u2019": "'",
    "‰": "permil", "\u00c5": "A", "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss",
    "é": "e", "è": "e",
}  # fmt: skip
LONGEST_CN = 255
LAST_SECOND = 2**32 - 1
LARGEST_R4 = 3.4028234663852886e38  # the largest finite IEEE single


@dataclass(frozen=True, slots=True)
class Rules:
    """How a writer treats what does not fit; the default refuses everything.

    ``text``: "error", "latin-1" (bytes above 127 as Latin-1; what a reader of this room undoes), or "spell" (ASCII
    spelling such as "degC"; a character without one becomes "?"). ``long``: "error" or "cut" text to what fits.
    ``nonfinite``: "error", or "keep" NaN and infinities as IEEE values; a number beyond a
    single-precision field then becomes an infinity of its sign (IEEE 754 overflow). Whatever a rule changes or keeps
    is counted in the writer's ``notes``.
    """

    text: Literal["error", "latin-1", "spell"] = "error"
    long: Literal["error", "cut"] = "error"
    nonfinite: Literal["error", "keep"] = "error"


STRICT = Rules()
LENIENT = Rules(text="spell", long="cut", nonfinite="keep")
EXACT = Rules(text="latin-1", nonfinite="keep")  # writes back whatever a reader of this room gives


@dataclass(slots=True)
class Notes:
    """Counts of what the rules changed or kept, by (record, field, what)."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, record: str, name: str, what: str) -> None:
        """Counts one use of a rule."""
        self.counts[record, name, what] += 1

    def sentences(self) -> list[str]:
        """One sentence per kind of change, sorted."""
        return [f"{rec}.{name}: {what} ({n} times)" for (rec, name, what), n in sorted(self.counts.items())]


def spell(text: str) -> str:
    """The text in ASCII: known signs spelled out, others as "?"."""
    return "".join(c if c < "\x80" else SPELLING.get(c, "?") for c in text)


def epoch_s(moment: datetime) -> int:
    """A date as STDF counts it: whole seconds since 1970 in UTC, rounded down.

    Raises ``StdfError`` for a date without a time zone or outside 1970 to 2106.
    """
    if moment.tzinfo is None:
        raise StdfError(f"the date {moment.isoformat()} has no time zone", right="give it one, for example UTC")
    seconds = int(moment.timestamp() // 1)
    if not 0 <= seconds <= LAST_SECOND:
        raise StdfError(f"the date {moment.isoformat()} is outside what STDF can hold", right="1970 to 2106-02-07")
    return seconds
