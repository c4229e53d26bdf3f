"""From the text of a file to plain values with their places: safe, bounded, and strict about what is ambiguous.

Rules
- YAML 1.2 core schema only (yaml.org/spec/1.2.2, section 10.3.2): ``yes``, ``on`` and ``12:30:00`` are texts.
- No tags, no anchors, no aliases, no second document, no key twice, no control characters, no NaN or infinity.
- Everything is bounded before it costs time: bytes, line length, nesting, number of values.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from drycell.sim.scenario.mistakes import Location, Mistake, ScenarioError

MAX_JSON_BYTES = 1 << 20
MAX_YAML_BYTES = 1 << 18  # the YAML reader takes 1 s for 1 MiB; what a person writes is far below
MAX_YAML_LINE = 4096
MAX_DEPTH = 32
MAX_VALUES = 20_000
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_JSON_TOKEN = re.compile(r'[ \t\r\n]*(?:(?P<mark>[][{},:])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^][{},:"\s]+))')
_BAD_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Tree:
    """Plain values and where they stand. ``keys``/``values``: path -> place of the key, of the value."""

    data: Any = None
    keys: dict[Path, Location] = field(default_factory=dict)
    values: dict[Path, Location] = field(default_factory=dict)

    def place(self, path: Path, *, of_key: bool = False) -> Location:
        """Where ``path`` stands, or else the nearest thing around it; the start of the file at last."""
        for length in range(len(path), -1, -1):
            found = self.keys.get(path[:length]) if of_key else None
            found = found or self.values.get(path[:length])
            if found:
                return found
        return Location(1, 1)


class _Part(NamedTuple):
    """One step of reading: ``kind`` is open (value: {} or []), close, or value."""

    kind: str
    value: Any
    at: Location


def parse(text: bytes, *, name: str, as_json: bool) -> Tree:
    """The values in ``text``. ``name`` is the file's name in messages. Raises ScenarioError."""
    limit = MAX_JSON_BYTES if as_json else MAX_YAML_BYTES
    start = Location(1, 1)
    if len(text) > limit:
        raise _error(name, start, f"more than {limit // 1024} KiB", "a scenario is smaller; write JSON if it must be")
    try:
        content = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8", "replace")
        raise _error(name, _at(before, len(before)), "not UTF-8 text", "save the file as UTF-8") from None
    parts = _json_parts(content, name) if as_json else _yaml_parts(content, name)
    return _build(parts, name)


