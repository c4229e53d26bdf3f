"""The palette of faults: what goes wrong, as pure decisions; the cell gives them a stage to act on.

A fault is a frozen value: its fields are what a scenario writes, ``inject`` is what it does. Nothing here may import
asyncio, sockets, processes, threads or a wall clock, nor the cell; everything is reached through :class:`Stage`.
"""

from drycell.sim.faults.base import Fault
from drycell.sim.faults.palette import PALETTE
from drycell.sim.faults.rules import MessageRule, PacketRule, ReplyRule, chain
from drycell.sim.faults.select import MessageFault
from drycell.sim.faults.stage import Devices, Files, Floor, Links, Packet, Programs, Stage

__all__ = [
    "PALETTE",
    "Devices",
    "Fault",
    "Files",
    "Floor",
    "Links",
    "MessageFault",
    "MessageRule",
    "Packet",
    "PacketRule",
    "Programs",
    "ReplyRule",
    "Stage",
    "chain",
]
