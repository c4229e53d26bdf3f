"""Foreign plugins: kept out of this process, in a plugin host of the user's interpreter, and asked over a socket."""

from drycell.sim.foreign.host import HostedObject, HostedPlugin, PluginHost

__all__ = ["HostedObject", "HostedPlugin", "PluginHost"]
