"""The tables of all scenario keys in docs/scenario.md.

``python -m drycell.sim.scenario.reference docs/scenario.md`` writes them anew.
Everything in them comes from the model: keys, types, defaults, bounds and descriptions.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from drycell.sim.scenario.files import schema

BEGIN, END = "<!-- keys: begin (generated) -->", "<!-- keys: end -->"
_BOUNDS = {"minimum": "at least {}", "maximum": "at most {}", "exclusiveMinimum": "more than {}"}


def markdown() -> str:
    """One table per section, in the order in which the sections are met."""
    whole = schema()
    parts = [_table("the file itself", whole, whole["$defs"])]
    parts += [_table(name, whole["$defs"][name], whole["$defs"]) for name in _sections(whole)]
    return "\n\n".join(parts)


def updated(text: str) -> str:
    """``text`` with what stands between the two marks replaced by the table."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def _sections(whole: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    waiting = [whole]
    while waiting:
        for name in _references(waiting.pop(0)):
            if name not in found and "properties" in whole["$defs"][name]:
                found.append(name)
                waiting.append(whole["$defs"][name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for key, value in node.items():
            if key != "$defs":
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _table(name: str, section: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    lines = [
        f"### {name}",
        _plain(section.get("description", "").split("\n\n")[0]),
        "",
        "| Key | Takes | Default | Meaning |",
        "|---|---|---|---|",
    ]
    for key, node in section["properties"].items():
        default = "required" if key in section.get("required", ()) else _default(node)
        meaning = _plain(node.get("description") or sections.get(_type(node), {}).get("description", ""))
        lines.append(f"| `{key}` | {_type(node)} | {default} | {meaning} |")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _default(node: Mapping[str, Any]) -> str:
    value = node.get("default")
    kinds = [node, *node.get("anyOf", ())]
    if isinstance(value, dict) and any("$ref" in kind and "JsonValue" not in kind["$ref"] for kind in kinds):
        return "its defaults"
    return "" if value is None else f"`{json.dumps(value)}`"


def _type(node: Mapping[str, Any]) -> str:
    if "$ref" in node:
        name: str = node["$ref"].rpartition("/")[2]
        return "anything" if name == "JsonValue" else name
    if "anyOf" in node:
        kinds = [_type(kind) for kind in node["anyOf"] if kind.get("type") != "null"]
        if kinds == ["number", "text"] or (len(kinds) == 2 and kinds[0].startswith("number") and kinds[1] == "text"):
            return kinds[0].replace("number", "number or word", 1)
        return " or ".join(dict.fromkeys(kinds))
    if "const" in node or "enum" in node:
        return ", ".join(f"`{word}`" for word in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        entries = node.get("prefixItems")
        return f"[{', '.join(map(_type, entries))}]" if entries else f"list of {_type(node.get('items', {}))}"
    if node.get("type") == "object":
        return f"mapping to {_type(node.get('additionalProperties', {}))}"
    word = {"integer": "whole number", "string": "text", "boolean": "true, false"}.get(
        node.get("type", ""), node.get("type", "anything")
    )
    bounds = [sentence.format(node[key]) for key, sentence in _BOUNDS.items() if key in node]
    return f"{word}, {', '.join(bounds)}" if bounds else word


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
