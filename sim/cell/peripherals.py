"""The master's way to peripherals: requests of all testing sites become one request, and its answer goes to all.

Rules (semi-ate): one request at a time; it is relayed with QoS 0 once every site that still tests has asked for the
same; its owner (TCC, or the master) has ``peripheral_s`` to answer; the answer is forwarded unchanged with QoS 2.
"""

from collections.abc import Callable, Collection
from typing import Any

from drycell.runtime.protocol import messages
from drycell.runtime.protocol.machine import Cancel
from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell.port import Port
from drycell.sim.cell.reach import Reach

Json = dict[str, Any]


class PeripheralRelay:
    """Collects io-control requests. ``fail(message)`` is called for a timeout or for sites that disagree."""

    def __init__(
        self,
        port: Port,
        topics: Topics,
        reach: Reach,
        *,
        timeout_s: float,
        quirks: Collection[str],
        waiting_sites: Callable[[bool], Collection[str]],
        fail: Callable[[str], None],
    ) -> None:
        self._port = port
        self._topics = topics
        self._reach = reach
        self._timeout_s = timeout_s
        self._quirks = quirks
        self._waiting_sites = waiting_sites
        self._fail = fail
        self._requests: dict[str, Json] = {}
        self._open: Json | None = None
        self._timer: Cancel | None = None
        self._stop_hearing: Callable[[], None] | None = None

    def request(self, site: str, request: Json) -> None:
        """Site ``site`` asks for ``request``."""
        self._requests[site] = request
        self.review()

    def review(self) -> None:
        """Relay as soon as everybody who still tests has asked."""
        expected = set(self._waiting_sites("master-waits-for-finished-sites" in self._quirks))
        if self._open is not None or not self._requests or not expected <= self._requests.keys():
            return
        wanted = list(self._requests.values())
        if any(other != wanted[0] for other in wanted):
            if "master-ignores-different-requests" not in self._quirks:
                asked = "; ".join(f"site {site}: {r.get('ioctl_name')}" for site, r in sorted(self._requests.items()))
                self._fail(f"the sites ask a peripheral for different things ({asked})")
            return
        self._relay(wanted[0])

    def clear(self) -> None:
        """Forget everything, at the start of a touchdown or after an error."""
        self._requests = {}
        self._close()

    def _relay(self, request: Json) -> None:
        kind = str(request.get("periphery_type"))
        if not kind or any(mark in kind for mark in "/+#\0"):
            self._fail(f"the sites ask a peripheral that cannot be one: {kind!r}")
            return
        self._open = request
        self._timer = self._port.later(self._timeout_s, self._timed_out)
        relayed = {key: value for key, value in request.items() if key != "periphery_type"}
        self._stop_hearing = self._reach.ask(kind, relayed, self._finish, qos=0)

    def _timed_out(self) -> None:
        request = self._open or {}
        kind, ioctl = str(request.get("periphery_type")), str(request.get("ioctl_name"))
        self._port.record("timeout", state="peripheral", name="peripheral_s", after_s=self._timeout_s)
        self._finish(messages.io_response(ioctl, "Timeout"))
        self._fail(f"peripheral {kind} did not answer {ioctl} within {self._timeout_s:g} s")

    def _finish(self, answer: bytes | Json) -> None:
        kind = str((self._open or {}).get("periphery_type"))
        self._requests = {}
        self._close()
        self._port.publish(self._topics.master_peripheral(kind), answer)

    def _close(self) -> None:
        self._open = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stop_hearing is not None:
            self._stop_hearing()
            self._stop_hearing = None
