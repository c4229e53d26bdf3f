"""Which broken promises are the scenario's own doing, and so no finding. Pure.

Rules
- The oracles excuse most of it themselves: where a fault concerns a site in a touchdown, that site's promises about
  it are not judged (docs/oracles.md), and promises of everybody else still are.
- ``lot completes`` is what the floor wants, not what anybody promises. A fault, a button at the master's panel or a
  limit may well prevent it; only in an undisturbed run is an incomplete lot somebody's defect. What the operator sets
  while programs are being loaded reaches only those that run already, so that disturbs as well.
- A violation that the *reference* shows too, the same scenario with modelled peers and the modelled program, is not
  charged to the program under test (:mod:`drycell.sim.explore.search`).
"""

from collections.abc import Iterable, Sequence

from drycell.sim.kernel import Event
from drycell.sim.scenario import Scenario

WISHES = frozenset({"lot completes"})
"""Oracles that say what the floor wants."""


def excused(oracle: str, scenario: Scenario, events: Sequence[Event]) -> bool:
    """Whether a violation of ``oracle`` is the doing of ``scenario``, whose run had these events."""
    if oracle not in WISHES:
        return False
    return _presses_buttons(scenario) or any(map(_disturbs, events)) or _set_while_loading(events)


def _presses_buttons(scenario: Scenario) -> bool:
    return any(step.do.operator is not None and step.do.operator.command is not None for step in scenario.timeline)


def _set_while_loading(events: Iterable[Event]) -> bool:
    master = ""
    for event in events:
        if event.kind == "state" and event.actor == "master":
            master = event.fields["to"]
        elif event.kind == "operator" and master == "loading":
            return True
    return False


def _disturbs(event: Event) -> bool:
    if event.kind == "end":
        return str(event.fields.get("reason", "")).startswith("stopped")
    return event.kind in ("fault", "effect")
