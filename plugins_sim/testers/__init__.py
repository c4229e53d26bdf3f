"""Simulated testers: the lines between the sites and the master, and the ATE.org objects at both ends of them."""

from drycell.plugins_sim.testers.lines import MODELS, Lines, parallel_lines, single_lines
from drycell.plugins_sim.testers.testers import (
    PARALLEL_TESTERS,
    ParallelTester,
    ParallelTesterMaster,
    SingleTester,
    SingleTesterMaster,
)

__all__ = [
    "MODELS",
    "PARALLEL_TESTERS",
    "Lines",
    "ParallelTester",
    "ParallelTesterMaster",
    "SingleTester",
    "SingleTesterMaster",
    "parallel_lines",
    "single_lines",
]
