"""The master's way to peripherals in dialect ``specification``: what all testing sites ask for is done once.

Rules: a request goes on when every site that still tests has asked for the same; sites that ask for different things,
or for a peripheral that is not there, are a system error; an answer goes to all who asked; a peripheral that does not
answer fails their tests and nothing else. Who asks again has given up waiting for its earlier request.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from drycell.runtime.protocol import specification as spec
from drycell.runtime.protocol.topics import Topics
from drycell.sim.cell.inquiry import Inquiry
from drycell.sim.cell.port import Port
from drycell.sim.cell.reach import Reach

Json = dict[str, Any]


class Barrier:
    """``active()``: the sites that still test; ``peripherals``: those that the cell has; ``fail(message)``."""

    def __init__(
        self,
        port: Port,
        topics: Topics,
        reach: Reach,
        peripherals: Collection[str],
        *,
        timeout_s: float,
        active: Callable[[], Collection[str]],
        fail: Callable[[str], None],
    ) -> None:
        self._port = port
        self._topics = topics
        self._reach = reach
        self._peripherals = peripherals
        self._timeout_s = timeout_s
        self._active = active
        self._fail = fail
        self._requests: dict[str, Json] = {}
        self._open: Inquiry | None = None

    def request(self, site: str, content: Json) -> None:
        """Site ``site`` asks for ``content``."""
        if not spec.is_io_request(content):
            self._fail(f"the test program of site {site} sent an io-control request that is not understood")
        elif content["periphery_type"] not in self._peripherals:
            self._fail(f"the test program of site {site} asks for peripheral {content['periphery_type']}, not there")
        else:
            self._requests[site] = content
            self.review()

    def review(self) -> None:
        """Go on as soon as everybody who still tests has asked."""
        active = set(self._active())
        asked = {site: request for site, request in self._requests.items() if site in active}
        if self._open is not None or not asked:
            return
        first = next(iter(asked.values()))
        if any(_wish(other) != _wish(first) for other in asked.values()):
            wishes = "; ".join(
                f"site {site}: {request['ioctl_name']} of {request['periphery_type']}"
                for site, request in sorted(asked.items())
            )
            self._requests = {}
            self._fail(f"the sites ask peripherals for different things ({wishes})")
        elif asked.keys() == active:
            self._relay(first, asked)

    def clear(self) -> None:
        """Forget everything that was asked."""
        self._requests = {}
        if self._open is not None:
            self._open.cancel()
            self._open = None

    def _relay(self, request: Json, asked: Mapping[str, Json]) -> None:
        ids = [str(one["request_id"]) for one in asked.values() if "request_id" in one]
        self._open = Inquiry(
            self._port,
            self._reach,
            request["periphery_type"],
            spec.relayed_request(request, ids),
            timeout_s=self._timeout_s,
            on_answer=partial(self._answered, request, dict(asked), ids),
        )

    def _answered(self, request: Json, asked: Mapping[str, Json], ids: list[str], response: Json | None) -> None:
        self._open = None
        self._requests = {site: one for site, one in self._requests.items() if asked.get(site) is not one}
        answer = response or spec.io_response(request["ioctl_name"], "Timeout", ids)
        self._port.publish(self._topics.master_peripheral(request["periphery_type"]), answer)
        self.review()


def _wish(request: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(request[key] for key in ("periphery_type", "ioctl_name", "parameters"))
