"""The status of an instrument: error queue, event status, OPERation and QUEStionable registers, status byte.

Source: IEEE 488.2 chapter 11, SCPI-99 volume 1, chapter 9 and volume 2, chapter 20.
"""

from collections import deque
from dataclasses import dataclass, field

from drycell.plugins_sim.instruments.scpi.errors import NO_ERROR, entry, event_bit

QUEUE_LENGTH = 20
OPERATION_COMPLETE, POWER_ON = 1, 128
_ERROR_AVAILABLE, _QUESTIONABLE, _EVENT_STATUS, _MASTER, _OPERATION = 4, 8, 32, 64, 128
REGISTER_MASK = 0x7FFF  # bit 15 is never used


@dataclass(slots=True)
class Register:
    """Condition, transition filters, latched events, enable mask."""

    condition: int = 0
    event: int = 0
    enable: int = 0
    positive: int = REGISTER_MASK
    negative: int = 0

    def update(self, condition: int) -> None:
        """Set the condition and latch what the filters let through."""
        rising, falling = condition & ~self.condition, self.condition & ~condition
        self.event |= (rising & self.positive) | (falling & self.negative)
        self.condition = condition

    def take_event(self) -> int:
        """Read and clear."""
        event, self.event = self.event, 0
        return event

    def preset(self) -> None:
        """STATus:PRESet."""
        self.enable, self.positive, self.negative = 0, REGISTER_MASK, 0


@dataclass(slots=True)
class Status:
    """Everything that *CLS clears and *STB? sums up."""

    event: int = POWER_ON
    event_enable: int = 0
    service_enable: int = 0
    operation: Register = field(default_factory=Register)
    questionable: Register = field(default_factory=Register)
    _queue: deque[str] = field(default_factory=deque)

    def report(self, code: int, detail: str = "") -> None:
        """An error enters the queue; when it is full, the last entry becomes -350."""
        self.event |= event_bit(code)
        if len(self._queue) >= QUEUE_LENGTH:
            self._queue[-1] = entry(-350)
            self.event |= event_bit(-350)
        else:
            self._queue.append(entry(code, detail))

    def next_error(self) -> str:
        """Take the oldest error."""
        return self._queue.popleft() if self._queue else NO_ERROR

    def all_errors(self) -> str:
        """Take all errors."""
        taken = ",".join(self._queue) or NO_ERROR
        self._queue.clear()
        return taken

    @property
    def error_count(self) -> int:
        """Errors in the queue."""
        return len(self._queue)

    def take_event(self) -> int:
        """Read and clear the standard event status register."""
        event, self.event = self.event, 0
        return event

    def clear(self) -> None:
        """*CLS."""
        self.event = self.operation.event = self.questionable.event = 0
        self._queue.clear()

    def preset(self) -> None:
        """STATus:PRESet."""
        self.operation.preset()
        self.questionable.preset()

    def byte(self) -> int:
        """The status byte."""
        value = _ERROR_AVAILABLE if self._queue else 0
        value |= _QUESTIONABLE if self.questionable.event & self.questionable.enable else 0
        value |= _EVENT_STATUS if self.event & self.event_enable else 0
        value |= _OPERATION if self.operation.event & self.operation.enable else 0
        return value | (_MASTER if value & self.service_enable & ~_MASTER else 0)
