"""The search for scenarios in which somebody breaks a promise: drawing, flying, covering, reducing, keeping.

May import every other room of ``drycell.sim`` but the command; nobody but the command and ``sim/testing`` imports it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from drycell.sim.errors import DrycellError
from drycell.sim.explore.flight import Flight, Violation, fly

if TYPE_CHECKING:
    from drycell.sim.explore.steps import kinds
    from drycell.sim.explore.strategies import clean, scenarios

__all__ = ["Flight", "Violation", "clean", "fly", "kinds", "scenarios"]
_DRAWN = {"kinds": "steps", "clean": "strategies", "scenarios": "strategies"}
"""What needs Hypothesis, which is an extra, and the module it is in."""


def __getattr__(name: str) -> Any:
    if name not in _DRAWN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"drycell.sim.explore.{_DRAWN[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise DrycellError("drawing scenarios needs Hypothesis; pip install 'drycell[explore]'") from None
