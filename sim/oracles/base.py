"""What an oracle is: a named promise and a pure function that judges a finished journal by it.

Rules
- An answer is ``holds``, ``violated`` or ``unknown``; unknown means that its precondition was never reached.
- A violation names the events that prove it and says in one sentence what happened, where and when.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from drycell.sim.cell.result import OracleResult
from drycell.sim.kernel import Event
from drycell.sim.oracles.facts import Facts


@dataclass(frozen=True, slots=True)
class Answer:
    """One oracle's finding, before the run says whether it was required."""

    verdict: Literal["holds", "violated", "unknown"]
    text: str
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Oracle:
    """``name`` is what ``expect`` says; ``promise`` one sentence for the docs."""

    name: str
    promise: str
    check: Callable[[Facts], Answer]

    def judge(self, facts: Facts, *, required: bool) -> OracleResult:
        """The result of this oracle on ``facts``."""
        answer = self.check(facts)
        return OracleResult(self.name, answer.verdict, answer.evidence, answer.text, required)


def at(event: Event) -> str:
    """When ``event`` happened, for sentences: ``at 12.345 s (event 67)``."""
    return f"at {event.t_ns / 1e9:.3f} s (event {event.seq})"
