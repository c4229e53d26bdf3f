"""The commands of an instrument as a tree of mnemonics, built from a table of patterns.

A pattern is written as in manuals: ``[SOURce]:VOLTage[:LEVel]``; capitals are the short form, brackets may be left
out, ``#`` takes a numeric suffix (1 when it is missing).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

from drycell.plugins_sim.instruments.scpi.errors import Failure
from drycell.plugins_sim.instruments.scpi.message import Unit
from drycell.plugins_sim.instruments.scpi.parameters import Number, Parameter, short_form

Answer = str | bytes


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets: its parameters (None for one left out) and the numeric suffixes of its header."""

    values: tuple[Any, ...] = ()
    suffixes: tuple[int, ...] = ()

    def __getitem__(self, index: int) -> Any:
        return self.values[index] if index < len(self.values) else None


@dataclass(frozen=True, slots=True)
class Command:
    """One row of an instrument's table. ``run`` serves the command, ``ask`` the query; None: there is no such form.

    A query whose command takes a Number answers MIN, MAX and DEF by itself through ``show``.
    ``cost_s``: simulated seconds that it takes beyond the instrument's latency.
    """

    pattern: str
    run: Callable[[Call], None] | None = None
    ask: Callable[[Call], Answer] | None = None
    takes: tuple[Parameter, ...] = ()
    asks: tuple[Parameter, ...] = ()
    show: Callable[[float], str] | None = None
    cost_s: Callable[[Call], float] | None = None

    def read(self, unit: Unit, suffixes: tuple[int, ...], limits: bool) -> Call:
        """The parameters of ``unit``. Raises Failure for missing, superfluous and wrong ones."""
        expected = self.asks if unit.query else self.takes
        if len(unit.arguments) > len(expected):
            raise Failure(-108, unit.arguments[len(expected)][:30], f"{unit.keyword} takes no such value")
        values: list[Any] = []
        for index, parameter in enumerate(expected):
            if index < len(unit.arguments):
                values.append(parameter.read(unit.arguments[index], limits))
            elif parameter.optional:
                values.append(None)
            else:
                raise Failure(-109, unit.keyword, f"{unit.keyword} requires a value")
        return Call(tuple(values), suffixes)

    def limit(self, unit: Unit) -> str | None:
        """The answer to ``VOLT? MAX`` and its like, None if the query asks for something else."""
        if self.show is None or len(unit.arguments) != 1 or not self.takes or not isinstance(self.takes[0], Number):
            return None
        return self.show(self.takes[0].named(unit.arguments[0])) if unit.arguments[0][0].isalpha() else None


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    numbered: set[str] = field(default_factory=set)
    command: Command | None = None
    places: tuple[int, ...] = ()  # which suffix of the full pattern each numbered mnemonic on the way is
    count: int = 0


class Tree:
    """Finds the command of a header. Later rows of the table win over earlier ones."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._root = _Node()
        self._known: dict[tuple[str, ...], tuple[Command, tuple[int, ...]]] = {}
        for command in commands:
            for words, count in _spellings(command.pattern):
                self._add(words, count, command)

    def find(self, header: tuple[str, ...]) -> tuple[Command, tuple[int, ...]]:
        """The command of ``header`` and its numeric suffixes. Raises Failure -113."""
        known = self._known.get(header)
        if known is not None:
            return known
        node, numbers = self._root, []
        for word in header:
            name = word
            if word not in node.children:
                name = word.rstrip("0123456789")
                if name not in node.numbered or len(word) - len(name) > 4:
                    raise _undefined(header)
            if name in node.numbered:
                numbers.append(int(word[len(name) :] or 1))
            node = node.children[name]
        if node.command is None:
            raise _undefined(header)
        suffixes = [1] * node.count
        for place, suffix in zip(node.places, numbers, strict=True):
            suffixes[place] = suffix
        if len(self._known) < 512:
            self._known[header] = (node.command, tuple(suffixes))
        return node.command, tuple(suffixes)

    def _add(self, words: Sequence[tuple[str, int | None]], count: int, command: Command) -> None:
        node = self._root
        for word, place in words:
            child = node.children.get(word.upper()) or node.children.get(short_form(word)) or _Node()
            for name in {word.upper(), short_form(word)}:
                node.children[name] = child
                if place is not None:
                    node.numbered.add(name)
            node = child
        node.command = command
        node.places = tuple(place for _, place in words if place is not None)
        node.count = count


@lru_cache(4096)
def _spellings(pattern: str) -> tuple[tuple[tuple[tuple[str, int | None], ...], int], ...]:
    """All ways to walk a pattern: its mnemonics, each with the number of its suffix, brackets kept or left out."""
    parts: list[tuple[str, bool, int | None]] = []
    count = 0
    for optional, word in re.findall(r"(\[?):?([*A-Za-z#]+):?\]?", pattern):
        place = None
        if word.endswith("#"):
            place, count = count, count + 1
        parts.append((word.removesuffix("#"), bool(optional), place))
    choices = [(True, False) if optional else (True,) for _, optional, _ in parts]
    return tuple(
        (tuple((word, place) for (word, _, place), keep in zip(parts, kept, strict=True) if keep), count)
        for kept in product(*choices)
    )


def _undefined(header: tuple[str, ...]) -> Failure:
    keyword = ":".join(header)
    return Failure(-113, keyword[:60], f"Unknown command '{keyword[:60]}'")
