"""What oracles read: a run's events in order, with the messages among them decoded once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.kernel import Event


@dataclass(frozen=True, slots=True)
class Heard:
    """One message on the broker. ``content`` is its JSON object or None; ``site`` is "" for a topic without one."""

    event: Event
    topic: str
    site: str
    content: Mapping[str, Any] | None


@dataclass(frozen=True)
class Facts:
    """A journal as oracles see it. ``device_id`` and ``handler_id`` are those of the cell's topics."""

    events: Sequence[Event]
    device_id: str
    handler_id: str
    lot_size: int

    @property
    def topics(self) -> Topics:
        return Topics(self.device_id, self.handler_id)

    def of_kind(self, *kinds: str) -> Iterator[Event]:
        """Events of these kinds, in order."""
        return (event for event in self.events if event.kind in kinds)

    @cached_property
    def messages(self) -> Sequence[Heard]:
        """All messages, in the order they passed the broker."""
        return [_heard(event) for event in self.of_kind("message")]

    def program(self, kind: str) -> Iterator[Heard]:
        """Messages of the test programs on their ``kind`` topics."""
        start = f"ate/{self.device_id}/TestApp/{kind}/"
        return (heard for heard in self.messages if heard.topic.startswith(start))


def _heard(event: Event) -> Heard:
    try:
        content = json.loads(event.fields["payload"])
    except (KeyError, ValueError):
        content = None
    topic = event.fields["topic"]
    return Heard(event, topic, site_of(topic), content if isinstance(content, dict) else None)
