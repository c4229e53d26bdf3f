"""Oracles: pure functions from a journal to a verdict. Never look into a live cell."""

from collections.abc import Collection

from drycell.sim.cell.result import OracleResult
from drycell.sim.errors import DrycellError
from drycell.sim.oracles.base import Answer, Oracle
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.lot import LOT_ORACLES
from drycell.sim.oracles.states import STATE_ORACLES
from drycell.sim.suggest import did_you_mean

ORACLES = {oracle.name: oracle for oracle in (*LOT_ORACLES, *STATE_ORACLES)}
"""All oracles by the name that ``expect`` uses, in the order they are reported."""


def check_names(names: Collection[str]) -> None:
    """Raises DrycellError for a name under ``expect`` that is no oracle."""
    for name in names:
        if name not in ORACLES:
            raise DrycellError(f"expect: {name!r} is no oracle; {did_you_mean(name, ORACLES)}")


def judge(facts: Facts, required: Collection[str]) -> tuple[OracleResult, ...]:
    """Every oracle's result on ``facts``; those named in ``required`` count when unknown."""
    return tuple(oracle.judge(facts, required=oracle.name in required) for oracle in ORACLES.values())


__all__ = ["ORACLES", "Answer", "Facts", "Oracle", "check_names", "judge"]
