"""What a program gets instead of the objects of its own plugins."""

from __future__ import annotations

from .link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Object:
    """Making one connects to nothing."""

    kind = ""

    def __init__(self, address: str, site: int, name: str, logger: Any = None) -> None:
        self.logger = logger
        self._address, self._site, self._name = address, site, name
        self._made: Link | None = None

    @property
    def _link(self) -> Link:
        if self._made is None:
            self._made = Link(self._address, self.kind, self._name, self._site)
        return self._made


class Tester(_Object):
    """The cell's tester, with the methods of the published packages."""

    SITE_COUNT = 16
    kind = "tester"

    def get_sites_count(self) -> int:
        """How many sites it has."""
        return int(self._link.call("get_sites_count"))

    def get_site_count(self) -> int:
        """The other spelling."""
        return self.get_sites_count()

    def do_init_state(self, site_id: int) -> None:
        """A program has come up on the site."""
        self._site = site_id
        self._link.call("do_init_state", site_id)

    def setup(self) -> None:
        """Start the hardware."""
        self._link.call("setup", self._site)

    def teardown(self) -> None:
        """Shut the hardware down."""
        self._link.call("teardown", self._site)

    def do_request(self, site_id: int, timeout: int) -> bool:
        """Wait until the master releases the site; False after ``timeout`` seconds."""
        return bool(self._link.call("do_request", site_id, timeout))

    def test_in_progress(self, site_id: int) -> None:
        """The site is busy."""
        self._link.call("test_in_progress", site_id)

    def test_done(self, site_id: int, timeout: int) -> None:
        """The site has finished."""
        self._link.call("test_done", site_id, timeout)

    def pulse_trigger_out(self, pulse_width_ms: int) -> None:
        """Pulse the trigger output."""
        self._link.call("pulse_trigger_out", self._site, pulse_width_ms)

    def run_pattern(self, pattern_name: str, start_label: str = "", stop_label: str = "", timeout: int = 1000) -> int:
        """The simulated tester has no digital patterns: -1, as the published base class answers."""
        return -1


class Instrument(_Object):
    """An instrument of the cell: its driver's methods, carried out there."""

    kind = "instrument"

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        link = self._link
        if method not in link.described:
            raise AttributeError(f"{self._name} has no {method}; it has {', '.join(link.described)}")
        return lambda *arguments: link.call(method, *arguments)


class Actuator(_Object):
    """A peripheral of the cell: every method is an io-control request to the master, its parameters are named.

    Returns the result of the answer. TimeoutError when none comes, OSError when it says that it was not done.
    """

    kind = "actuator"

    def __getattr__(self, ioctl: str) -> Any:
        if ioctl.startswith("_"):
            raise AttributeError(ioctl)

        def request(*unnamed: Any, **parameters: Any) -> Any:
            if unnamed:
                raise TypeError(f"{ioctl} of {self._name} takes parameters by name; nobody knows their order")
            return self._link.call(ioctl, parameters)

        return request


KINDS = {one.kind: one for one in (Tester, Instrument, Actuator)}
"""What is made, by the kind that the cell names."""