def scalar(text: str) -> Any:
    """A plain YAML 1.2 core schema scalar. ValueError for a number that cannot be kept."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _bounded(int(text, 0) if text[:2] in ("0o", "0x") else _decimal(text))
    if _FLOAT.fullmatch(text):
        return _bounded(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")))
    return text


def _decimal(text: str) -> int:
    if len(text) > 21:
        raise ValueError("a number of more than 64 bits; use a smaller one")
    return int(text)


def _bounded(number: int | float) -> int | float:
    if isinstance(number, int):
        if not -(2**63) <= number < 2**64:
            raise ValueError("a number of more than 64 bits; use a smaller one")
    elif number != number or number in (float("inf"), float("-inf")):
        raise ValueError("a number that is infinite or not a number; use a finite one")
    return number


def _build(parts: Iterator[_Part], name: str) -> Tree:
    """Puts the parts together; keys are what stands at even places inside a mapping."""
    tree, stack, count = Tree(), list[_Open](), 0
    for part in parts:
        count += 1
        if count > MAX_VALUES:
            raise _error(name, part.at, f"more than {MAX_VALUES} values", "make the scenario smaller")
        if part.kind == "close":
            stack.pop()
            continue
        if isinstance(part.value, str) and (bad := _BAD_CHARACTER.search(part.value)):
            code = f"U+{ord(bad[0]):04X}"
            raise _error(name, part.at, f"the character {code} in a text", "remove it")
        if stack and stack[-1].awaits_key:
            _take_key(stack[-1], part, tree, name)
            continue
        path: Path = stack[-1].path_of_next() if stack else ()
        tree.values[path] = part.at
        if stack:
            stack[-1].put(part.value)
        else:
            tree.data = part.value
        if part.kind == "open":
            if len(stack) >= MAX_DEPTH:
                raise _error(name, part.at, f"nested deeper than {MAX_DEPTH} levels", "a scenario needs far fewer")
            stack.append(_Open(part.value, path))
    return tree


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    holder: Any
    path: Path
    key: str | int | None = None
    seen: dict[str, Location] = field(default_factory=dict)

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.holder, dict) and self.key is None

    def path_of_next(self) -> Path:
        return (*self.path, len(self.holder) if self.key is None else self.key)

    def put(self, value: Any) -> None:
        if self.key is None:
            self.holder.append(value)
        else:
            self.holder[self.key] = value
            self.key = None


def _take_key(parent: _Open, part: _Part, tree: Tree, name: str) -> None:
    key = part.value
    if part.kind != "value" or type(key) not in (str, int):
        raise _error(name, part.at, "a key that is no text", "put it in quotes")
    twin = parent.seen.setdefault(str(key), part.at)
    if twin is not part.at:
        raise _error(name, part.at, f"the key {str(key)!r} stands here twice, first in line {twin.line}", "keep one")
    parent.key = key
    tree.keys[(*parent.path, key)] = part.at


def _yaml_parts(text: str, name: str) -> Iterator[_Part]:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_YAML_LINE:
            raise _error(name, Location(number, 1), f"a line of more than {MAX_YAML_LINE} characters", "break it up")
    documents = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            documents += isinstance(event, DocumentStartEvent)
            if documents > 1:
                raise _error(name, _mark(event), "a second document", "keep one scenario per file")
            part = _yaml_part(event, name)
            if part is not None:
                yield part
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Location(mark.line + 1, mark.column + 1) if mark else Location(1, 1)
        cause = " ".join(str(error.problem or error.context or "not YAML").split())
        raise _error(name, at, f"not YAML: {cause}", "check indentation, quotes and brackets") from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        cause = str(getattr(error, "reason", "not YAML"))
        raise _error(name, _at(text, position), f"not YAML: {cause}", "remove that character") from None


def _yaml_part(event: Event, name: str) -> _Part | None:
    at = _mark(event)
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        raise _error(name, at, "an anchor or alias", "write the value out where it is needed")
    if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) and event.tag is not None:
        raise _error(name, at, "a tag", "scenarios hold plain values only; remove it")
    if isinstance(event, MappingStartEvent | SequenceStartEvent):
        return _Part("open", {} if isinstance(event, MappingStartEvent) else [], at)
    if isinstance(event, MappingEndEvent | SequenceEndEvent):
        return _Part("close", None, at)
    if not isinstance(event, ScalarEvent):
        return None
    if event.style:
        return _Part("value", event.value, at)
    try:
        return _Part("value", scalar(event.value), at)
    except ValueError as error:
        raise ScenarioError([Mistake(name, at, str(error))]) from None


def _json_parts(text: str, name: str) -> Iterator[_Part]:
    """The parts of a JSON text (RFC 8259). The library judges the syntax; the walk adds the places."""
    try:
        json.loads(text, parse_int=lambda _: 0, parse_float=lambda _: 0.0, parse_constant=_refused)
    except json.JSONDecodeError as error:
        at = Location(error.lineno, error.colno)
        raise _error(name, at, f"not JSON: {error.msg}", "check commas, quotes and brackets") from None
    except RecursionError:
        pass  # the walk names the place that is nested too deeply
    except ValueError as error:
        raise _error(name, Location(1, 1), f"not JSON: {error}", "use a finite number") from None
    position, lines = 0, _LineCounter(text)
    while match := _JSON_TOKEN.match(text, position):
        position = match.end()
        kind = match.lastgroup or ""
        token, at = match[kind], lines.at(match.start(kind))
        if kind == "mark":
            if token in "{[":
                yield _Part("open", {} if token == "{" else [], at)
            elif token in "}]":
                yield _Part("close", None, at)
        else:
            try:
                yield _Part("value", json.loads(token) if kind == "text" else scalar(token), at)
            except ValueError as error:
                raise ScenarioError([Mistake(name, at, str(error))]) from None


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


class _LineCounter:
    """Line and column of growing offsets, counting each line break once."""

    def __init__(self, text: str) -> None:
        self._text, self._line, self._start = text, 1, 0

    def at(self, offset: int) -> Location:
        while (end := self._text.find("\n", self._start, offset)) >= 0:
            self._line, self._start = self._line + 1, end + 1
        return Location(self._line, offset - self._start + 1)


def _mark(event: Event) -> Location:
    mark = event.start_mark
    return Location(mark.line + 1, mark.column + 1)


def _at(text: str, offset: int) -> Location:
    return _LineCounter(text).at(min(offset, len(text)))


def _error(name: str, at: Location, cause: str, suggestion: str) -> ScenarioError:
    return ScenarioError([Mistake(name, at, f"{cause}; {suggestion}")])
