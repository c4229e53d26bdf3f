"""Questions to instruments and their answers, paired and put into the form of a lot file. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from drycell.sim.replay.recording import Entry

_CHANNEL = re.compile(r"\(@(\d+)\)")


class Answered(NamedTuple):
    """``site``: "" when the question names none; ``question``: with ``{site}`` or ``{channel}`` in its place."""

    site: str
    question: str
    answer: str


class Questions:
    """Pairs what goes in with what comes out next, instrument by instrument and client by client."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str | None], Entry] = {}

    def take(self, entry: Entry) -> Iterator[Answered]:
        """What was answered. One without an answer counts when its ``detail`` says what the ``true`` one was."""
        key = entry.topic, entry.client
        question = self._waiting.pop(key, None)
        if entry.direction == "in":
            if "true" in entry.detail:
                yield _answered(entry, str(entry.detail["true"]))
            elif b"?" in entry.payload:
                self._waiting[key] = entry
        elif question is not None and entry.payload:
            yield _answered(question, _text(entry))


def _answered(question: Entry, answer: str) -> Answered:
    line, told = _text(question), question.detail.get("site")
    found = _CHANNEL.search(line)
    if found is None:
        return Answered(str(told or ""), line, answer)
    channel = int(found[1])
    by_channel = told is not None and str(told) == str(channel - 1)
    word, site = ("{channel}", channel - 1) if by_channel else ("{site}", channel)
    return Answered(str(site), line.replace(found[0], f"(@{word})", 1), answer)


def _text(entry: Entry) -> str:
    return entry.payload.decode("latin-1").strip()
