"""What a program gets instead of the objects of its own plugins."""

from __future__ import annotations

from .link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Tester:
    """The cell's tester, with the methods of the published packages. Making it connects to nothing."""

    SITE_COUNT = 16

    def __init__(self, address: str, name: str, logger: Any = None) -> None:
        self.logger = logger
        self._address, self._name = address, name
        self._link: Link | None = None
        self._site = 0

    def get_sites_count(self) -> int:
        """How many sites it has."""
        return int(self._call("get_sites_count"))

    def get_site_count(self) -> int:
        """The other spelling."""
        return self.get_sites_count()

    def do_init_state(self, site_id: int) -> None:
        """A program has come up on the site."""
        self._site = site_id
        self._call("do_init_state", site_id)

    def setup(self) -> None:
        """Start the hardware."""
        self._call("setup", self._site)

    def teardown(self) -> None:
        """Shut the hardware down."""
        self._call("teardown", self._site)

    def do_request(self, site_id: int, timeout: int) -> bool:
        """Wait until the master releases the site; False after ``timeout`` seconds."""
        return bool(self._call("do_request", site_id, timeout))

    def test_in_progress(self, site_id: int) -> None:
        """The site is busy."""
        self._call("test_in_progress", site_id)

    def test_done(self, site_id: int, timeout: int) -> None:
        """The site has finished."""
        self._call("test_done", site_id, timeout)

    def pulse_trigger_out(self, pulse_width_ms: int) -> None:
        """Pulse the trigger output."""
        self._call("pulse_trigger_out", self._site, pulse_width_ms)

    def run_pattern(self, pattern_name: str, start_label: str = "", stop_label: str = "", timeout: int = 1000) -> int:
        """The simulated tester has no digital patterns: -1, as the published base class answers."""
        return -1

    def _call(self, method: str, *arguments: Any) -> Any:
        if self._link is None:
            self._link = Link(self._address, "tester", self._name)
        return self._link.call(method, *arguments)


class Instrument:
    """An instrument of the cell: its driver's methods, carried out there. Making it connects to nothing."""

    def __init__(self, address: str, name: str, logger: Any = None) -> None:
        self.logger = logger
        self._address, self._name = address, name
        self._link: Link | None = None

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        if self._link is None:
            self._link = Link(self._address, "instrument", self._name)
        link = self._link
        if method not in link.described:
            raise AttributeError(f"{self._name} has no {method}; it has {', '.join(link.described)}")
        return lambda *arguments: link.call(method, *arguments)
