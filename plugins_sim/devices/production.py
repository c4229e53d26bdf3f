"""Whole lots at once: draw every parameter of every device, judge it against limits, give bins.

Rules that hold here:
- Parameter k of a wafer has its own stream (seed, lot, wafer, k): a further parameter moves no other, and the first
  devices do not depend on how many there are.
- One parameter is in memory at a time; of a device remain its bins and the number of the first test it failed.
- A device gets the bins of the first limit it breaks, in the order of the limits; limits are inclusive; NaN fails.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.streams import stream

PASS_BIN = 1
CHUNK = 1 << 17  # devices per step: what fits the processor's cache

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Bins = np.ndarray[tuple[int], np.dtype[np.uint16]]


@dataclass(frozen=True, slots=True)
class Limit:
    """Inclusive limits of one parameter and the bins of a device that breaks them."""

    low: float
    high: float
    soft_bin: int
    hard_bin: int


@dataclass(frozen=True, slots=True)
class Binned:
    """Of every device: soft bin, hard bin, number of the first failed parameter counted from 1 (0: passed)."""

    soft: Bins
    hard: Bins
    first_fail: Bins

    @property
    def passed(self) -> int:
        """Devices that broke no limit."""
        return int(np.count_nonzero(self.first_fail == 0))


def draw_population(
    seed: int, lot: str, wafer: int, count: int, normals: Sequence[tuple[float, float]]
) -> Iterator[Iterator[Floats]]:
    """For each (mean, sigma): the values of all devices, in chunks of CHUNK devices."""
    for index, (mean, sigma) in enumerate(normals):
        yield _chunks(stream(seed, "production", lot, wafer, index), count, mean, sigma)


def _chunks(generator: np.random.Generator, count: int, mean: float, sigma: float) -> Iterator[Floats]:
    buffer = np.empty(min(count, CHUNK), np.float64)
    for first in range(0, count, CHUNK):
        values = buffer[: min(CHUNK, count - first)]
        generator.standard_normal(out=values)
        if sigma != 1.0:
            values *= sigma
        if mean != 0.0:
            values += mean
        yield values


def bin_population(parameters: Iterable[Iterable[Floats]], limits: Sequence[Limit]) -> Binned:
    """Judge every device. Raises DrycellError when parameters and limits do not match in number."""
    failed: list[Bins] = []
    count = 0
    for values_of_one in parameters:
        if count >= len(limits):
            raise DrycellError(f"there are more parameters than the {len(limits)} limits; give one limit for each.")
        limit = limits[count]
        count += 1
        for number, values in enumerate(values_of_one):
            if len(failed) <= number:
                failed.append(np.zeros(len(values), np.uint16))
            broken = ~((values >= limit.low) & (values <= limit.high))
            broken &= failed[number] == 0
            failed[number][broken] = count
    if count != len(limits):
        raise DrycellError(f"there are {count} parameters for {len(limits)} limits; give one limit for each.")
    first = np.concatenate(failed) if failed else np.zeros(0, np.uint16)
    soft = np.array([PASS_BIN, *(limit.soft_bin for limit in limits)], np.uint16)
    hard = np.array([PASS_BIN, *(limit.hard_bin for limit in limits)], np.uint16)
    return Binned(soft[first], hard[first], first)
