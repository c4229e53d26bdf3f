"""What can go wrong with a process in lockstep; every message says which process, what it did, and what to do."""

from drycell.sim.errors import DrycellError


class LockstepError(DrycellError):
    """The world cannot go on as simulated: see the message. The run is over."""


class NeverAttachedError(LockstepError):
    """A program was started but its interpreter never loaded the shim."""


class HangError(LockstepError):
    """A process ran longer than the guard allows without giving the baton on."""


class DeadlockError(LockstepError):
    """Nothing is scheduled and every process waits for something that cannot come."""


class ZenoError(LockstepError):
    """Processes keep acting at one instant without end."""
