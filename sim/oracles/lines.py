"""Which true value of the devices an output measures: a robust straight line, learnt from the values of a lot. Pure.

Rules
- Slopes are medians of pairwise slopes (Theil 1950, Sen 1968), so that a few values that lie elsewhere do not bend
  the line. Devices on different sites are no pair: each site has an offset of its own.
- A line counts when most values lie on it, and many more than any line could be laid through; and for a site when
  most values of that site lie on it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import median

Truth = Mapping[str, float]
Point = tuple[str, Truth, float]
"""A site, the true values of the device there, and the value that was reported."""
LEAST_PER_SITE = 4
"""Sites with fewer devices are left out."""
SHARE = 0.75
"""So many of the values lie on the line."""
FITS = 0.02
"""On the line is what is off by at most this share of how much the values differ."""
SUPPORT = 4
"""So many values lie on the line beyond those that any line goes through: one, and one more for each site."""
MOST_PAIRS = 2000
ROUNDING = 1e-6
"""What always remains, as a share of the value: numbers are reported with about seven digits."""


@dataclass(frozen=True, slots=True)
class Line:
    """``value = slope * true[name] + offset of the site``.

    ``rest``: what usually remains; ``spread``: how much the values differ; ``middle`` and ``width``: of true values.
    """

    name: str
    slope: float
    offsets: Mapping[str, float]
    rest: float
    spread: float
    middle: float
    width: float

    def at(self, true: Truth, site: str) -> float:
        """The value of such a device."""
        return self.slope * true[self.name] + self.offsets[site]

    def tolerance(self, true: Truth) -> float:
        """What may remain: the further from the middle, the more the slope's own error counts."""
        return self.rest * (1.0 + abs(true[self.name] - self.middle) / self.width)

    def off(self, value: float, true: Truth, site: str) -> float:
        """How far ``value`` is from the line at ``true``, in multiples of the tolerance."""
        return abs(value - self.at(true, site)) / self.tolerance(true)

    def blur(self, true: Truth) -> float:
        """The tolerance as a share of how much the values differ."""
        return self.tolerance(true) / self.spread


def fit(points: Sequence[Point]) -> Line | None:
    """The line on which most of ``points`` lie; None when there is none."""
    sites: dict[str, list[tuple[Truth, float]]] = defaultdict(list)
    for site, true, value in points:
        sites[site].append((true, value))
    enough = {site: members for site, members in sites.items() if len(members) >= LEAST_PER_SITE}
    if sum(map(len, enough.values())) < SUPPORT + 1 + len(enough):
        return None
    names = set.intersection(*(set(true) for members in enough.values() for true, _ in members))
    lines = [line for name in sorted(names) if (line := _line(name, enough)) is not None]
    return min(lines, key=lambda line: line.rest, default=None)


def _line(name: str, sites: Mapping[str, Sequence[tuple[Truth, float]]]) -> Line | None:
    points = {site: [(true[name], value) for true, value in members] for site, members in sites.items()}
    middle, width = _middle([x for members in points.values() for x, _ in members])
    values = {site: _middle([value for _, value in members]) for site, members in points.items()}
    spread = median(wide for _, wide in values.values())
    least = ROUNDING * max(abs(centre) for centre, _ in values.values())
    if width <= ROUNDING * abs(middle) or spread <= least:
        return None
    slope = median(
        (value - other_value) / (x - other)
        for members in points.values()
        for (x, value), (other, other_value) in islice(combinations(members, 2), MOST_PAIRS)
        if x != other
    )
    offsets = {site: median(value - slope * x for x, value in members) for site, members in points.items()}
    rests = [(abs(v - slope * x - offsets[site]), site, x) for site, members in points.items() for x, v in members]
    on_line = [(rest, site, x) for rest, site, x in rests if rest <= FITS * spread]
    support = len({(site, x) for _, site, x in on_line}) - 1 - len(points)
    if len(on_line) < SHARE * len(rests) or support < SUPPORT:
        return None
    found = Counter(site for _, site, _ in on_line)
    offsets = {site: offset for site, offset in offsets.items() if found[site] >= SHARE * len(points[site])}
    return Line(name, slope, offsets, max(median(rest for rest, *_ in on_line), least), spread, middle, width)


def _middle(numbers: Sequence[float]) -> tuple[float, float]:
    """The median, and the median distance from it."""
    centre = median(numbers)
    return centre, median(abs(number - centre) for number in numbers)
