"""Oracles: pure functions from a journal to a verdict. Never look into a live cell."""

from collections.abc import Collection, Iterator

from drycell.sim.cell.result import OracleResult
from drycell.sim.errors import DrycellError
from drycell.sim.oracles.access import ACCESS_ORACLES
from drycell.sim.oracles.base import Answer, Oracle
from drycell.sim.oracles.conduct import CONDUCT_ORACLES
from drycell.sim.oracles.expectations import FORMS, compiled
from drycell.sim.oracles.facts import Facts
from drycell.sim.oracles.files import FILE_ORACLES
from drycell.sim.oracles.lot import LOT_ORACLES
from drycell.sim.oracles.options import OPTION_ORACLES
from drycell.sim.oracles.peripherals import PERIPHERAL_ORACLES
from drycell.sim.oracles.programs import PROGRAM_ORACLES
from drycell.sim.oracles.records import RECORD_ORACLES
from drycell.sim.oracles.states import STATE_ORACLES
from drycell.sim.oracles.system_errors import SYSTEM_ERROR_ORACLES
from drycell.sim.oracles.trouble import TROUBLE_ORACLES
from drycell.sim.oracles.truth import TRUTH_ORACLES
from drycell.sim.oracles.values import VALUE_ORACLES
from drycell.sim.suggest import did_you_mean

ORACLES = {
    oracle.name: oracle
    for oracle in (
        *LOT_ORACLES,
        *RECORD_ORACLES,
        *VALUE_ORACLES,
        *TRUTH_ORACLES,
        *OPTION_ORACLES,
        *PERIPHERAL_ORACLES,
        *PROGRAM_ORACLES,
        *TROUBLE_ORACLES,
        *FILE_ORACLES,
        *ACCESS_ORACLES,
        *STATE_ORACLES,
        *CONDUCT_ORACLES,
        *SYSTEM_ERROR_ORACLES,
    )
}
"""All oracles by the name that ``expect`` uses, in the order they are reported."""


def check_names(names: Collection[str]) -> None:
    """Raises DrycellError for an entry of ``expect`` that is neither an oracle nor a sentence of the vocabulary."""
    for name in names:
        if name not in ORACLES and compiled(name) is None:
            known = [*ORACLES, *(form.example for form in FORMS)]
            raise DrycellError(f"expect: {name!r} is neither an oracle nor a sentence; {did_you_mean(name, known)}")


def judge(facts: Facts, required: Collection[str]) -> tuple[OracleResult, ...]:
    """The results on ``facts`` of all ambient oracles and of those in ``required``, which count when unknown."""
    return tuple(
        oracle.judge(facts, required=oracle.name in required)
        for oracle in (*ORACLES.values(), *_sentences(required))
        if (oracle.ambient and oracle.applies_to(facts)) or oracle.name in required
    )


def _sentences(required: Collection[str]) -> Iterator[Oracle]:
    for name in required:
        oracle = None if name in ORACLES else compiled(name)
        if oracle is not None:
            yield oracle


__all__ = ["ORACLES", "Answer", "Facts", "Oracle", "check_names", "judge"]
