"""Which device touches which site: the one place where handler, meter and journal agree on contact."""

from collections.abc import Mapping


class TestHead:
    """``touch`` brings devices into contact, ``lift`` takes all of them away."""

    def __init__(self) -> None:
        self._devices: dict[int, int] = {}

    def touch(self, devices: Mapping[int, int]) -> None:
        """``devices``: site -> number of the device (from 1) that touches it now."""
        self._devices = dict(devices)

    def lift(self) -> None:
        """No device touches any site."""
        self._devices = {}

    def device_number(self, site: int) -> int | None:
        """The number of the device on ``site``, None when nothing touches it."""
        return self._devices.get(site)
