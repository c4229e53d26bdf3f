"""The cell's tester as an object: requests are answered when the master has released the site."""

from collections.abc import Mapping
from typing import Any

from drycell.sim.cell.bridge import Done, Failed
from drycell.sim.cell.port import Port
from drycell.sim.hooks import Tester

LONGEST_S = 86_400


class CallsToTester:
    """What a program may call at the tester."""

    def __init__(self, port: Port, tester: Tester, sites: int) -> None:
        self._port = port
        self._tester = tester
        self._sites = sites
        self._asking: int | None = None

    def methods(self) -> list[str]:
        """What may be called."""
        return ["get_sites_count", "do_request", *self._plain]

    def call(self, method: str, arguments: list[Any], done: Done, failed: Failed) -> None:
        """Carry out a call; a request is answered when the site is released. Raises ValueError."""
        if method == "get_sites_count":
            done(self._sites)
            return
        if not arguments or not all(type(one) in (int, float) for one in arguments):
            raise ValueError(f"{method} takes the number of a site")
        site = int(arguments[0])
        if method == "do_request":
            self._request(site, float(arguments[1]) if len(arguments) > 1 else 0.0, done)
        elif method in self._plain:
            getattr(self._tester, self._plain[method])(site)
            done(None)
        else:
            raise ValueError(f"a tester has no {method}")

    _plain: Mapping[str, str] = {
        "do_init_state": "reset",
        "setup": "setup",
        "teardown": "teardown",
        "test_in_progress": "in_progress",
        "test_done": "done",
        "pulse_trigger_out": "pulse",
    }

    def _request(self, site: int, timeout_s: float, done: Done) -> None:
        if not 0.0 <= timeout_s <= LONGEST_S:
            raise ValueError(f"a timeout of {timeout_s:g} s is impossible; use 0 to {LONGEST_S}")

        def timed_out() -> None:
            self.close()
            done(False)

        timer = self._port.later(timeout_s, timed_out)

        def released() -> None:
            self._asking = None
            timer.cancel()
            done(True)

        self._asking = site
        try:
            self._tester.request(site, released)
        except ValueError:
            self._asking = None
            timer.cancel()
            raise

    def close(self) -> None:
        """The program is gone: it asks no more."""
        site, self._asking = self._asking, None
        if site is not None:
            self._tester.withdraw(site)
