"""Virtual time for real processes: the kernel side and the wire protocol."""

from drycell.sim.lockstep.debugging import DebugWish
from drycell.sim.lockstep.errors import (
    DeadlockError,
    HangError,
    LockstepError,
    NeverAttachedError,
    ZenoError,
)
from drycell.sim.lockstep.lockstep import Lockstep
from drycell.sim.lockstep.private import pinned_environment, private_folder, visa_environment
from drycell.sim.lockstep.process import Process
from drycell.sim.lockstep.settings import Finding, Settings

__all__ = [
    "DeadlockError",
    "DebugWish",
    "Finding",
    "HangError",
    "Lockstep",
    "LockstepError",
    "NeverAttachedError",
    "Process",
    "Settings",
    "ZenoError",
    "pinned_environment",
    "private_folder",
    "visa_environment",
]
