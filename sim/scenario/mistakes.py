"""What is wrong with a scenario, where, and what would be right.

Rules
- A mistake is one line: ``file:line:column: cause; suggestion``. All mistakes of a file come together, in its order.
- Suggestions come from the model itself: the known keys of a section, the known words of a field.
"""

import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from drycell.sim.errors import DrycellError
from drycell.sim.scenario.words import Section
from drycell.sim.suggest import did_you_mean

_LISTED = 20


Place = tuple[str | int, ...]


class Location(NamedTuple):
    """A place in a text, both counted from 1."""

    line: int
    column: int


class Mistake(NamedTuple):
    """One mistake. ``where`` is a file or an option of the command; ``at`` is None for the latter."""

    where: str
    at: Location | None
    text: str

    def __str__(self) -> str:
        place = f"{self.where}:{self.at.line}:{self.at.column}" if self.at else self.where
        return f"{place}: {self.text}"


class ScenarioError(DrycellError):
    """A scenario that cannot be used. ``str()`` has one line per mistake, ``mistakes`` holds them one by one."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        shown = [str(mistake) for mistake in self.mistakes[:_LISTED]]
        if len(self.mistakes) > _LISTED:
            shown.append(f"... and {len(self.mistakes) - _LISTED} more mistakes")
        super().__init__("\n".join(shown))


class Finding(NamedTuple):
    """A mistake before its place is looked up: ``of_key`` says whether the key or the value is meant."""

    path: Place
    of_key: bool
    text: str


def findings(error: ValidationError, model: type[Section]) -> list[Finding]:
    """What pydantic found, in our words."""
    return [_finding(details, model) for details in error.errors(include_url=False)]


def _finding(details: ErrorDetails, model: type[Section]) -> Finding:
    loc = tuple(details["loc"])
    of_key = bool(loc) and loc[-1] == "[key]"
    path = loc[:-1] if of_key else loc
    kind = details["type"]
    if kind == "extra_forbidden":
        return Finding(path, True, _unknown_key(path, model))
    if kind == "missing":
        return Finding(path[:-1], False, _missing(path, model))
    label = _dotted(path) or "the scenario"
    if kind == "literal_error":
        return Finding(path, of_key, _wrong_word(label, details, of_key, str(path[-1]) if path else ""))
    if kind == "wrong_step":
        return Finding(path, of_key, f"{label}: {details['msg']}")
    if kind == "value_error":
        return Finding(path, of_key, f"{label}: {details.get('ctx', {}).get('error', details['msg'])}")
    fallback = f"{details['msg'][:1].lower()}{details['msg'][1:]}; see drycell scenario schema"
    template = _SENTENCES.get(kind, fallback.replace("{", "{{").replace("}", "}}"))
    context: Mapping[str, Any] = {**details.get("ctx", {}), "found": _found(details["input"])}
    return Finding(path, of_key, f"{label}: {template.format(**context)}")


def _unknown_key(path: Place, model: type[Section]) -> str:
    section = _section(model, path[:-1])
    known = [] if section is None else section.known_keys()
    return f"unknown key {str(path[-1])!r}{_inside_of(path)}; {did_you_mean(str(path[-1]), known)}"


def _missing(path: Place, model: type[Section]) -> str:
    if isinstance(path[-1], int):
        return f"{_dotted(path[:-1])}: too few entries ({path[-1]}); write at least {path[-1] + 1}"
    section = _section(model, path[:-1])
    info = section.model_fields.get(path[-1]) if section else None
    about = f" ({info.description.rstrip('.')})" if info and info.description else ""
    return f"the key {path[-1]!r} is missing{_inside_of(path)}; add it{about}"


def _inside_of(path: Place) -> str:
    return f" in {_dotted(path[:-1])}" if path[:-1] else ""


_SENTENCES: Mapping[str, str] = {
    "int_type": "{found} is no whole number; write one without quotes, point or percent sign",
    "int_parsing": "{found} is no whole number; write one",
    "int_from_float": "{found} is no whole number; write one",
    "float_type": "{found} is no number; write one without quotes",
    "bool_type": "{found} is neither true nor false; write one of them",
    "string_type": "{found} is no text; put it in quotes",
    "string_too_short": "the text is empty; write at least {min_length} character",
    "string_too_long": "the text is too long; use at most {max_length} characters",
    "model_type": "{found} is no mapping; write its keys below it, or in braces",
    "model_attributes_type": "{found} is no mapping; write its keys below it, or in braces",
    "invalid_key": "a key is a number; put it in quotes if it is meant as a name",
    "dict_type": "{found} is no mapping; write its keys below it, or in braces",
    "tuple_type": "{found} is no list; write it as [a, b]",
    "greater_than_equal": "{found} is too small; use at least {ge}",
    "greater_than": "{found} is too small; use more than {gt}",
    "less_than_equal": "{found} is too large; use at most {le}",
    "less_than": "{found} is too large; use less than {lt}",
    "finite_number": "{found} is not finite; use a finite number",
    "too_short": "too few entries ({actual_length}); write at least {min_length}",
    "too_long": "too many entries ({actual_length}); write at most {max_length}",
}


def _wrong_word(label: str, details: ErrorDetails, of_key: bool, key: str) -> str:
    expected = str(details.get("ctx", {}).get("expected", ""))
    known = re.findall(r"'([^']*)'", expected)
    if label == "drycell":
        return f"format version {_found(details['input'])} is not known; this drycell reads version {expected}"
    if of_key:
        return f"unknown key {key!r} in {label.rpartition('.')[0]}; {did_you_mean(key, known)}"
    found = _found(details["input"])
    if not known:
        return f"{label}: {found} is not allowed; use {expected}"
    return f"{label}: {found} is not known; {did_you_mean(str(details['input']), known)}"


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _dotted(path: Place) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _section(model: type[Section], path: Place) -> type[Section] | None:
    """The model class that describes what stands at ``path``."""
    here: Any = model
    for step in path:
        here = _inside(here, step)
    return _model(here)


def _inside(annotation: Any, step: str | int) -> Any:
    """What the annotation says about the thing called ``step`` inside it."""
    section = _model(annotation)
    if section is not None:
        return section.inside(step)
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next((found for entry in arguments if (found := _inside(entry, step)) is not None), None)
    return next((entry for entry in reversed(arguments) if entry is not Ellipsis), None)


def _model(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next((found for entry in get_args(annotation) if (found := _model(entry)) is not None), None)
    return None
