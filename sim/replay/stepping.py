"""Any event of a journal, forward and backward: an index of offsets, and pictures at regular distances.

Indexing reads the journal once. Afterwards an event costs one seek, and a picture at most ``EVERY`` events.
"""

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from drycell.sim.errors import DrycellError
from drycell.sim.kernel.journal import Event, event_of, read_header
from drycell.sim.replay.pictures import Picture

EVERY = 5_000
Fits = Callable[[Event], bool]


class Steps:
    """The events of a journal, numbered from 1. A last line that was cut off is left out.

    Raises DrycellError for a file that is no journal, or holds no event.
    """

    def __init__(self, path: Path) -> None:
        read_header(path)
        self._path = path
        self._file = path.open("rb")
        self._offsets = array("Q")
        self._pictures: list[Picture] = [Picture()]
        self._index()
        if not self._offsets:
            self._file.close()
            raise DrycellError(f"{path} holds no event")

    def __enter__(self) -> "Steps":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._offsets)

    def event(self, number: int) -> Event:
        """Event ``number``. Raises DrycellError when there is none."""
        if not 1 <= number <= len(self):
            raise DrycellError(f"there is no event {number}; the events are 1 to {len(self)}")
        self._file.seek(self._offsets[number - 1])
        return self._event(self._file.readline(), number)

    def picture(self, number: int) -> Picture:
        """The cell right after event ``number``; 0 is before the first."""
        kept = self._pictures[number // EVERY]
        picture = kept.copy()
        for event in self._following(kept.seq, number):
            picture.take(event)
        return picture

    def at(self, t_ns: int) -> int:
        """The number of the last event until that instant; 1 when there is none yet."""
        low, high = 1, len(self)
        while low < high:
            middle = (low + high + 1) // 2
            if self.event(middle).t_ns <= t_ns:
                low = middle
            else:
                high = middle - 1
        return low

    def find(self, start: int, fits: Fits, *, backward: bool = False) -> int | None:
        """The number of the next event after (or the last before) ``start`` that fits."""
        numbers = range(start - 1, 0, -1) if backward else range(start + 1, len(self) + 1)
        return next((number for number in numbers if fits(self.event(number))), None)

    def _index(self) -> None:
        picture = Picture()
        offset = len(self._file.readline())
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                return
            self._offsets.append(offset)
            offset += len(line)
            picture.take(self._event(line, number))
            if number % EVERY == 0:
                self._pictures.append(picture.copy())

    def _following(self, after: int, until: int) -> Iterator[Event]:
        if after < until:
            self._file.seek(self._offsets[after])
            for number in range(after + 1, until + 1):
                yield self._event(self._file.readline(), number)

    def _event(self, line: bytes, number: int) -> Event:
        try:
            return event_of(line)
        except ValueError as error:
            raise DrycellError(f"{self._path}, line {number + 1}: {error}") from None
