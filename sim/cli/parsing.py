"""Command line parsing that answers a mistake with one sentence and a suggestion."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from drycell import __version__
from drycell.sim.errors import DrycellError
from drycell.sim.suggest import did_you_mean

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Addresses that only this machine can reach."""


class UsageError(DrycellError):
    """A command line that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises :class:`UsageError` instead of printing its usage and leaving."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise UsageError for argparse's ``message``."""
        text = message.replace("the following arguments are required: ", "missing: ")
        raise UsageError(f"{text}; see {self.prog} --help")


class Verbs:
    """The verbs of a command, each with its own parser."""

    def __init__(self, owner: Parser, what: str, *, required: bool = True) -> None:
        self._actions = owner.add_subparsers(dest=what, metavar="VERB", required=required, parser_class=Parser)
        self._owner = owner
        self.parsers: dict[str, Parser] = {}
        self.groups: dict[str, Verbs] = {}

    @property
    def options(self) -> set[str]:
        """The options of the command itself."""
        return {option for action in self._owner._actions for option in action.option_strings}

    def add(self, name: str, about: str, do: str) -> Parser:
        """A verb whose work is done by ``do``, a ``module:function`` that returns the exit code."""
        parser: Parser = self._actions.add_parser(name, help=about, description=about)
        parser.set_defaults(do=do, parser=parser)
        self.parsers[name] = parser
        return parser

    def group(self, name: str, about: str, do: str | None = None) -> "Verbs":
        """A verb that has verbs of its own; ``do`` is what it does when none of them is named."""
        parser: Parser = self._actions.add_parser(name, help=about, description=about)
        self.parsers[name] = parser
        self.groups[name] = Verbs(parser, f"{name}_verb", required=do is None)
        if do is not None:
            parser.set_defaults(do=do, parser=parser)
        return self.groups[name]


def make_parser() -> tuple[Parser, Verbs]:
    """The empty command: its parser, and its verbs to be added to."""
    parser = Parser(prog="drycell", description="A flight simulator for semiconductor test cells.")
    parser.add_argument("--version", action="version", version=f"drycell {__version__}")
    verbs = Verbs(parser, "verb")
    parser.set_defaults(verbs=verbs)
    return parser, verbs


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace | None:
    """The command line's meaning; None when it asked for help or the version. Raises UsageError."""
    _refuse_unknown_verb("drycell", parser.get_default("verbs"), words)
    try:
        arguments, rest = parser.parse_known_args(words)
    except SystemExit:
        return None
    if rest:
        _refuse_rest(arguments.parser, rest)
    return arguments


def _refuse_unknown_verb(command: str, verbs: Verbs, words: Sequence[str]) -> None:
    for index, word in enumerate(words):
        if word.startswith("-"):
            if index == 0 and word.partition("=")[0] not in verbs.options:
                known = [option for option in verbs.options if option.startswith("--")]
                raise UsageError(f"unknown option {word!r} of {command}; {did_you_mean(word, known)}")
            return
        if word not in verbs.parsers:
            raise UsageError(f"unknown verb {word!r} of {command}; {did_you_mean(word, verbs.parsers)}")
        if word in verbs.groups:
            _refuse_unknown_verb(f"{command} {word}", verbs.groups[word], words[index + 1 :])
        return


def _refuse_rest(parser: Parser, rest: Sequence[str]) -> None:
    word = re.split("=", rest[0], maxsplit=1)[0]
    if not word.startswith("-"):
        raise UsageError(f"{parser.prog} cannot use {word!r}; see {parser.prog} --help")
    known = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    raise UsageError(f"unknown option {word!r} of {parser.prog}; {did_you_mean(word, known)}")
