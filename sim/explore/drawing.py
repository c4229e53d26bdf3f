"""From a seed and a number, or from bytes, to a scenario: the same one every time and everywhere.

A *genome* is what a strategy makes a scenario of: random bytes. Equal genomes are equal scenarios, genomes that begin
alike make scenarios that begin alike, and any bytes are a genome. Hypothesis defines the meaning of the bytes
(``fuzz_one_input``), so equal runs need equal versions of it.
"""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from drycell.sim.scenario import Scenario

GENOME_BYTES = 2048
"""More than any scenario needs."""
_ATTEMPTS = 8


def genome(seed: int, number: int, attempt: int = 0) -> bytes:
    """The random bytes of run ``number`` under ``seed``."""
    return random.Random(f"{seed}/{number}/{attempt}").randbytes(GENOME_BYTES)


class Drawer:
    """Makes scenarios with ``strategy``."""

    def __init__(self, strategy: st.SearchStrategy[Scenario]) -> None:
        self._drawn: list[Scenario] = []

        @settings(database=None)
        @given(strategy)
        def take(scenario: Scenario) -> None:
            self._drawn.append(scenario)

        self._fuzz = take.hypothesis.fuzz_one_input  # type: ignore[attr-defined]  # added by the decorator

    def scenario(self, dna: bytes) -> tuple[Scenario, bytes] | None:
        """The scenario of a genome and the part of the genome that it needed; None for bytes that make none."""
        self._drawn.clear()
        used = self._fuzz(dna)
        return (self._drawn[-1], used) if used is not None and self._drawn else None

    def draw(self, seed: int, number: int) -> Scenario:
        """Scenario ``number`` under ``seed``, without guidance."""
        for attempt in range(_ATTEMPTS):
            made = self.scenario(genome(seed, number, attempt))
            if made is not None:
                return made[0]
        raise RuntimeError(f"{_ATTEMPTS} genomes in a row made no scenario: the strategy refuses nearly everything")
