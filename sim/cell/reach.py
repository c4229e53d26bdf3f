"""How a master reaches peripherals: its own by its own hand, all others over MQTT, through the test cell controller.

What it does by its own hand stands in the journal as ``drive`` and ``driven``, with the payloads that would have been
sent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell.deeds import Owner
from drycell.sim.cell.port import Port

Json = dict[str, Any]


class Reach:
    """The peripherals of a cell, for its master; ``own`` has those that it owns itself."""

    def __init__(self, port: Port, topics: Topics, own: Owner | None = None) -> None:
        self._port = port
        self._topics = topics
        self._own = own

    def ask(
        self, kind: str, request: Mapping[str, Any], heard: Callable[[bytes], None], qos: int = 2
    ) -> Callable[[], None]:
        """Ask the peripheral ``kind``; ``heard(payload)`` for every response until the returned call ends that."""
        if self._own is None or kind not in self._own.kinds:
            unsubscribe = self._port.subscribe(
                self._topics.peripheral_response(kind), lambda message: heard(message.payload)
            )
            self._port.publish(self._topics.peripheral_request(kind), request, qos=qos)
            return unsubscribe
        return self._drive(self._own, kind, request, heard)

    def _drive(
        self, own: Owner, kind: str, request: Mapping[str, Any], heard: Callable[[bytes], None]
    ) -> Callable[[], None]:
        waiting = [heard]

        def begin() -> None:
            if waiting:
                self._record("drive", kind, messages.encode(request))
                own.carry_out(kind, request, done, wanted=lambda: bool(waiting))

        def done(response: Json) -> None:
            payload = messages.encode(response)
            self._record("driven", kind, payload)
            heard(payload)

        self._port.later(0.0, begin)  # as a message leaves: when the decision behind it is complete
        return waiting.clear

    def _record(self, what: str, kind: str, payload: bytes) -> None:
        self._port.record(what, peripheral=kind, payload=payload.decode())
