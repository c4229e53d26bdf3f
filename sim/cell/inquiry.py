"""One question of the master to one peripheral, and the wait for its answer (dialect ``specification``)."""

from collections.abc import Callable, Mapping
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol import specification as spec
from drycell.sim.cell.port import Port
from drycell.sim.cell.reach import Reach

Json = dict[str, Any]


class Inquiry:
    """Asks ``peripheral`` at once; ``on_answer`` gets its response, or None when ``timeout_s`` are over.

    A response to an earlier question is told from this one by the first of the request ids.
    """

    def __init__(
        self,
        port: Port,
        reach: Reach,
        peripheral: str,
        request: Mapping[str, Any],
        *,
        timeout_s: float,
        on_answer: Callable[[Json | None], None],
    ) -> None:
        self.peripheral = peripheral
        self._port = port
        self._request = request
        self._timeout_s = timeout_s
        self._on_answer = on_answer
        self._timer = port.later(timeout_s, self._timed_out)
        self._stop_hearing = reach.ask(peripheral, request, self._heard)

    def cancel(self) -> None:
        """Wait no longer; whatever is still answered is nobody's."""
        self._timer.cancel()
        self._stop_hearing()

    def _heard(self, payload: bytes) -> None:
        try:
            response = messages.decode(payload)
        except (ValueError, RecursionError):
            response = {}
        ids = self._request.get("request_ids") or [""]
        if spec.answers(response, self._request["ioctl_name"], ids[0]):
            self.cancel()
            self._on_answer(response)
        else:
            self._port.record("ignored", what="io-control response that nobody waits for", peripheral=self.peripheral)

    def _timed_out(self) -> None:
        self.cancel()
        self._port.record("timeout", state="peripheral", name="peripheral_s", after_s=self._timeout_s)
        self._on_answer(None)
