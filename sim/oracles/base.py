"""What an oracle is: a named promise and a pure function that judges a finished journal by it.

Rules
- An answer is ``holds``, ``violated`` or ``unknown``; unknown means that its precondition was never reached.
- A violation names the events that prove it and says in one sentence what happened, where, when and by whose fault.
- Every answer says how often the precondition was reached.
- An ambient oracle is judged in every run. The others are judged only when named under ``expect``, because the real
  packages break them in normal operation.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.cell.result import OracleResult
from drycell.sim.kernel import Event
from drycell.sim.oracles.facts import Facts


class Answer(NamedTuple):
    """One oracle's finding, before the run says whether it was required."""

    verdict: Literal["holds", "violated", "unknown"]
    text: str
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Oracle:
    """``name`` is what ``expect`` says; ``promise`` and ``needs`` (the precondition) are for the docs.

    ``dialects``: the protocols that make this promise.
    """

    name: str
    promise: str
    check: Callable[[Facts], Answer]
    needs: str = ""
    ambient: bool = True
    dialects: Collection[str] = tuple(DIALECTS)

    def applies_to(self, facts: Facts) -> bool:
        """Whether the dialect of ``facts`` makes this promise."""
        return facts.dialect.name in self.dialects

    def judge(self, facts: Facts, *, required: bool) -> OracleResult:
        """The result of this oracle on ``facts``."""
        if not self.applies_to(facts):
            text = f"dialect {facts.dialect.name} does not promise this"
            return OracleResult(self.name, "unknown", (), text, required)
        answer = self.check(facts)
        return OracleResult(self.name, answer.verdict, answer.evidence, answer.text, required)


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise: what happened, the moment, and all events that prove it (the moment is always among them)."""

    text: str
    event: Event
    others: tuple[Event, ...] = ()


Case = Breach | None
"""What one occurrence of the precondition came to: None when the promise was kept."""


def cases(find: Callable[[Facts], Iterator[Case]], *, held: str, unknown: str) -> Callable[[Facts], Answer]:
    """A check out of ``find``, which yields a case each time the precondition is reached.

    The first breach decides. ``held`` is the sentence for none, with ``{count}``; ``unknown`` the one for no case.
    """

    def check(facts: Facts) -> Answer:
        count = 0
        for case in find(facts):
            count += 1
            if case is not None:
                proof = sorted({case.event.seq, *(event.seq for event in case.others)})
                return Answer("violated", f"{case.text} {at(case.event)}", tuple(proof))
        return Answer("holds", held.format(count=count)) if count else Answer("unknown", unknown)

    return check


def at(event: Event) -> str:
    """When ``event`` happened, for sentences: ``at 12.345 s (event 67)``."""
    return f"at {event.t_ns / 1e9:.3f} s (event {event.seq})"
