"""Questions to instruments and their answers, paired and put into the form of a lot file. Pure."""

import re
from collections import deque
from collections.abc import Iterator

from drycell.sim.replay.recording import Entry

_CHANNEL = re.compile(r"\(@(\d+)\)")


class Questions:
    """Pairs what goes in with what comes out, instrument by instrument, in order."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str | None], deque[Entry]] = {}

    def take(self, entry: Entry) -> Iterator[tuple[str, str, str]]:
        """Site ("" when the question names none), question with ``{site}`` or ``{channel}``, answer."""
        asked = self._waiting.setdefault((entry.topic, entry.client), deque())
        if entry.direction == "in":
            if "?" in _text(entry):
                asked.append(entry)
        elif asked:
            question, answer = asked.popleft(), _text(entry)
            if answer:
                yield (*_placed(_text(question), question.detail.get("site")), answer)


def _placed(line: str, told: object) -> tuple[str, str]:
    found = _CHANNEL.search(line)
    if found is None:
        return (str(told) if told else "", line)
    channel = int(found[1])
    by_channel = told is not None and str(told) == str(channel - 1)
    word = "{channel}" if by_channel else "{site}"
    return str(channel - 1 if by_channel else channel), line.replace(found[0], f"(@{word})", 1)


def _text(entry: Entry) -> str:
    return entry.payload.decode("latin-1").strip()
