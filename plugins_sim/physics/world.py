"""A chamber and the sites in it, on one clock.

Rules that hold here:
- Nothing ticks: states are brought to the instant at which somebody reads or changes something.
- Whatever alters a circuit or a set-point does so inside :meth:`World.change`, which first tells those who watch
  (a digitizer records up to that instant) and then makes the present state the start of what follows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from drycell.plugins_sim.physics.devices import DeviceModel
from drycell.plugins_sim.physics.dut_site import Reading, Site
from drycell.plugins_sim.physics.thermal import AMBIENT_C, Air, PhysicsError, Piece, ThermalConstants

NS_PER_S = 1_000_000_000


class World:
    """One chamber with its sites. ``now_ns``: the run's clock; ``ramp_c_per_min``: limit of the chamber, 0: none."""

    def __init__(
        self,
        sites: Sequence[Site],
        now_ns: Callable[[], int],
        constants: ThermalConstants | None = None,
        ramp_c_per_min: float = 0.0,
    ) -> None:
        self.sites = tuple(sites)
        self.constants = constants or ThermalConstants()
        self.watchers: list[Callable[[int], None]] = []
        self._now_ns = now_ns
        self._air_since_s = 0.0
        self._air = Air(AMBIENT_C, AMBIENT_C, self.constants.chamber_time_constant_s, _per_s(ramp_c_per_min))

    # time ----------------------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The present instant."""
        return self._now_ns()

    @property
    def now_s(self) -> float:
        """The present instant in seconds."""
        return self._now_ns() / NS_PER_S

    # reading -------------------------------------------------------------------------------------------------------

    def air_c(self, at_ns: int | None = None) -> float:
        """Temperature of the chamber's air, now or since the last change of its set-point."""
        at_s = self.now_s if at_ns is None else at_ns / NS_PER_S
        return self._air.at(at_s - self._air_since_s)

    def read(self, site: int = 0, at_ns: int | None = None) -> Reading:
        """Everything that is true at ``site`` now, or at an instant since its last change."""
        at_s = self.now_s if at_ns is None else at_ns / NS_PER_S
        return self.sites[site].read(self._air.at(at_s - self._air_since_s), self._piece, at_s)

    @property
    def setpoint_c(self) -> float:
        """Where the chamber goes."""
        return self._air.setpoint_c

    def stable(self, window_c: float, dwell_s: float = 0.0) -> bool:
        """Whether the air has been within ``window_c`` of its set-point for ``dwell_s`` without a break."""
        elapsed_s = self.now_s - self._air_since_s
        return elapsed_s >= self._air.inside_from_s(window_c) + dwell_s

    def _piece(self, at_s: float) -> Piece:
        return self._air.piece(at_s - self._air_since_s)

    # changing ------------------------------------------------------------------------------------------------------

    @contextmanager
    def change(self, *sites: int) -> Iterator[float]:
        """Alter the circuits of ``sites`` (none named: of all) inside; gives the present instant in seconds."""
        at_ns = self._now_ns()
        for watcher in tuple(self.watchers):
            watcher(at_ns)
        at_s = at_ns / NS_PER_S
        chosen = [self.sites[index] for index in sites] if sites else self.sites
        for site in chosen:
            site.anchor(self._piece, at_s)
        try:
            yield at_s
        finally:
            for site in chosen:
                site.forget()

    def set_chamber(self, setpoint_c: float | None = None, ramp_c_per_min: float | None = None) -> None:
        """Send the chamber elsewhere, or change its ramp limit (0: none). No change starts nothing anew."""
        target = self._air.setpoint_c if setpoint_c is None else setpoint_c
        ramp = self._air.ramp_c_per_s if ramp_c_per_min is None else _per_s(ramp_c_per_min)
        if (target, ramp) == (self._air.setpoint_c, self._air.ramp_c_per_s):
            return
        with self.change() as at_s:
            now_c = self._air.at(at_s - self._air_since_s)
            self._air = Air(now_c, target, self._air.tau_s, ramp)
            self._air_since_s = at_s

    def insert(self, site: int, device: DeviceModel) -> None:
        """Put a device into a socket, soaked at the chamber's temperature."""
        with self.change(site) as at_s:
            self.sites[site].insert(device, self.air_c(), at_s)


def _per_s(ramp_c_per_min: float) -> float:
    if not ramp_c_per_min >= 0.0:
        raise PhysicsError(f"a ramp of {ramp_c_per_min:g} K/min is impossible; it must be 0 (no limit) or more.")
    return ramp_c_per_min / 60.0
