"""Wall time that goes on steadily, whoever sets the system's clock meanwhile."""

import time


class Instants:
    """Begins with the system's clock."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def unix_ns(self) -> int:
        """Nanoseconds since 1970."""
        return time.monotonic_ns() + self._offset_ns
