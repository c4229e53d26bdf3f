"""The run store: one folder per run, holding everything that is known about it.

Rules
- A folder is complete in itself: it can be moved, zipped and shown elsewhere.
- Wall-clock facts stand in ``environment.json`` and ``wall.json`` only; the journal has simulated facts.
- What was learnt stays: a run that fails keeps its folder, with one sentence why.
"""

from drycell.sim.runs.store import Run, RunStore, State, write_json

__all__ = ["Run", "RunStore", "State", "write_json"]
