"""What can be wrong with a plugin; each message is one sentence that names the plugin or the object."""


class PluginError(Exception):
    """A plugin cannot be used, or an object of it."""


class UnknownNameError(PluginError, LookupError):
    """Nobody offers an object of that name; the message holds the name."""


class DuplicateNameError(PluginError):
    """Two plugins offer the same name; the message names both."""


class RemoteError(Exception):
    """What a plugin in another process raised: ``kind`` is the name of its exception type."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def words(error: BaseException) -> str:
    """Type and first line of an exception, wherever it was raised."""
    kind = error.kind if isinstance(error, RemoteError) else type(error).__name__
    text = (str(error).splitlines() or [""])[0]
    return f"{kind}: {text}" if text else kind
