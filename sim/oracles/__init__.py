"""Oracles: pure functions from a journal to a verdict. Never look into a live cell."""
