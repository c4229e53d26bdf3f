"""Which genome is flown next: half of them new, half of them changes of those that reached something new. Pure.

Rules
- Runs are numbered from 1 and grouped into rounds. What a round is made of depends on the seed and on the results of
  all rounds but the one before it. So a round can be flown while the last runs of the one before are still in the
  air, and the same seed gives the same genomes whatever the number of workers and the order in which they finish.
- A genome that reached a feature which no earlier run had reached is kept. Rare features make it more likely to be
  changed again.
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from drycell.sim.explore.coverage import Coverage, Feature
from drycell.sim.explore.drawing import GENOME_BYTES, genome

ROUND = 32
"""Runs in a round."""
_CHANGED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Kept:
    dna: bytes
    reached: frozenset[Feature]


class Schedule:
    """The order of a search under ``seed``. ``coverage`` counts the rounds that are complete."""

    def __init__(self, seed: int, coverage: Coverage) -> None:
        self._seed = seed
        self.coverage = coverage
        self._kept: list[_Kept] = []
        self._corpora: dict[int, tuple[list[_Kept], list[float]]] = {0: ([], []), 1: ([], [])}
        self._landed: dict[int, tuple[bytes, frozenset[Feature]]] = {}
        self._rounds_done = 0

    def ready(self, number: int) -> bool:
        """Whether everything is known that run ``number`` depends on."""
        return _round(number) <= self._rounds_done + 1

    def genome(self, number: int) -> bytes:
        """The genome of run ``number``, which must be ready."""
        corpus, weights = self._corpora[_round(number)]
        rng = random.Random(f"{self._seed}/schedule/{number}")
        fresh = genome(self._seed, number)
        if not corpus or rng.random() >= _CHANGED_SHARE:
            return fresh
        first, second = rng.choices(corpus, weights, k=2)
        return changed(first.dna, second.dna, fresh, rng)

    def land(self, number: int, dna: bytes, reached: Collection[Feature]) -> None:
        """Run ``number`` is over; ``dna``: the part of its genome that was needed."""
        self._landed[number] = dna, frozenset(reached)
        while self._complete():
            self._merge()

    def finish(self) -> None:
        """No more runs: count those of rounds that are not complete."""
        for number in sorted(self._landed):
            self.coverage.add(self._landed.pop(number)[1])

    def _complete(self) -> bool:
        first = self._rounds_done * ROUND + 1
        return all(number in self._landed for number in range(first, first + ROUND))

    def _merge(self) -> None:
        first = self._rounds_done * ROUND + 1
        for number in range(first, first + ROUND):
            dna, reached = self._landed.pop(number)
            if self.coverage.add(reached):
                self._kept.append(_Kept(dna, reached))
        self._rounds_done += 1
        self._corpora.pop(self._rounds_done - 2, None)
        weights = [max(map(self.coverage.rarity, kept.reached)) for kept in self._kept]
        self._corpora[self._rounds_done + 1] = list(self._kept), weights


def changed(dna: bytes, other: bytes, fresh: bytes, rng: random.Random) -> bytes:
    """A change of ``dna``: a new end, the end of another one, a few new bytes, or a new piece in the middle."""
    at = rng.randrange(len(dna)) if dna else 0
    length = rng.choice((1, 2, 4, 16))
    ways: Mapping[str, bytes] = {
        "new end": dna[:at],
        "other end": dna[:at] + other[at:],
        "new bytes": dna[:at] + fresh[:length] + dna[at + length :],
        "without": dna[:at] + dna[at + length :],
        "inserted": dna[:at] + fresh[:length] + dna[at:],
    }
    begun = ways[rng.choice(tuple(ways))]
    return (begun + fresh)[:GENOME_BYTES]


def _round(number: int) -> int:
    return (number - 1) // ROUND
