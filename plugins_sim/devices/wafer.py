"""Where the dies of a wafer lie, and maps of their bins.

A die is on the wafer when its centre lies within the circle that the grid's sides touch. Dies count row by row.
"""

from functools import cached_property

import numpy as np

from drycell.sim.errors import DrycellError

_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LARGEST = 2000

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Bins = np.ndarray[tuple[int], np.dtype[np.uint16]]


class WaferLayout:
    """A grid of ``columns`` by ``rows`` dies, without the corners. Raises DrycellError outside of 1 to LARGEST."""

    def __init__(self, columns: int, rows: int) -> None:
        if not (1 <= columns <= LARGEST and 1 <= rows <= LARGEST):
            raise DrycellError(f"a wafer of {columns} by {rows} dies is impossible; use 1 to {LARGEST} each way.")
        self.columns, self.rows = columns, rows
        y, x = np.mgrid[0:rows, 0:columns]
        across = (2.0 * x + 1.0 - columns) / columns
        along = (2.0 * y + 1.0 - rows) / rows
        self._distance = np.sqrt(across * across + along * along)
        self._on = self._distance <= 1.0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._on))

    @cached_property
    def radius(self) -> Floats:
        """Distance of every die from the centre, 1 at the edge."""
        radius: Floats = self._distance[self._on].astype(np.float64)
        return radius

    @cached_property
    def rows_of(self) -> Ints:
        """Row of every die, from 0."""
        return np.nonzero(self._on)[0]

    @cached_property
    def columns_of(self) -> Ints:
        """Column of every die, from 0."""
        return np.nonzero(self._on)[1]

    def grid(self, bins: Bins) -> "np.ndarray[tuple[int, int], np.dtype[np.uint16]]":
        """Bins in their places, shape (rows, columns), 0 where there is no die. DrycellError for another number."""
        if len(bins) != len(self):
            raise DrycellError(f"there are {len(bins)} bins for a wafer of {len(self)} dies.")
        grid = np.zeros((self.rows, self.columns), np.uint16)
        grid[self._on] = bins
        return grid

    def map_text(self, bins: Bins) -> str:
        """One sign per die (bins 0 to 9, then letters, ``*`` beyond), ``.`` where there is none."""
        signs = np.array([*_SIGNS, "*"])
        shown = signs[np.minimum(self.grid(bins), len(_SIGNS))]
        shown[~self._on] = "."
        return "\n".join("".join(row) for row in shown)
