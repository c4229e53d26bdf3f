"""The handler's plan for one lot: which device goes to which site next, what is sorted, what is retested. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device comes from. ``wafer`` counts from 1, or is the name of a recorded one, whose dice nobody knows;
    None for packaged devices."""

    wafer: int | str | None = None
    x: int | None = None
    y: int | None = None


@dataclass(frozen=True, slots=True)
class Wafer:
    """A round wafer on a grid of ``columns`` x ``rows`` dice."""

    columns: int
    rows: int

    def dice(self) -> list[tuple[int, int]]:
        """The positions (x, y) whose centre lies within the ellipse of the grid, row by row in serpentine order."""
        found = []
        for y in range(self.rows):
            row = [(x, y) for x in range(self.columns) if self._inside(x, y)]
            found += row if y % 2 == 0 else row[::-1]
        return found

    def _inside(self, x: int, y: int) -> bool:
        across = (2 * x + 1 - self.columns) / self.columns
        down = (2 * y + 1 - self.rows) / self.rows
        return across * across + down * down <= 1.0


Touch = dict[int, int]
"""One touchdown: site -> device number."""


def plan_handler(size: int, sites: Sequence[int]) -> Iterator[Touch]:
    """Devices 1..``size`` in order, as many at once as there are sites."""
    for first in range(1, size + 1, len(sites)):
        yield dict(zip(sites, range(first, min(first + len(sites), size + 1)), strict=False))


def plan_prober(
    size: int, sites: Sequence[int], layout: Mapping[int, tuple[int, int]], wafer: Wafer
) -> tuple[list[Touch], dict[int, Place]]:
    """Touchdowns over as many wafers as ``size`` dice need, and the place of each die.

    The probe card covers the dice at the sites' offsets; sites that hang over the edge of the wafer stay empty.
    """
    places: dict[int, Place] = {}
    touches: list[Touch] = []
    wafer_number = 0
    while len(places) < size:
        wafer_number += 1
        left = dict.fromkeys(wafer.dice())
        while left and len(places) < size:
            x0, y0 = next(iter(left))
            touch: Touch = {}
            for site in sites:
                dx, dy = layout[site][0] - layout[sites[0]][0], layout[site][1] - layout[sites[0]][1]
                die = (x0 + dx, y0 + dy)
                if die in left and len(places) < size:
                    del left[die]
                    touch[site] = len(places) + 1
                    places[touch[site]] = Place(wafer_number, *die)
            touches.append(touch)
    return touches, places


@dataclass(slots=True)
class Lot:
    """One lot in work. ``retest_bins``: hard bins tested again, at most ``retests`` times per device;
    ``parts``: part ids that are not the device's number."""

    name: str
    size: int
    touches: deque[Touch]
    places: Mapping[int, Place] = field(default_factory=dict)
    retest_bins: frozenset[int] = frozenset()
    retests: int = 0
    attempts: dict[int, int] = field(default_factory=dict)
    bins: dict[int, int] = field(default_factory=dict)
    parts: Mapping[int, str] = field(default_factory=dict)
    _again: list[int] = field(default_factory=list)

    def part(self, device: int) -> str:
        """The part id of a device: its number, unless it has another."""
        return self.parts.get(device, str(device))

    def next_touch(self, sites: Sequence[int]) -> Touch:
        """The next touchdown, empty when the lot is through."""
        if not self.touches and self._again:
            waiting, self._again = self._again, []
            for first in range(0, len(waiting), len(sites)):
                self.touches.append(dict(zip(sites, waiting[first : first + len(sites)], strict=False)))
        return self.touches.popleft() if self.touches else {}

    def sort(self, device: int, hard_bin: int) -> None:
        """``device`` went into ``hard_bin``; it comes again when that is a bin to retest."""
        self.attempts[device] = self.attempts.get(device, 0) + 1
        self.bins[device] = hard_bin
        if hard_bin in self.retest_bins and self.attempts[device] <= self.retests:
            self._again.append(device)

    def put_back(self, touch: Touch) -> None:
        """The devices of a touchdown without result are first in line again."""
        if touch:
            self.touches.appendleft(touch)

    @property
    def done(self) -> bool:
        """Whether every device has its final bin."""
        return not self.touches and not self._again and len(self.bins) == self.size
