"""What can be wrong with a plugin; each message is one sentence that names the plugin or the object."""


class PluginError(Exception):
    """A plugin cannot be used, or an object of it."""


class UnknownNameError(PluginError, LookupError):
    """Nobody offers an object of that name; the message holds the name."""


class DuplicateNameError(PluginError):
    """Two plugins offer the same name; the message names both."""
