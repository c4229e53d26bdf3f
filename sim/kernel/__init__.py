"""Clock, event loop on that clock, random streams and journal: the ground everything else stands on."""

from drycell.sim.kernel.clock import NS_PER_S, Clock, Timer, ns
from drycell.sim.kernel.journal import Event, Journal
from drycell.sim.kernel.kernel import Kernel
from drycell.sim.kernel.loop import Attached, KernelLoop, StuckError
from drycell.sim.kernel.pace import REAL, VIRTUAL, Pace
from drycell.sim.kernel.streams import stream

__all__ = [
    "NS_PER_S",
    "REAL",
    "VIRTUAL",
    "Attached",
    "Clock",
    "Event",
    "Journal",
    "Kernel",
    "KernelLoop",
    "Pace",
    "StuckError",
    "Timer",
    "ns",
    "stream",
]
