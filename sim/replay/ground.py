"""What all who listen to a recording share: the scene that grows, where in it they are, what is told for certain.

In a recording of a simulation, what comes first at an instant of its own was set off by the clock, as a step ``at``
that time is: so it is done at that time again, before anything else that falls on it. A person's deed, on a clock on
the wall, follows what that person saw.
"""

from dataclasses import dataclass

from drycell.runtime.protocol.topics import Topics
from drycell.sim.replay.anchors import Anchors
from drycell.sim.replay.scene import Deed, Json, Scene


@dataclass(frozen=True, slots=True)
class Instant:
    """An occurrence and the time since it, without occurrence since the start; ``t_ns``: the time on the recording's
    clock, -1 for unknown."""

    trigger: Json
    delay_ns: int = 0
    t_ns: int = -1


@dataclass(slots=True)
class Ground:
    """``told``: whether the recording says itself what was done to the cell; then nothing is concluded from messages.
    ``has_handler``: whether a handler was heard; without one nobody else but the operator gives commands.
    ``before_ns``: when the entry before the present one was."""

    scene: Scene
    topics: Topics
    anchors: Anchors
    told: bool = False
    has_handler: bool = False
    before_ns: int = -1

    def instant(self, t_ns: int) -> Instant:
        """That time, seen from the last occurrence, or from the start where the clock set off what happens then."""
        if t_ns > self.before_ns and not self.scene.measured:
            return Instant({}, t_ns, t_ns)
        return Instant(self.anchors.trigger(), t_ns - self.anchors.last_ns, t_ns)

    def did(self, do: Json, when: Instant, why: str = "", drawn_as: int | None = None) -> None:
        """Something was done."""
        self.scene.deeds.append(Deed(when.trigger, do, when.delay_ns, why, when.t_ns, drawn_as))

    def operator(self, action: object, when: Instant) -> None:
        """The operator did something."""
        self.did({"operator": action}, when)

    def conclude(self, do: Json, when: Instant, why: str) -> None:
        """Something must have been done, on a floor that does not say so."""
        if not self.told and self.scene.measured:
            self.did(do, when, why)
