"""What can go wrong with an instrument. A timeout is the built-in TimeoutError, a bad argument ValueError."""


class InstrumentError(OSError):
    """The instrument refused a command or answered what cannot be understood."""


class NotConnectedError(ConnectionError):
    """There is no connection, or it broke."""
