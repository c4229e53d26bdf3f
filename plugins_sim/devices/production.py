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


@dataclass(frozen=True, slots=True)
class Spread:
    """How one parameter varies. All sigmas in the parameter's own unit.

    ``wafer_sigma``: from wafer to wafer, the same for all devices of one. ``radial``: added at the wafer's edge, with
    the square of the radius. ``site_sigma``: offset of each of ``sites`` sites in turn. ``outliers``: share of the
    devices whose deviation is ``outlier_factor`` times as large.
    """

    mean: float = 0.0
    sigma: float = 1.0
    wafer_sigma: float = 0.0
    radial: float = 0.0
    site_sigma: float = 0.0
    sites: int = 1
    outliers: float = 0.0
    outlier_factor: float = 8.0


def draw_population(
    seed: int,
    lot: str,
    wafer: int,
    count: int,
    spreads: Sequence[Spread],
    radius: Floats | None = None,
) -> Iterator[Iterator[Floats]]:
    """For each spread: the values of all devices, in chunks of CHUNK devices.

    ``radius``: distance of every device from the wafer's centre, 1 at its edge (see wafer.py); needed for ``radial``.
    Raises DrycellError if it is missing or has another length.
    """
    if any(spread.radial for spread in spreads) and (radius is None or len(radius) != count):
        raise DrycellError(f"a radial effect needs the radius of all {count} devices; take it from a wafer's layout.")
    for index, spread in enumerate(spreads):
        yield _chunks((seed, "production", lot, wafer, index), count, spread, radius)


def _chunks(
    label: tuple[int, str, str, int, int], count: int, spread: Spread, radius: Floats | None
) -> Iterator[Floats]:
    generator = stream(*label)
    mean = spread.mean
    if spread.wafer_sigma:
        mean += spread.wafer_sigma * float(stream(*label, "wafer").standard_normal())
    seed, _, _, _, index = label
    site = spread.site_sigma * stream(seed, "production", "site", index).standard_normal(spread.sites)
    odd = stream(*label, "outliers")
    buffer = np.empty(min(count, CHUNK), np.float64)
    for first in range(0, count, CHUNK):
        values = buffer[: min(CHUNK, count - first)]
        generator.standard_normal(out=values)
        if spread.sigma != 1.0:
            values *= spread.sigma
        if spread.outliers:
            values[odd.random(len(values)) < spread.outliers] *= spread.outlier_factor
        if mean != 0.0:
            values += mean
        if spread.site_sigma:
            values += np.resize(np.roll(site, -first), len(values))
        if spread.radial and radius is not None:
            values += spread.radial * radius[first : first + len(values)] ** 2
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
