"""Times as options name them. Not in ``parsing``, because the words of scenarios load slowly."""

import math

from drycell.sim.cli.parsing import UsageError
from drycell.sim.scenario.words import seconds


def seconds_of(word: str, option: str) -> float:
    """The time that an option names, such as 90s or 1.5, in seconds. Raises UsageError."""
    try:
        value = float(word)
    except ValueError:
        try:
            value = float(str(seconds(word)))
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{option} {word!r} is no time; write 90s, 1.5s or a number of seconds")
    return value
