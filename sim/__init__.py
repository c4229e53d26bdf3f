"""The simulated test cell. Imports ``drycell.runtime``; reaches ``drycell.plugins_sim`` only through pluggy."""
