"""Comparing runs: where two journals part. Reads run directories only; never looks into a live cell."""

from drycell.sim.replay.divergence import Divergence, first_divergence

__all__ = ["Divergence", "first_divergence"]
