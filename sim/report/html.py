"""HTML as a tree, so that no text can become markup: whatever is not one of our tags is escaped on the way out.

Rules
- Text enters by :func:`E` only. Script and style elements, which HTML does not escape, are made by :func:`raw` from
  our own files, and data enters scripts by :func:`json_for_script`.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element, tostring

import orjson

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_DANGEROUS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}

Child = Element | str | int | float | None


def clean(text: str) -> str:
    """``text`` without what no HTML document may hold; each such character becomes U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def E(tag: str, attributes: dict[str, str] | None = None, *children: Child) -> Element:  # noqa: N802
    """An element. Children are elements or text; None is left out."""
    made = Element(tag, {name: clean(value) for name, value in (attributes or {}).items()})
    last: Element | None = None
    for child in children:
        if child is None:
            continue
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + clean(str(child))
        else:
            last.tail = (last.tail or "") + clean(str(child))
    return made


def raw(tag: str, text: str, attributes: dict[str, str] | None = None) -> Element:
    """A script or style element with text of our own making. Raises ValueError when the text could end it."""
    if f"</{tag}" in text.lower() or "<!--" in text:
        raise ValueError(f"this text would end its own {tag} element")
    made = Element(tag, attributes or {})
    made.text = text
    return made


def json_for_script(data: Any) -> str:
    """``data`` as JSON that may stand in a script element: no ``<``, ``>``, ``&`` nor line separators."""
    text = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS).decode("utf-8")
    return text.translate(_DANGEROUS)


def document(root: Element) -> str:
    """The whole document."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
