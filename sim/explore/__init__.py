"""The search for scenarios in which somebody breaks a promise: drawing, flying, covering, reducing, keeping.

May import every other room of ``drycell.sim`` but the command; nobody but the command and ``sim/testing`` imports it.
"""

from drycell.sim.explore.flight import Flight, Violation, fly

__all__ = ["Flight", "Violation", "fly"]
