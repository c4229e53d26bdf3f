"""The one family of errors that a user may see: each says what was wrong, where, and what would be right."""


class DrycellError(Exception):
    """Bad input or an impossible request. ``str(error)`` is one clear sentence; the command prints it and exits 3."""
