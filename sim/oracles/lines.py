"""Which true value of the devices an output measures: a robust straight line, learnt from the values of a lot. Pure.

Rules
- Slopes are medians of pairwise slopes (Theil 1950, Sen 1968), so that a few values that lie elsewhere do not bend
  the line. Devices on different sites are no pair: each site has an offset of its own. Of a large lot not all pairs
  are taken, and no device is in many of them.
- A line counts when most values lie on it, and many more than any line could be laid through; and for a site when
  most values of that site lie on it.
- Outputs that were measured of the same devices are fitted together, all true values at once. NaN is no number: it
  stands for what a site with fewer devices than another does not have.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Truth = Mapping[str, float]
Device = tuple[str, Truth]
"""A site, and the true values of the device there."""
Point = tuple[str, Truth, float]
"""The same, and the value that was reported."""
Numbers = npt.NDArray[np.float64]
LEAST_PER_SITE = 4
"""Sites with fewer devices are left out."""
SHARE = 0.75
"""So many of the values lie on the line."""
FITS = 0.02
"""On the line is what is off by at most this share of how much the values differ."""
SUPPORT = 4
"""So many values lie on the line beyond those that any line goes through: one, and one more for each site."""
MOST_PAIRS = 2000
MOST_AT_ONCE = 1 << 20
"""So many slopes, or rests, are in memory at once."""
ROUNDING = 1e-6
"""What always remains, as a share of the value: numbers are reported with about seven digits."""


class Line(NamedTuple):
    """``value = slope * true[name] + offset of the site``.

    ``rest``: what usually remains; ``spread``: how much the values differ; ``middle`` and ``width``: of true values;
    ``low`` and ``high``: the least and the greatest true value of those on the line.
    """

    name: str
    slope: float
    offsets: Mapping[str, float]
    rest: float
    spread: float
    middle: float
    width: float
    low: float
    high: float

    def reaches(self, true: Truth) -> bool:
        """Whether such a device lies between those on the line."""
        return self.low <= true[self.name] <= self.high

    def at(self, true: Truth, site: str) -> float:
        """The value of such a device."""
        return self.slope * true[self.name] + self.offsets[site]

    def tolerance(self, true: Truth) -> float:
        """What may remain: the further from the middle, the more the slope's own error counts."""
        return self.rest * (1.0 + abs(true[self.name] - self.middle) / self.width)

    def off(self, value: float, true: Truth, site: str) -> float:
        """How far ``value`` is from the line at ``true``, in multiples of the tolerance."""
        x = true[self.name]  # at() and tolerance() in one go: this is asked for every value of a lot
        rest = abs(value - (self.slope * x + self.offsets[site]))
        return rest / (self.rest * (1.0 + abs(x - self.middle) / self.width))

    def blur(self, true: Truth) -> float:
        """The tolerance as a share of how much the values differ."""
        return self.tolerance(true) / self.spread


def fit(points: Sequence[Point]) -> Line | None:
    """The line on which most of ``points`` lie; None when there is none."""
    return fits([(site, true) for site, true, _ in points], [[value for *_, value in points]])[0]


