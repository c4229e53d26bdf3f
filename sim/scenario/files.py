"""Scenario files as text: the published schema, the plain form, the starter."""

import re
from importlib.resources import files
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from drycell.sim.scenario.cell import default_layout
from drycell.sim.scenario.model import Scenario
from drycell.sim.scenario.tree import scalar

_PLAIN = re.compile(r"[A-Za-z_./]([A-Za-z0-9_./% -]*[A-Za-z0-9_./%-])?")  # what needs no quotes, whoever reads it
_NAME_LINE = re.compile(r"^name: .*$", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of scenario files, derived from the model."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scenario.model_json_schema()}


def plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain values without what is the default anyway. :func:`from_data` makes an equal scenario."""
    data = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data = {"drycell": scenario.drycell, "name": scenario.name, **data}
    if scenario.cell.layout == default_layout(scenario.cell.sites):
        data.get("cell", {}).pop("layout", None)
        if not data.get("cell", {"": 1}):
            del data["cell"]
    return data


def pretty(scenario: Scenario) -> str:
    """The scenario as YAML without what is the default anyway. Loads to an equal scenario."""
    yaml, text = YAML(pure=True), StringIO()
    yaml.width = 4000  # never break a line: a broken plain key is no YAML
    yaml.dump(_styled(plain(scenario), 0), text)
    return text.getvalue()


def _styled(value: Any, depth: int) -> Any:
    """Plain values with the looks of a hand-written file: blocks outside, braces for what is small and deep."""
    if isinstance(value, dict):
        mapping = CommentedMap((_styled(key, depth), _styled(entry, depth + 1)) for key, entry in value.items())
        if depth > 1 or (depth == 1 and not any(isinstance(entry, dict) for entry in value.values())):
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_styled(entry, depth + 1) for entry in value)
        if depth > 1:
            sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and _is_text(value)):
        return DoubleQuotedScalarString(value)
    return value


def _is_text(value: str) -> bool:
    """Whether the loader takes ``value`` without quotes for text; it refuses some as numbers, such as ".nan"."""
    try:
        return isinstance(scalar(value), str)
    except ValueError:
        return False


def starter(name: str) -> str:
    """A commented scenario to begin with, named ``name``."""
    text = files("drycell.sim.scenario").joinpath("starter.yaml").read_text(encoding="utf-8")
    plain = " ".join(re.findall(r"[A-Za-z0-9]+", name))[:100] or "my lot"
    return _NAME_LINE.sub(f'name: "{plain}"', text, count=1)
