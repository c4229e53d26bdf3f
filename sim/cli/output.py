"""The two ways out: data to stdout, talk to stderr."""

import json
import os
import sys
from typing import IO, Any, cast

from rich.console import Console

_WIDTH = 80


def talk(text: str) -> None:
    """One line to the user, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def talk_from_handler(text: str) -> None:
    """One line to the user from a handler of a signal, which may have come in the middle of ``talk``."""
    os.write(sys.stderr.fileno(), f"{text}\n".encode())


def print_json(data: Any) -> None:
    """Data as JSON, on stdout."""
    print(json.dumps(data, indent=2))  # noqa: T201


def print_text(text: str) -> None:
    """Data as it is, on stdout."""
    print(text)  # noqa: T201


def console() -> Console:
    """A console for tables on stdout: as wide as the terminal, 80 columns in a pipe, where it uses no colour."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(file=cast(IO[str], _Trimmed()), highlight=False, width=_WIDTH, no_color=True, force_terminal=False)


class _Trimmed:
    """stdout without the blanks that tables leave at the ends of lines."""

    def write(self, text: str) -> None:
        sys.stdout.write("\n".join(line.rstrip(" ") for line in text.split("\n")))

    def flush(self) -> None:
        sys.stdout.flush()
