"""Values on the wire: JSON as it is, everything else as a reference to what stays here."""

from __future__ import annotations

import base64
import logging
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_LIMIT = 30
OBJECT_LIMIT = 10_000


class Logger(logging.Logger):
    """A logger as plugins expect one: that of the packages (``log_message``) and that of the standard library."""

    def log_message(self, level: Any, text: str) -> None:
        """The packages' way to log."""
        self.info("%s: %s", level, text)


class Store:
    """The objects that the other side knows by number."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}
        self._count = 0
        self.logger = Logger("drycell.plugins")
        self.logger.addHandler(logging.StreamHandler(sys.stderr))

    def known(self, number: Any) -> Any:
        """The object with that number. Raises LookupError for one that is not or no longer known."""
        if number not in self._objects:
            raise LookupError(f"there is no object {number!r}")
        return self._objects[number]

    def drop(self, number: Any) -> None:
        """Forget an object."""
        self._objects.pop(number, None)

    def read(self, value: Any) -> Any:
        """A value from the wire."""
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if isinstance(value, dict):
            if "$object" in value:
                return self.known(value["$object"])
            if "$bytes" in value:
                return base64.b64decode(value["$bytes"])
            if "$logger" in value:
                return self.logger
            return {key: self.read(item) for key, item in value.items()}
        return value

    def shown(self, value: Any, depth: int = 0) -> Any:
        """A value for the wire. Raises ValueError for what is nested too deeply."""
        if depth > DEPTH_LIMIT:
            raise ValueError(f"a value is nested more than {DEPTH_LIMIT} deep")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (bytes, bytearray)):
            return {"$bytes": base64.b64encode(value).decode()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.shown(item, depth + 1) for item in value]
        if isinstance(value, dict) and not any(str(key).startswith("$") for key in value):
            return {str(key): self.shown(item, depth + 1) for key, item in value.items()}
        if hasattr(value, "tolist"):  # numpy's arrays and numbers
            return self.shown(value.tolist(), depth + 1)
        return self._reference(value)

    def _reference(self, value: Any) -> dict[str, Any]:
        if len(self._objects) >= OBJECT_LIMIT:
            raise ValueError(f"more than {OBJECT_LIMIT} objects are in use")
        self._count += 1
        self._objects[self._count] = value
        kind = value if isinstance(value, type) else type(value)
        names = [name for name in dir(kind) if not name.startswith("_")]
        attributes = {name: getattr(kind, name, None) for name in names}
        return {
            "$object": self._count,
            "class": f"{kind.__module__}.{kind.__qualname__}",
            "is_class": isinstance(value, type),
            "methods": [name for name, one in attributes.items() if callable(one)],
            "data": {name: one for name, one in attributes.items() if isinstance(one, (bool, int, float, str))},
        }
