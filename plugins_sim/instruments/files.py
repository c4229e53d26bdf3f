"""Reading the YAML files of a bench: plain values only, every mistake with its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drycell.sim.errors import DrycellError


def read_file(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML or JSON file. Raises DrycellError if it cannot be read or holds something else."""
    from drycell.sim.scenario.tree import parse  # here: its package is slow to import, and a bench needs no file

    try:
        text = path.read_bytes()
    except OSError as error:
        raise DrycellError(f"{path} cannot be read ({error.strerror or error}).") from None
    data = parse(text, name=str(path), as_json=path.suffix == ".json").data
    if not isinstance(data, Mapping):
        raise DrycellError(f"{path} holds no mapping; begin with a key such as instruments:.")
    return data


def section(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """The mapping under ``key``, empty if it is missing. Raises DrycellError for another kind of value."""
    value = data.get(key, {})
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise DrycellError(f"{where}: {key} must be a mapping of names.")
    return value


def refuse_unknown(data: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Raise DrycellError for a key that has no meaning."""
    for key in data:
        if key not in known:
            raise DrycellError(f"{where}: there is no key {key!r}; known are {', '.join(known)}.")
