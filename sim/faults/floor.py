"""Faults of the floor: handler, devices, lot, master, TCC. Options and the operator have actions of their own."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from drycell.sim.errors import DrycellError
from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.stage import Stage
from drycell.sim.scenario.words import DeviceParameter, Flag, Lot, Number, Part, Seconds, Site, Whole


class _Floor(Fault):
    layer: ClassVar[Layer] = "floor"


class HandlerJam(_Floor):
    """The handler's mechanics stand still; whatever was about to move waits."""

    main: ClassVar[str | None] = "for_s"
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long; null for good."""

    def inject(self, stage: Stage) -> None:
        """Jam it."""
        stage.floor.jam(self.for_s)


class DoubleFeed(_Floor):
    """A site gets another device than the handler believes: one sticks, and the next one is on top of it."""

    main: ClassVar[str | None] = "site"
    site: Site
    """Where."""
    shift: Whole = Field(default=1, ge=-1_000_000, le=1_000_000)
    """How many places further on in the lot the device really is."""
    touchdowns: Whole = Field(default=1, ge=1)
    """In how many of the next touchdowns."""

    def inject(self, stage: Stage) -> None:
        """Misplace it."""
        stage.floor.misplace(self.site, self.shift, self.touchdowns)


class ContactFailure(_Floor):
    """A site's pins do not touch the device."""

    main: ClassVar[str | None] = "site"
    site: Site
    """Where."""
    touchdowns: Whole = Field(default=1, ge=1)
    """In how many of the next touchdowns."""

    def inject(self, stage: Stage) -> None:
        """Lift it."""
        stage.floor.lose_contact(self.site, self.touchdowns)


class WrongLot(_Floor):
    """The handler loads a lot that the master has no job for: a mistyped or misread number."""

    main: ClassVar[str | None] = "lot"
    lot: Lot = "000000.000"
    """The number it says."""

    def inject(self, stage: Stage) -> None:
        """Change the number of the next load."""
        stage.floor.wrong_lot(self.lot)


class MasterRestart(_Floor):
    """The master dies and comes up again with no memory of the lot."""

    main: ClassVar[str | None] = "down_s"
    down_s: Seconds = Field(default=2.0, alias="down")
    """How long it is away."""

    def inject(self, stage: Stage) -> None:
        """Restart it."""
        stage.floor.restart_master(self.down_s)


class TccGone(_Floor):
    """The test cell controller is gone: no peripheral answers."""

    main: ClassVar[str | None] = "for_s"
    for_s: Seconds | None = Field(default=None, alias="for")
    """How long; null for good."""

    def inject(self, stage: Stage) -> None:
        """Stop it."""
        stage.floor.stop_tcc(self.for_s)


class OperatorResets(_Floor):
    """The operator presses reset again and again, whatever state the master is in."""

    draws: ClassVar[bool] = True
    times: Whole = Field(default=3, ge=1, le=10_000)
    """How often."""
    every_s: Seconds = Field(default=0.2, alias="every")
    """Time from one to the next, on average."""
    random: Flag = False
    """Whether the times are drawn (evenly from 0 to twice ``every``)."""

    def inject(self, stage: Stage) -> None:
        """Press, and arm the next press."""
        self._press(stage, self.times)

    def _press(self, stage: Stage, left: int) -> None:
        stage.floor.operator("reset", {})
        if left > 1:
            wait_s = self.every_s * (2 * float(stage.random.random()) if self.random else 1)
            stage.later(wait_s, lambda: self._press(stage, left - 1))


class DeviceChanges(_Floor):
    """A device behaves otherwise from now on: its true values change, as by heat, damage or a bad contact."""

    main: ClassVar[str | None] = "part"
    part: Part
    """Number of the device in the lot."""
    values: Mapping[DeviceParameter, Number] = {}
    """New true values by name, in the unit of the device model."""
    factors: Mapping[DeviceParameter, Number] = {}
    """Factors on the true values, by name."""

    def check(self, stage: Stage) -> None:
        """Raises DrycellError for names that the device model does not have."""
        known = stage.devices.parameters()
        for name in (*self.values, *self.factors):
            if name not in known:
                raise DrycellError(f"timeline: devices of this lot have no {name!r}; they have {', '.join(known)}")

    def inject(self, stage: Stage) -> None:
        """Change it."""
        stage.devices.change(self.part, self.values, self.factors)
