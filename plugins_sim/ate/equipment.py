"""A handler and a prober as equipment: what a test may ask the mechanics for."""

from drycell.plugins_sim.devices.wafer import WaferLayout
from drycell.runtime.plugins.interfaces import Configurable


class Handler(Configurable):
    """Feeds devices one after the other and sorts them."""

    def __init__(self) -> None:
        self._count = 0
        self._sorted: list[int] = []

    def feed(self) -> int:
        """Bring the next device into contact; its number, from 1. Raises RuntimeError while one is in contact."""
        if self._count > len(self._sorted):
            raise RuntimeError(f"device {self._count} is still in contact; sort it first")
        self._count += 1
        return self._count

    def sort(self, hard_bin: int) -> None:
        """Take the device away to ``hard_bin``. Raises RuntimeError without one in contact."""
        if self._count == len(self._sorted):
            raise RuntimeError("no device is in contact; feed one first")
        self._sorted.append(hard_bin)

    def bins(self) -> list[int]:
        """The hard bin of every device so far, in order."""
        return list(self._sorted)


class Prober(Configurable):
    """Steps over the dies of a round wafer on a grid. Columns and rows count from 0."""

    def __init__(self) -> None:
        self._layout = WaferLayout(10, 10)
        self._at: tuple[int, int] | None = None
        self._contact = False

    def load(self, columns: int, rows: int) -> int:
        """Load a wafer with a grid of that size; returns its number of dies."""
        self._layout, self._at, self._contact = WaferLayout(columns, rows), None, False
        return len(self._layout)

    def move_to(self, column: int, row: int) -> None:
        """Step to a die. Raises RuntimeError while the needles are down, ValueError where there is no die."""
        if self._contact:
            raise RuntimeError("the needles are on the wafer; separate first")
        dies = zip(self._layout.columns_of.tolist(), self._layout.rows_of.tolist(), strict=True)
        if (column, row) not in set(dies):
            raise ValueError(f"there is no die at column {column}, row {row}")
        self._at = (column, row)

    def contact(self) -> None:
        """Put the needles on the die. Raises RuntimeError before the first step."""
        if self._at is None:
            raise RuntimeError("the prober stands at no die; move to one first")
        self._contact = True

    def separate(self) -> None:
        """Lift the needles."""
        self._contact = False

    def position(self) -> tuple[int, int] | None:
        """Column and row of the die below the needles, None before the first step."""
        return self._at
