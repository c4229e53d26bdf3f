"""The drycell command: thin; every verb calls one function of another room.

Rules
- stdout is data, stderr is talk. Exit codes: 0 holds, 1 violated, 2 unknown, 3 usage or tool error, 130 interrupted.
- A user never sees a traceback: bad input is one sentence, an internal error says where its traceback was written.
- ``verbs`` is the one page of all verbs and options; one small module per group of verbs does the work.
"""

from drycell.sim.cli.main import main

__all__ = ["main"]
