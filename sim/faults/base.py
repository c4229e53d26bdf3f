"""What a fault is: parameters that a scenario can write, and one method that brings it about.

Rules
- A fault is a frozen value. Whatever it must remember while it acts lives in the rule it hands to the stage.
- Its class docstring is its documentation, and so are the docstrings of its fields: schema and error texts use them.
- All that is random comes from ``stage.random``, which depends on the run's seed, the fault's name and its place in
  the timeline only.
"""

from abc import abstractmethod
from collections.abc import Collection
from typing import ClassVar, Literal

from drycell.runtime.protocol.dialects import DIALECTS
from drycell.sim.faults.stage import Stage
from drycell.sim.scenario.words import Section

Layer = Literal["process", "link", "payload", "instrument", "file", "floor"]


class Fault(Section):
    """Base of all faults: a section of the scenario with a layer and a deed."""

    layer: ClassVar[Layer]
    """Where it strikes."""
    main: ClassVar[str | None] = None
    """The field that a bare value stands for: ``do: {freeze: 0}`` is ``do: {freeze: {site: 0}}``."""
    dialects: ClassVar[Collection[str]] = tuple(DIALECTS)
    """The protocols in which it makes a difference."""
    draws: ClassVar[bool] = False
    """Whether anything in it is drawn from ``stage.random``: an import must then say from which stream."""

    @abstractmethod
    def inject(self, stage: Stage) -> None:
        """Bring the fault about, now; called once. The timeline has already written it into the journal."""

    def check(self, stage: Stage) -> None:
        """Called before the run begins. Raises DrycellError for what can never work in this cell."""
