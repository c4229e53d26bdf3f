"""drycell: a flight simulator for semiconductor test cells.

The code lives in ``drycell.runtime`` (contracts that also hold on a real bench), ``drycell.sim`` (the simulated
cell) and ``drycell.plugins_sim`` (simulated devices and instruments); this marker package only names them.
"""

__version__ = "0.1.0"
