"""Whether a journal event is the occurrence that a trigger names. Pure."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drycell.runtime.protocol.topics import Topics, site_of
from drycell.sim.faults.select import kind_of, state_in, topic_fits
from drycell.sim.kernel import Event
from drycell.sim.scenario import Trigger


class Present(Protocol):
    """What is in contact now."""

    def part_at(self, site: str) -> str | None:
        """The part id at ``site``."""

    @property
    def lot_name(self) -> str | None:
        """The lot in work."""


def recognise(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
    """Whether ``event`` is what ``trigger`` waits for."""
    if trigger.lot is not None and event.kind in ("contact", "message"):
        lot = event.fields["lot"] if event.kind == "contact" else present.lot_name
        if lot != trigger.lot:
            return False
    if event.kind == "contact":
        return _in_contact(trigger, event)
    return event.kind == "message" and _said(topics, present, trigger, event)


def _in_contact(trigger: Trigger, event: Event) -> bool:
    if trigger.touchdown is not None:
        return bool(event.fields["touchdown"] == trigger.touchdown)
    alone = trigger.says is None and trigger.command is None and trigger.topic is None
    return alone and any(entry["device"] == trigger.part for entry in event.fields["sites"])


def _said(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
    kind = next((name for name in _KINDS if getattr(trigger, name) is not None), None)
    return kind is not None and _KINDS[kind](topics, present, trigger, event)


def _says(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
    topic = event.fields["topic"]
    kind, site = kind_of(topics, topic), site_of(topic)
    if trigger.site is not None and site != str(trigger.site):
        return False
    if kind != trigger.says and not (kind == "status" and state_in(_content(event)) == trigger.says):
        return False
    return trigger.part is None or present.part_at(site) == str(trigger.part)


def _role_is(kind: str, key: str) -> Callable[[Topics, Present, Trigger, Event], bool]:
    def check(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
        topic = event.fields["topic"]
        if kind_of(topics, topic) != kind or (trigger.site is not None and site_of(topic) != str(trigger.site)):
            return False
        return bool(state_in(_content(event)) == getattr(trigger, key))

    return check


def _commands(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
    if kind_of(topics, event.fields["topic"]) not in ("program-command", "control-command"):
        return False
    content = _content(event)
    if content.get("command") != trigger.command:
        return False
    sites = content.get("sites")
    return _has_part(present, trigger, sites if isinstance(sites, list) else [])


def _comes(topics: Topics, present: Present, trigger: Trigger, event: Event) -> bool:
    topic = event.fields["topic"]
    if not topic_fits(str(trigger.topic), topic) or (trigger.contains or "") not in event.fields.get("payload", ""):
        return False
    return _has_part(present, trigger, [site_of(topic)])


def _has_part(present: Present, trigger: Trigger, sites: list[Any]) -> bool:
    return trigger.part is None or any(present.part_at(str(site)) == str(trigger.part) for site in sites)


def _content(event: Event) -> dict[str, Any]:
    try:
        content = json.loads(event.fields.get("payload", "{}"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


_KINDS: Mapping[str, Callable[[Topics, Present, Trigger, Event], bool]] = {
    "says": _says,
    "master": _role_is("master-status", "master"),
    "handler": _role_is("handler-status", "handler"),
    "control": _role_is("control-status", "control"),
    "command": _commands,
    "topic": _comes,
}
