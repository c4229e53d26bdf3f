"""Reports: what a run directory says, as one HTML file, as text and for other tools.

Lives here: the reading of a finished run (``collected``), sentences about it (``story``), the page (``page`` and
``assets``) and the exports. Reads run directories only; never imports a live cell, broker or kernel loop.
"""

from drycell.sim.report.build import REPORT, write_report
from drycell.sim.report.collected import Collected, collect

__all__ = ["REPORT", "Collected", "collect", "write_report"]
