"""SDK for test programs: tests, limits, bins, teardowns; the same file runs on a bench and in the simulated cell.

Lives here: what an author writes against (``definition``, ``context``), how a device is tested (``cycle``), the
sequencer that follows the master (``sequencer``), and the port to the world (``world``) with the one for a bench
(``bench``). Nothing here knows of a simulation.
"""

from drycell.runtime.program.context import Context, Proxy
from drycell.runtime.program.definition import Limit, Program
from drycell.runtime.program.errors import ProgramError, ProxyError

__all__ = ["Context", "Limit", "Program", "ProgramError", "Proxy", "ProxyError"]
