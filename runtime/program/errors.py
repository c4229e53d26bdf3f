"""What can be wrong with a test program; ``str(error)`` is one clear sentence."""


class ProgramError(Exception):
    """A program that is not well made, or was started or asked in a way that it cannot follow."""


class ProxyError(ProgramError):
    """A peripheral did not answer in time, or its answer says that it has not done what was asked."""
