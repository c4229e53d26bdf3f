"""Master, control, TCC, handler, modelled sequencer, process launcher, and their assembly into a cell.

``drycell.sim.cell.run.run`` is the way in. Peers import neither asyncio nor a socket: they act through ``port.Port``.
"""
