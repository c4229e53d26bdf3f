"""Topic names and filters: the rules of MQTT 3.1.1 section 4.7, and an index whose cost ignores unrelated filters.

Rules that hold here:
* Matches come in order of subscription, so that the order of deliveries never depends on hashing.
* A wildcard at the first level never matches a topic that begins with ``$`` [MQTT-4.7.2-1].
"""

from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

_CACHE_SIZE = 4096


@lru_cache(maxsize=_CACHE_SIZE)
def filter_fault(topic_filter: str) -> str | None:
    """Why ``topic_filter`` is not a valid filter of MQTT 3.1.1 (section 4.7.1), or None when it is valid."""
    levels = topic_filter.split("/")
    if not topic_filter or "\0" in topic_filter:
        return "a filter is not empty and has no U+0000 [MQTT-4.7.3-1]"
    if any("#" in level and (level != "#" or index != len(levels) - 1) for index, level in enumerate(levels)):
        return "# stands alone at the last level [MQTT-4.7.1-2]"
    if any("+" in level and level != "+" for level in levels):
        return "+ fills a whole level [MQTT-4.7.1-3]"
    return None


def matches(topic: str, topic_filter: str) -> bool:
    """Whether ``topic`` matches ``topic_filter`` (section 4.7)."""
    if topic_filter == topic:
        return True
    if topic[:1] == "$" and topic_filter[:1] in ("+", "#"):
        return False
    names = topic.split("/")
    levels = topic_filter.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(names) or level not in ("+", names[index]):
            return False
    return len(levels) == len(names)


class _Node(Generic[T]):
    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.entries: dict[T, tuple[int, int]] = {}  # owner -> (sequence, qos)


class FilterIndex(Generic[T]):
    """Which owners subscribed to a topic, and with which QoS.

    Filters without wildcards stand by themselves, the others in a tree of topic levels, with a cache of whole topics
    in front of both: a message on a topic that was seen since the last change of subscriptions costs one dictionary
    access. With ``merge`` an owner appears once, at the place of its oldest matching filter and with the highest QoS
    of all [MQTT-3.3.5-1]; else once per matching filter.
    """

    def __init__(self, *, merge: bool = True) -> None:
        self._merge = merge
        self._plain: dict[str, _Node[T]] = {}
        self._root: _Node[T] = _Node()
        self._sequence = 0
        self._cache: dict[str, tuple[tuple[T, int], ...]] = {}

    def add(self, topic_filter: str, owner: T, qos: int) -> None:
        """Subscribe ``owner``; an equal filter of the same owner is replaced in place [MQTT-3.8.4-3]."""
        if not _has_wildcard(topic_filter):
            node = self._plain.setdefault(topic_filter, _Node())
        else:
            node = self._root
            for level in topic_filter.split("/"):
                node = node.children.setdefault(level, _Node())
        known = node.entries.get(owner)
        if known is None:
            self._sequence += 1
        node.entries[owner] = (known[0] if known else self._sequence, qos)
        self._forget(topic_filter)

    def remove(self, topic_filter: str, owner: T) -> bool:
        """Take the subscription away; False when there was none. Empty branches of the tree go with it."""
        removed = self._remove_plain if not _has_wildcard(topic_filter) else self._remove_wild
        if not removed(topic_filter, owner):
            return False
        self._forget(topic_filter)
        return True

    def _remove_plain(self, topic_filter: str, owner: T) -> bool:
        node = self._plain.get(topic_filter)
        if node is None or node.entries.pop(owner, None) is None:
            return False
        if not node.entries:
            del self._plain[topic_filter]
        return True

    def _remove_wild(self, topic_filter: str, owner: T) -> bool:
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            node = path[-1].children.get(level)
            if node is None:
                return False
            path.append(node)
        if path[-1].entries.pop(owner, None) is None:
            return False
        for level, parent, node in zip(reversed(levels), reversed(path[:-1]), reversed(path[1:]), strict=True):
            if node.entries or node.children:
                break
            del parent.children[level]
        return True

    def _forget(self, topic_filter: str) -> None:
        """Whose answers may have changed; peers listen to single topics for the time of one question."""
        if _has_wildcard(topic_filter):
            self._cache.clear()
        else:
            self._cache.pop(topic_filter, None)

    def match(self, topic: str) -> tuple[tuple[T, int], ...]:
        """All (owner, QoS) whose filter matches ``topic``, in order of subscription."""
        found = self._cache.get(topic)
        if found is None:
            hits = [(entry, owner) for node in self._nodes(topic) for owner, entry in node.entries.items()]
            hits.sort(key=_sequence)
            if self._merge:
                highest: dict[T, int] = {}
                for (_, qos), owner in hits:
                    highest[owner] = max(qos, highest.get(owner, 0))
                found = tuple(highest.items())
            else:
                found = tuple((owner, qos) for (_, qos), owner in hits)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[topic] = found
        return found

    def _nodes(self, topic: str) -> list["_Node[T]"]:
        """The nodes of all filters that match."""
        plain = self._plain.get(topic)
        found = [] if plain is None else [plain]
        nodes = [self._root]
        wild = topic[:1] != "$"
        for name in topic.split("/"):
            following: list[_Node[T]] = []
            for node in nodes:
                children = node.children
                if wild:
                    if "#" in children:
                        found.append(children["#"])
                    if "+" in children:
                        following.append(children["+"])
                if name in children and name not in ("+", "#"):
                    following.append(children[name])
            nodes, wild = following, True
            if not nodes:
                return found
        return found + nodes + [node.children["#"] for node in nodes if "#" in node.children]


def _has_wildcard(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter


def _sequence(hit: tuple[tuple[int, int], object]) -> int:
    return hit[0][0]
