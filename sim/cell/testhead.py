"""Which device touches which site: the one place where handler, meter, bench and journal agree on contact."""

from collections.abc import Callable, Mapping


class TestHead:
    """``touch`` brings devices into contact, ``lift`` takes all of them away."""

    def __init__(self) -> None:
        self._devices: dict[int, int] = {}
        self._watchers: list[Callable[[int, int | None], None]] = []

    def watch(self, watcher: Callable[[int, int | None], None]) -> None:
        """Call ``watcher(site, device number or None)`` whenever what touches a site has changed."""
        self._watchers.append(watcher)

    def touch(self, devices: Mapping[int, int]) -> None:
        """``devices``: site -> number of the device (from 1) that touches it now."""
        before, self._devices = self._devices, dict(devices)
        for site in sorted(before.keys() | self._devices.keys()):
            number = self._devices.get(site)
            if number != before.get(site):
                self._tell(site, number)

    def lift(self) -> None:
        """No device touches any site."""
        self.touch({})

    def changed(self, device: int) -> None:
        """The device of that number is another one from now on."""
        for site, number in sorted(self._devices.items()):
            if number == device:
                self._tell(site, number)

    def _tell(self, site: int, number: int | None) -> None:
        for watcher in self._watchers:
            watcher(site, number)

    def device_number(self, site: int) -> int | None:
        """The number of the device on ``site``, None when nothing touches it."""
        return self._devices.get(site)
