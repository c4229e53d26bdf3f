"""Physics of a bench: air, case and junction temperatures and the circuit around a device, all functions of time.

No asyncio, socket, wall clock or global random here: time is an argument in integer nanoseconds.
"""

from drycell.plugins_sim.physics.circuit import Circuit, Solution
from drycell.plugins_sim.physics.dut_site import Reading, Site
from drycell.plugins_sim.physics.engine import ElectricalState, PhysicsEngine, ThermalState
from drycell.plugins_sim.physics.thermal import Air, PhysicsError, ThermalConstants
from drycell.plugins_sim.physics.world import World

__all__ = [
    "Air",
    "Circuit",
    "ElectricalState",
    "PhysicsEngine",
    "PhysicsError",
    "Reading",
    "Site",
    "Solution",
    "ThermalConstants",
    "ThermalState",
    "World",
]
