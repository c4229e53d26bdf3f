"""Faults of test programs: they die, stand still, come late, stay away, talk too much, lose their control."""

from typing import ClassVar

from pydantic import Field

from drycell.sim.faults.base import Fault, Layer
from drycell.sim.faults.stage import Stage
from drycell.sim.scenario.actions import SignalName
from drycell.sim.scenario.words import Seconds, Site, Text, Whole

PIPE_BYTES = 65_536
"""What fits into a pipe on Linux (pipe(7)). Control reads a program's standard error only when it has ended."""


class _ProcessFault(Fault):
    layer: ClassVar[Layer] = "process"
    main: ClassVar[str | None] = "site"
    site: Site
    """Site of the program."""


class Signal(_ProcessFault):
    """A program gets a signal, of whatever kind."""

    signal: SignalName = "SIGTERM"
    """Name of the signal."""

    def inject(self, stage: Stage) -> None:
        """Send it."""
        stage.programs.signal(self.site, self.signal)
        if self.signal == "SIGSTOP":
            stage.lasts(self.site)


class Segfault(_ProcessFault):
    """A native library reads where it must not: SIGSEGV, and no teardown runs."""

    def inject(self, stage: Stage) -> None:
        """Send SIGSEGV."""
        stage.programs.signal(self.site, "SIGSEGV", "Fatal Python error: Segmentation fault")


class OutOfMemory(_ProcessFault):
    """The operating system ends the program for want of memory: SIGKILL without a warning."""

    def inject(self, stage: Stage) -> None:
        """Send SIGKILL, as the kernel's out-of-memory killer does."""
        stage.programs.signal(self.site, "SIGKILL", "Killed")


class Exit(_ProcessFault):
    """The program ends at once with an exit code of its own choice, as after ``os._exit``."""

    code: Whole = Field(default=1, ge=0, le=255)
    """The exit code."""
    last_words: Text = "the program gave up"
    """The last line on its standard error."""

    def inject(self, stage: Stage) -> None:
        """End it."""
        stage.programs.exit(self.site, self.code, self.last_words)


class TeardownFailure(_ProcessFault):
    """The program's last teardown raises: everything goes well until the end, which comes with an exit code."""

    code: Whole = Field(default=1, ge=1, le=255)
    """The exit code."""

    def inject(self, stage: Stage) -> None:
        """Replace the next exit code."""
        stage.programs.exit_code(self.site, self.code, "RuntimeError: the power supply does not switch off")


class Freeze(_ProcessFault):
    """The program stands still, as after SIGSTOP or in a blocking call of a driver."""

    for_s: Seconds | None = Field(default=None, alias="for")
    """How long; null for good."""

    def inject(self, stage: Stage) -> None:
        """Stop it, and let it go on later."""
        stage.programs.freeze(self.site)
        stage.lasts(self.site, self.for_s)
        if self.for_s is not None:
            stage.later(self.for_s, lambda: stage.programs.thaw(self.site))


class SlowStart(_ProcessFault):
    """The next start of the program takes longer, as from a busy network drive."""

    by_s: Seconds = Field(default=10.0, alias="by")
    """How much longer."""

    def inject(self, stage: Stage) -> None:
        """Hinder the next start."""
        stage.programs.hinder(self.site, self.by_s)


class NeverAttaches(_ProcessFault):
    """The next start of the program succeeds, but it never gets through to the broker."""

    def inject(self, stage: Stage) -> None:
        """Hinder the next start."""
        stage.programs.hinder(self.site, None)


class Orphan(_ProcessFault):
    """The site's control dies and comes back; the program it had started lives on without a parent."""

    def inject(self, stage: Stage) -> None:
        """Separate the two."""
        stage.programs.abandon(self.site)


class StderrFlood(_ProcessFault):
    """The program writes a lot to standard error. What does not fit into the pipe makes it stand still."""

    size: Whole = Field(default=PIPE_BYTES, ge=1, le=64 * 1024 * 1024, alias="bytes")
    """How much, in bytes."""

    def inject(self, stage: Stage) -> None:
        """Write; stand still when the pipe is full."""
        stage.programs.flood(self.site, self.size)
        if self.size > PIPE_BYTES:
            stage.programs.freeze(self.site)
            stage.lasts(self.site)
