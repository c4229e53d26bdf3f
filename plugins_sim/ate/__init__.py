"""drycell as an ATE.org plugin: simulated testers, instruments, actuators, importers, exporters, equipment."""

from drycell.plugins_sim.ate.plugin import Plugin

plugin = Plugin()
"""What the entry point names: an instance, so that the published packages can register it as it is."""

__all__ = ["Plugin", "plugin"]
