"""Simulated instruments and the servers that put them on the network. Pure behaviour apart from the servers."""
