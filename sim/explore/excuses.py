"""Which broken promises are the scenario's own doing, and so no finding. Pure.

Rules
- The oracles excuse most of it themselves: where a fault concerns a site in a touchdown, that site's promises about
  it are not judged (docs/oracles.md), and promises of everybody else still are.
- ``lot completes`` is what the floor wants, not what anybody promises. A fault, a button at the master's panel or a
  limit may well prevent it; only in an undisturbed run is an incomplete lot somebody's defect.
- A violation that the *reference* shows too, the same scenario with modelled peers and the modelled program, is not
  charged to the program under test (:mod:`drycell.sim.explore.search`).
"""

from collections.abc import Iterable

from drycell.sim.kernel import Event
from drycell.sim.scenario import Scenario

WISHES = frozenset({"lot completes"})
"""Oracles that say what the floor wants."""


def excused(oracle: str, scenario: Scenario, events: Iterable[Event]) -> bool:
    """Whether a violation of ``oracle`` is the doing of ``scenario``, whose run had these events."""
    return oracle in WISHES and (_presses_buttons(scenario) or any(_disturbs(event) for event in events))


def _presses_buttons(scenario: Scenario) -> bool:
    return any(step.do.operator is not None and step.do.operator.command is not None for step in scenario.timeline)


def _disturbs(event: Event) -> bool:
    if event.kind == "end":
        return str(event.fields.get("reason", "")).startswith("stopped")
    return event.kind in ("fault", "effect")
