"""Values that one test leaves for another, by part: a general purpose function."""

from collections import OrderedDict

from drycell.runtime.plugins.interfaces import Configurable

PARTS_KEPT = 10_000


class PartCache(Configurable):
    """Keeps the values of the last 10,000 parts."""

    def __init__(self) -> None:
        self._parts: OrderedDict[str, dict[str, float]] = OrderedDict()

    def publish(self, part_id: str, name: str, value: float) -> None:
        """Keep a value."""
        self._parts.setdefault(part_id, {})[name] = value
        self._parts.move_to_end(part_id)
        if len(self._parts) > PARTS_KEPT:
            self._parts.popitem(last=False)

    def get_value(self, part_id: str, name: str) -> float | None:
        """A kept value, None when there is none."""
        return self._parts.get(part_id, {}).get(name)

    def drop_part(self, part_id: str) -> None:
        """Forget a part."""
        self._parts.pop(part_id, None)
