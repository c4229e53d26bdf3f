"""For tests of your own: a pytest plugin with a ``cell`` fixture, and strategies that draw scenarios.

The plugin is found by its entry point and costs nothing until a test asks for ``cell``. May import every room of
``drycell.sim`` but the command; nobody imports it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drycell.sim.explore import clean, fly, kinds, scenarios
    from drycell.sim.testing.cell import CellUnderTest, Flown

__all__ = ["CellUnderTest", "Flown", "clean", "fly", "kinds", "scenarios"]


def __getattr__(name: str) -> Any:
    if name in ("clean", "fly", "kinds", "scenarios"):
        from drycell.sim import explore

        return getattr(explore, name)
    if name in ("CellUnderTest", "Flown"):
        from drycell.sim.testing import cell

        return getattr(cell, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