def fits(devices: Sequence[Device], outputs: Sequence[Sequence[float]]) -> list[Line | None]:
    """The line of each of ``outputs``, which has a value for each of ``devices``; None for one without."""
    lot = _lot(devices)
    if lot is None or not outputs:
        return [None] * len(outputs)
    values = lot.placed(outputs)
    step = max(1, MOST_AT_ONCE // max(lot.apart.size, lot.true.size))
    with np.errstate(all="ignore"):  # who reports infinity has no line
        return [line for first in range(0, len(values), step) for line in lot.lines(values[first : first + step])]


def _lot(devices: Sequence[Device]) -> "_Lot | None":
    members: dict[str, list[int]] = defaultdict(list)
    for place, (site, _) in enumerate(devices):
        members[site].append(place)
    sites = {site: there for site, there in members.items() if len(there) >= LEAST_PER_SITE}
    if sum(map(len, sites.values())) < SUPPORT + 1 + len(sites):
        return None
    trues = [devices[place][1] for there in sites.values() for place in there]
    names = sorted(set(trues[0]).intersection(*trues))
    if not names:
        return None
    return _Lot(sites, names, [[true.get(name, np.nan) for _, true in devices] for name in names])


class _Lot:
    """The devices of a lot: ``true`` has an axis for ``names``, one for ``sites``, and one for the devices of a site.

    ``apart``: how far apart the true values of each name are, pair by pair.
    """

    def __init__(self, sites: Mapping[str, Sequence[int]], names: Sequence[str], true: Sequence[Sequence[float]]):
        self.sites, self.names = list(sites), names
        counts = tuple(map(len, sites.values()))
        self.counts = np.array(counts)
        most = max(counts)
        self._places = np.array([(*there, *[-1] * (most - len(there))) for there in sites.values()])
        self._left, self._right = _pairs(counts)
        self.true = self.placed(true)
        self.apart = self._apart(self.true)
        self.apart[self.apart == 0] = np.nan

    @cached_property
    def extent(self) -> tuple[Numbers, Numbers]:
        """Middle and width of the true values of each name."""
        flat = self.true.reshape(len(self.names), -1)
        middle = _median(flat)
        return middle, _median(abs(flat - middle[:, None]))

    def placed(self, rows: Sequence[Sequence[float]]) -> Numbers:
        """What each row says of each device, in the order of the sites."""
        return np.array([(*row, np.nan) for row in rows], dtype=float)[:, self._places]

    def _apart(self, numbers: Numbers) -> Numbers:
        flat = numbers.reshape(len(numbers), -1)
        found: Numbers = flat[:, self._left] - flat[:, self._right]
        return found

    def lines(self, values: Numbers) -> list[Line | None]:
        """The line of each of ``values``, which has its outputs on the first axis."""
        centre = _median(values)
        spread = _median(_median(abs(values - centre[..., None])))
        least = ROUNDING * abs(centre).max(axis=-1)
        slope = _median(self._apart(values)[:, None] / self.apart)
        rests = values[:, None] - slope[..., None, None] * self.true
        offsets = _median(rests)
        rests = abs(rests - offsets[..., None])
        on_line = rests <= FITS * spread[:, None, None, None]
        found = on_line.sum(axis=-1)
        fitting = (found.sum(axis=-1) >= SHARE * self.counts.sum()) & (spread > least)[:, None]
        if not fitting.any():
            return [None] * len(values)
        middle, width = self.extent
        fitting &= width > ROUNDING * abs(middle)
        places = output, name = fitting.nonzero()
        there, true = on_line[places], self.true[name]
        left = np.where(there, rests[places], np.nan).reshape(len(there), self._places.size)
        rest = np.maximum(_median(left), least[output])
        supported = _different(true, there) - 1 - len(self.sites) >= SUPPORT
        kept = found[places] >= SHARE * self.counts
        low = true.min(axis=(1, 2), initial=np.inf, where=there)
        high = true.max(axis=(1, 2), initial=-np.inf, where=there)
        about = (rest, spread[output], middle[name], width[name], low, high)
        columns = (slope[places], offsets[places], *about)
        lines: list[list[Line]] = [[] for _ in values]
        for n, (rise, by_site, *others) in enumerate(zip(*map(np.ndarray.tolist, columns), strict=True)):
            if supported[n]:
                on = {site: offset for site, offset, keeps in zip(self.sites, by_site, kept[n], strict=True) if keeps}
                lines[output[n]].append(Line(self.names[name[n]], rise, on, *others))
        return [min(found, key=lambda line: line.rest, default=None) for found in lines]


def _different(true: Numbers, there: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """How many of those ``there`` differ in their true value: for each line, the sum of all sites."""
    ordered = np.sort(np.where(there, true, np.nan))
    further: npt.NDArray[np.intp] = (ordered[..., 1:] > ordered[..., :-1]).sum(axis=(1, 2))
    first: npt.NDArray[np.intp] = there.any(axis=-1).sum(axis=-1)
    return first + further


@lru_cache(maxsize=16)
def _pairs(counts: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """The pairs of devices of the same site, where sites have so many: the places of their first, of their second."""
    most = max(counts)
    pairs = [
        (site * most + first, site * most + second)
        for site, count in enumerate(counts)
        for first, second in islice(_far_apart(count), MOST_PAIRS)
    ]
    return np.array(pairs).T


def _far_apart(count: int) -> Iterator[tuple[int, int]]:
    """All pairs of ``count`` devices; every device is in about as many of the first ones as any other."""
    for distance in sorted(range(1, count), key=lambda distance: abs(2 * distance - count)):
        for first in range(count - distance):
            yield first, first + distance


def _median(numbers: Numbers) -> Numbers:
    """The medians along the last axis."""
    ordered, count = np.sort(numbers), numbers.shape[-1]  # NaN last
    middle: Numbers = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    short = np.isnan(ordered[..., -1]).nonzero()
    if short[0].size:
        rows = ordered[short]
        counts, every = (rows == rows).sum(axis=-1), np.arange(len(rows))
        middle[short] = (rows[every, (counts - 1) // 2] + rows[every, counts // 2]) / 2
    return middle
