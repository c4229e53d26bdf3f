"""The hardware of a tester as far as programs can tell: one request line and one release line per site. Pure.

A site raises its request and is released by the master, once per request; then it is busy until it says that it is
done or asks again (programs of Semi-ATE 1.0.17 never say done). Lines know no time: whoever waits, waits outside.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Literal

State = Literal["idle", "asking", "released", "busy", "done"]
MAX_SITES = 16


class Lines:
    """``sites``: how many there are, None for any. ``self_releasing``: no master, every request is granted at once.

    ``on_call(call, site)`` is told of all that programs do to the hardware, ``on_request()`` of each request.
    """

    def __init__(
        self,
        sites: int | None,
        strategy: str,
        *,
        self_releasing: bool = False,
        on_call: Callable[[str, int], object] = lambda call, site: None,
        on_request: Callable[[], None] = lambda: None,
    ) -> None:
        self.sites = sites
        self.strategy = strategy
        self.on_call = on_call
        self.on_request = on_request
        self._self_releasing = self_releasing
        self._states: dict[int, State] = {}
        self._waiting: dict[int, Callable[[], None]] = {}

    def state(self, site: int) -> State:
        """What the site's lines show."""
        return self._states.get(self._checked(site), "idle")

    @property
    def asking(self) -> Collection[int]:
        """The sites that ask to be released, in order."""
        return sorted(self._waiting)

    # the sites' side -----------------------------------------------------------------------------------------------

    def reset(self, site: int) -> None:
        """A program has come up on the site, or is gone: its lines fall."""
        self._on("init", site)
        self._waiting.pop(site, None)
        self._states[site] = "idle"

    def request(self, site: int, released: Callable[[], None]) -> None:
        """Raise the request; ``released`` is called once, at the latest when the master says so.

        Raises ValueError when the site is asking already.
        """
        if self.state(site) == "asking":
            raise ValueError(f"site {site} asks for a release while it is asking already")
        self._on("request", site)
        self._states[site] = "asking"
        self._waiting[site] = released
        if self._self_releasing:
            self.release([site])
        else:
            self.on_request()

    def withdraw(self, site: int) -> None:
        """Let the request fall, after a timeout: it will not be released."""
        if self._waiting.pop(site, None) is not None:
            self._on("withdraw", site)
            self._states[site] = "idle"

    def in_progress(self, site: int) -> None:
        """The site is busy."""
        self._on("in_progress", site)
        self._states[site] = "busy"

    def done(self, site: int) -> None:
        """The site has finished its test."""
        self._on("done", site)
        self._states[site] = "done"

    def setup(self, site: int) -> None:
        """Power on for the site's program."""
        self._on("setup", site)

    def teardown(self, site: int) -> None:
        """Power off for the site's program; its lines fall."""
        self._on("teardown", site)
        self._waiting.pop(site, None)
        self._states[site] = "idle"

    def pulse(self, site: int) -> None:
        """The trigger output pulses."""
        self._on("pulse", site)

    # the master's side ---------------------------------------------------------------------------------------------

    def release(self, sites: Collection[int]) -> None:
        """Release these sites. Raises ValueError for one that does not ask: nobody is released twice."""
        for site in sites:
            if self.state(site) != "asking":
                raise ValueError(f"site {site} is to be released, but it does not ask for it ({self.state(site)})")
        for site in sites:
            self._states[site] = "released"
        for go_on in [self._waiting.pop(site) for site in sites]:
            go_on()

    def _on(self, call: str, site: int) -> None:
        self.on_call(call, self._checked(site))

    def _checked(self, site: int) -> int:
        if site < 0 or (self.sites is not None and site >= self.sites):
            raise ValueError(f"there is no site {site}; the tester has {self.sites}, counted from 0")
        return site


def single_lines(sites: int = 1) -> Lines:
    """One tester per site: nobody waits for anybody."""
    return Lines(None, "simple", self_releasing=True)


def parallel_lines(sites: int, strategy: str = "default") -> Lines:
    """One tester for 1 to 16 sites. Raises ValueError for more."""
    if not 1 <= sites <= MAX_SITES:
        raise ValueError(f"a parallel tester has 1 to {MAX_SITES} sites, not {sites}")
    return Lines(sites, strategy)


MODELS: Mapping[str, Callable[[int], Lines]] = {
    "single": single_lines,
    "parallel": parallel_lines,
    "parallel simple": partial(parallel_lines, strategy="simple"),
}
"""Testers of a cell by the name that ``cell.tester.model`` says; each takes the number of sites."""
