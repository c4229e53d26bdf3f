"""From a line of text to its units: headers with their path, and parameters as raw text.

Rules that hold here:
- Units are separated by semicolons, parameters by commas; neither counts inside of quotes, parentheses or blocks.
- A header without leading colon stands under the path of the unit before it; a common command (``*IDN?``) leaves the
  path alone (IEEE 488.2 annex A.1.1, SCPI-99 volume 1, section 6.2.4).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drycell.plugins_sim.instruments.scpi.errors import Failure

MNEMONIC_LIMIT = 12
_HEADER = re.compile(r"(\*[A-Za-z]\w*|:?[A-Za-z]\w*(?::[A-Za-z]\w*)*)(\?)?", re.ASCII)
_BLOCK = re.compile(r"#([1-9])")


@dataclass(frozen=True, slots=True)
class Unit:
    """One command or query: its mnemonics from the root in capitals, and its parameters."""

    header: tuple[str, ...]
    query: bool
    arguments: tuple[str, ...]

    @property
    def keyword(self) -> str:
        """The header as one word, without question mark."""
        return ":".join(self.header)


def units(message: str) -> Iterator[Unit]:
    """The units of ``message`` (no terminator). Raises Failure at the first that cannot be read."""
    path: tuple[str, ...] = ()
    for text in _split(message, ";"):
        text = text.strip()
        if not text:
            continue
        unit, path = _unit(text, path)
        yield unit


def _unit(text: str, path: tuple[str, ...]) -> tuple[Unit, tuple[str, ...]]:
    found = _HEADER.match(text)
    if found is None:
        raise Failure(-102 if text[0].isascii() and text[0].isprintable() else -101, text[:30])
    rest = text[found.end() :]
    if rest and not rest[0].isspace():
        raise Failure(-103 if rest[0] in ",;:" else -101 if not rest[0].isascii() else -102, text[:30])
    arguments = tuple(part.strip() for part in _split(rest, ",")) if rest.strip() else ()
    if "" in arguments:
        raise Failure(-103, f"an empty parameter in {text[:30]}")
    name, query = found[1].upper(), found[2] is not None
    if name.startswith("*"):
        return Unit((name,), query, arguments), path
    words = tuple(name.removeprefix(":").split(":"))
    if any(len(word.rstrip("0123456789")) > MNEMONIC_LIMIT for word in words):
        raise Failure(-112, name[:30])
    header = words if name.startswith(":") else path + words
    return Unit(header, query, arguments), header[:-1]


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts of ``text`` between separators that stand outside quotes, parentheses and definite-length blocks."""
    if not any(c in text for c in "\"'(#"):
        yield from text.split(separator)
        return
    start = position = depth = 0
    while position < len(text):
        c = text[position]
        if c in "\"'":
            end = text.find(c, position + 1)
            if end < 0:
                raise Failure(-151, "a string does not end")
            position = end
        elif c == "#" and (found := _BLOCK.match(text, position)):
            position = _block_end(text, found.end(), int(found[1])) - 1
        elif c in "()":
            depth += 1 if c == "(" else -1
        elif c == separator and depth == 0:
            yield text[start:position]
            start = position + 1
        position += 1
    if depth:
        raise Failure(-171, "parentheses do not match")
    yield text[start:]


def _block_end(text: str, position: int, digits: int) -> int:
    size = text[position : position + digits]
    if not (size.isascii() and size.isdigit() and len(size) == digits):
        raise Failure(-161, "the length of a block is no number")
    end = position + digits + int(size)
    if end > len(text):
        raise Failure(-161, "a block is shorter than it says")
    return end
