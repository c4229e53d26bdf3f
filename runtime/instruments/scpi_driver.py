"""What every SCPI driver does: connect, write, ask, read numbers, and tell when the instrument refused."""

from types import TracebackType
from typing import Self

from drycell.runtime.instruments.errors import InstrumentError
from drycell.runtime.instruments.transports import Transport

_TRUTHS = {"1": True, "ON": True, "TRUE": True, "0": False, "OFF": False, "FALSE": False}


class BaseDriver:
    """A driver on a transport. ``check_errors``: ask ``SYST:ERR?`` after every command and raise what it says."""

    def __init__(self, transport: Transport, check_errors: bool = False) -> None:
        self.transport = transport
        self.check_errors = check_errors

    def connect(self) -> None:
        """Open the transport."""
        self.transport.connect()

    def disconnect(self) -> None:
        """Close the transport; never raises."""
        self.transport.disconnect()

    @property
    def is_connected(self) -> bool:
        """Whether the transport is open."""
        return self.transport.is_connected

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def write(self, command: str) -> None:
        """Send a command. InstrumentError if errors are checked and the instrument reports one."""
        self.transport.write(command)
        if self.check_errors:
            self.raise_error(command)

    def raise_error(self, command: str) -> None:
        """Empty the error queue; InstrumentError with the first error of it."""
        first = self.transport.query("SYST:ERR?")
        if _is_error(first):
            for _ in range(100):
                if not _is_error(self.transport.query("SYST:ERR?")):
                    break
            raise InstrumentError(f"the instrument refused {command!r}: {first}")

    def query(self, command: str) -> str:
        """Ask; the answer without newline. InstrumentError for an answer line that reports an error."""
        answer = self.transport.query(command)
        if answer.startswith("ERROR"):
            raise InstrumentError(f"the instrument refused {command!r}: {answer}")
        return answer

    def query_float(self, command: str) -> float:
        """Ask for a number. InstrumentError if the answer is none."""
        answer = self.query(command)
        try:
            return float(answer)
        except ValueError:
            raise InstrumentError(f"the answer {answer!r} to {command!r} is no number") from None

    def query_int(self, command: str) -> int:
        """Ask for a whole number. InstrumentError if the answer is none."""
        value = self.query_float(command)
        if value != int(value):
            raise InstrumentError(f"the answer {value:g} to {command!r} is no whole number")
        return int(value)

    def query_bool(self, command: str) -> bool:
        """Ask for 1, ON, TRUE or 0, OFF, FALSE in any case. ValueError for another answer."""
        answer = self.query(command)
        try:
            return _TRUTHS[answer.upper()]
        except KeyError:
            raise ValueError(
                f"the answer {answer!r} to {command!r} is neither 1, ON, TRUE nor 0, OFF, FALSE"
            ) from None

    def identify(self) -> str:
        """``*IDN?``."""
        return self.query("*IDN?")

    def reset(self) -> None:
        """``*RST``."""
        self.write("*RST")

    def clear_status(self) -> None:
        """``*CLS``."""
        self.write("*CLS")

    def operation_complete(self) -> bool:
        """``*OPC?``: waits until all operations are over."""
        return self.query_bool("*OPC?")


def _is_error(answer: str) -> bool:
    return not answer.lstrip("+").startswith("0")
