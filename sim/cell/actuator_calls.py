"""A peripheral of the cell as an object: its methods are io-control requests to the master, as a proxy's are."""

from collections.abc import Callable
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.dialect import Dialect
from drycell.runtime.protocol.specification import answers, refusal
from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker import Message
from drycell.sim.cell.bridge import Done, Failed
from drycell.sim.cell.port import Port


class ActuatorCalls:
    """Asks for ``peripheral`` in the name of the program of ``site``; ``port`` is the program's. One call at a
    time."""

    def __init__(
        self, port: Port, dialect: Dialect, topics: Topics, site: int, peripheral: str, timeout_s: float
    ) -> None:
        self._port = port
        self._dialect = dialect
        self._topics = topics
        self._site = str(site)
        self._peripheral = peripheral
        self._timeout_s = timeout_s
        self._stop_waiting: Callable[[], None] = lambda: None

    def methods(self) -> list[str]:
        """Nobody knows which requests a peripheral understands but itself."""
        return []

    def call(self, method: str, arguments: list[Any], done: Done, failed: Failed) -> None:
        """Ask for ``method``; the one argument holds its parameters. Raises ValueError for others.

        Fails with TimeoutError, and with OSError when the peripheral says that it did not do it.
        """
        if len(arguments) != 1 or not isinstance(arguments[0], dict):
            raise ValueError(f"{method} of peripheral {self._peripheral} takes parameters with names")
        self.close()
        request_id = f"{self._site}.{self._peripheral}.{self._port.now_ns}"
        request = self._dialect.program.io_request(self._peripheral, method, arguments[0], request_id)
        asked = f"peripheral {self._peripheral} did not carry out {method}"

        def heard(message: Message) -> None:
            try:
                response = messages.decode(message.payload)
            except (ValueError, RecursionError):
                return
            if answers(response, method, request_id):
                self.close()
                reason = refusal(response)
                if reason:
                    failed(OSError(f"{asked}: {reason}"))
                else:
                    done(response.get("result"))

        def timed_out() -> None:
            self.close()
            failed(TimeoutError(f"{asked} within {self._timeout_s:g} s"))

        unsubscribe = self._port.subscribe(self._topics.master_peripheral(self._peripheral), heard)
        timer = self._port.later(self._timeout_s, timed_out)

        def stop_waiting() -> None:
            unsubscribe()
            timer.cancel()

        self._stop_waiting = stop_waiting
        self._port.publish(self._topics.io_request(self._site), request)

    def close(self) -> None:
        """The program is gone, or has its answer: nobody waits any more."""
        stop, self._stop_waiting = self._stop_waiting, lambda: None
        stop()
