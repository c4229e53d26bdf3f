"""The nearest known word for a mistyped one."""

from collections.abc import Iterable
from difflib import get_close_matches

_CUTOFF = 0.6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, else the list of known ones."""
    spelled = {entry.lower(): entry for entry in sorted(known)}
    near = get_close_matches(word.lower(), list(spelled), n=1, cutoff=_CUTOFF)
    if near:
        return f"did you mean {spelled[near[0]]!r}?"
    return f"known are {', '.join(spelled.values())}" if spelled else "nothing is known here"
