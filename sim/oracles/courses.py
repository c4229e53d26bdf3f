"""What programs of dialect ``specification`` said, from launch to exit: states, fragments, teardown callbacks.

Rule: a teardown callback is what a program announces on its log topic right before it runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from drycell.sim.kernel import Event
from drycell.sim.oracles.facts import Facts

FRAGMENT, COMMANDED = "fragment", "command"


@dataclass(frozen=True, slots=True)
class Step:
    """Something a program said, or was commanded. ``what``: a state, a teardown callback, FRAGMENT or COMMANDED."""

    what: str
    event: Event
    has_error: bool | None = None


@dataclass(slots=True)
class Course:
    """One program from launch to exit, step by step."""

    site: str
    launch: Event
    steps: list[Step] = field(default_factory=list)
    exit: Event | None = None

    @property
    def who(self) -> str:
        """What to call it."""
        return f"the program of site {self.site}"

    def index_of(self, *whats: str) -> int | None:
        """Where the first of ``whats`` is."""
        return next((index for index, step in enumerate(self.steps) if step.what in whats), None)


def courses(facts: Facts) -> Sequence[Course]:
    """Every program of the run, in the order of their starts."""
    found: list[Course] = []
    now: dict[str, Course] = {}
    said = {step.event.seq: (site, step) for site, step in _said(facts)}
    for event in facts.of_kind("launch", "exit", "message"):
        site = event.actor.removeprefix("program")
        if event.kind == "launch":
            now[site] = Course(site, event)
            found.append(now[site])
        elif event.kind == "exit" and site in now:
            now[site].exit = event
        elif event.seq in said:
            site, step = said[event.seq]
            for one in [now[site]] if site in now else () if site else now.values():
                one.steps.append(step)
    return found


def _said(facts: Facts) -> Iterator[tuple[str, Step]]:
    """The site ("" for all) and what was said there."""
    for heard in facts.heard("TestApp/stdf", "TestApp/status", "TestApp/log", "TestApp/cmd"):
        content = {} if heard.place == "TestApp/stdf" else heard.content or {}
        payload = content.get("payload")
        told = payload if isinstance(payload, dict) else {}
        if heard.place == "TestApp/stdf":
            yield heard.site, Step(FRAGMENT, heard.event)
        elif heard.place == "TestApp/status":
            yield heard.site, Step(str(content.get("state")), heard.event)
        elif heard.place == "TestApp/log" and content.get("type") == "teardown":
            yield heard.site, Step(str(told.get("callback")), heard.event, told.get("has_error"))
        elif str(content.get("command")).lower() == "terminate":
            yield "", Step(COMMANDED, heard.event)
