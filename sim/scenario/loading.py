"""Loading, changing and identifying scenarios.

Rules
- Every way in ends in the one model; every mistake leaves as a :class:`ScenarioError` that names its place.
- The canonical form is JSON with sorted keys and all defaults, so that equal scenarios are equal bytes.
- An override is a dotted key and a value, applied before validation: it is checked as if it stood in the file.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from drycell.sim.errors import DrycellError
from drycell.sim.scenario.mistakes import Finding, Mistake, ScenarioError, findings
from drycell.sim.scenario.model import Scenario
from drycell.sim.scenario.tree import MAX_JSON_BYTES, Tree, parse

_TYPES = {".yaml": False, ".yml": False, ".json": True}


def load(path: Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario in a ``.yaml``, ``.yml`` or ``.json`` file, with ``overrides`` (dotted key -> value) applied.

    Raises ScenarioError with all mistakes, each as ``file:line:column: cause; suggestion``, and DrycellError for a
    file that cannot be read.
    """
    if path.suffix.lower() not in _TYPES:
        raise DrycellError(f"{path}: unknown kind of file; name it .yaml or .json")
    text = _read(path)
    return from_text(
        text, name=str(path), as_json=_TYPES[path.suffix.lower()], folder=path.parent, overrides=overrides
    )


def from_text(
    text: bytes | str,
    *,
    name: str = "scenario",
    as_json: bool = False,
    folder: Path = Path(),
    overrides: Mapping[str, Any] | None = None,
) -> Scenario:
    """The scenario in ``text``; ``folder`` is where its relative paths start. Raises ScenarioError."""
    data = text.encode() if isinstance(text, str) else text
    return _validated(parse(data, name=name, as_json=as_json), name, folder, overrides or {})


def from_data(data: Mapping[str, Any], *, folder: Path = Path()) -> Scenario:
    """The scenario described by plain values, as they would come from a file. Raises ScenarioError."""
    return _validated(Tree(data), "scenario", folder, {}, placed=False)


def with_overrides(scenario: Scenario, **overrides: Any) -> Scenario:
    """A changed copy: ``with_overrides(s, seed=3, **{"devices.size": 100})``. Raises ScenarioError."""
    return _validated(Tree(_dump(scenario)), "scenario", scenario.folder, overrides, placed=False)


def canonical(scenario: Scenario) -> bytes:
    """The one spelling of a scenario: JSON, sorted keys, defaults left in, no line end."""
    return orjson.dumps(_dump(scenario), option=orjson.OPT_SORT_KEYS)


def identity(scenario: Scenario) -> str:
    """SHA-256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(scenario)).hexdigest()


def _dump(scenario: Scenario) -> dict[str, Any]:
    return scenario.model_dump(mode="json", by_alias=True)


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            raise DrycellError(f"{path}: there is no such file; check the name")
        if not path.is_file():
            raise DrycellError(f"{path}: not a file; name the scenario file itself")
        with path.open("rb") as file:
            return file.read(MAX_JSON_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DrycellError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _validated(tree: Tree, name: str, folder: Path, overrides: Mapping[str, Any], *, placed: bool = True) -> Scenario:
    data = tree.data
    if not isinstance(data, Mapping):
        found = "nothing" if data is None else "no mapping"
        at = tree.place(()) if placed else None
        raise ScenarioError([Mistake(name, at, f"{found} in here; a scenario begins with 'drycell: 1'")])
    if overrides:
        data = _long_form(data)
    for key, value in overrides.items():
        data = _overridden(data, key, key.split("."), value)
    if "cell.sites" in overrides and "cell.layout" not in overrides:
        data = _with_fitting_layout(data)
    try:
        return Scenario.model_validate(data).at_home(folder)
    except ValidationError as error:
        found_all = findings(error, Scenario)
    mistakes = [_placed(finding, tree if placed else None, name, overrides) for finding in found_all]
    raise ScenarioError(sorted(mistakes, key=lambda mistake: mistake.at or (0, 0)))


def _placed(finding: Finding, tree: Tree | None, name: str, overrides: Mapping[str, Any]) -> Mistake:
    dotted = ".".join(str(step) for step in finding.path)
    for key in overrides:
        if dotted == key or dotted.startswith(f"{key}."):
            return Mistake(f"override {key}", None, finding.text)
    at = None if tree is None else tree.place(finding.path, of_key=finding.of_key)
    return Mistake(name, at, finding.text)


def _overridden(data: Any, key: str, steps: list[str], value: Any) -> Any:
    """A copy of ``data`` with ``value`` at the end of ``steps``; mappings on the way are made, lists are not."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if data is None or isinstance(data, Mapping):
        holder: dict[Any, Any] = dict(data or {})
        name: Any = int(step) if step.isdecimal() and int(step) in holder else step
        holder[name] = _overridden(holder.get(name), key, rest, value)
        return holder
    if isinstance(data, list | tuple) and step.isdecimal() and int(step) < len(data):
        entries = list(data)
        entries[int(step)] = _overridden(entries[int(step)], key, rest, value)
        return entries
    if rest or not isinstance(data, str):
        raise ScenarioError([Mistake(f"override {key}", None, f"there is nothing called {step!r}; check the key")])
    return {step: value}  # a short form such as ``handler: model`` gives way


def _long_form(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with ``devices: {lot: 20}`` written as ``size``, so that either can be overridden."""
    devices = data.get("devices")
    if isinstance(devices, Mapping) and type(devices.get("lot")) is int and "size" not in devices:
        rest = {key: value for key, value in devices.items() if key != "lot"}
        return {**data, "devices": {**rest, "size": devices["lot"]}}
    return data


def _with_fitting_layout(data: dict[str, Any]) -> dict[str, Any]:
    """Other sites need other places: a layout that does not name exactly them gives way to the default."""
    cell = data.get("cell")
    if not isinstance(cell, Mapping) or not isinstance(cell.get("layout"), Mapping):
        return data
    sites = cell.get("sites")
    numbers = range(max(sites, 0)) if isinstance(sites, int) else sites
    if not isinstance(numbers, range | list | tuple):
        return data
    kept = {key: place for key, place in cell["layout"].items() if _number(key) in numbers}
    return {**data, "cell": {**cell, "layout": kept if len(kept) == len(numbers) else {}}}


def _number(key: object) -> object:
    return int(key) if isinstance(key, str) and key.isdecimal() else key
