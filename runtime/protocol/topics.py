"""Topics of a cell. ``device`` is the device id, ``handler`` the handler id, site a decimal string.

Both dialects use one scheme, with the prefix ``ate/``. The sequencer specification prints some topics otherwise (two
without the prefix, one with a doubled ``site``); :class:`PrintedTopics` is for programs that took it at its word.
"""

from dataclasses import dataclass
from functools import lru_cache

MISROUTING_WORDS = ("Control", "TestApp", "Master", "Handler", "status", "cmd", "log")
"""Words that the packages search for anywhere in a topic; a device id holding one would misroute its messages."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one cell."""

    device: str
    handler: str = "handler"

    @property
    def program_cmd(self) -> str:
        return f"ate/{self.device}/TestApp/cmd"

    def program(self, kind: str, site: str) -> str:
        """``kind``: status, testresult, testsummary, log or execution_strategy."""
        return f"ate/{self.device}/TestApp/{kind}/site{site}"

    def io_request(self, site: str) -> str:
        return f"ate/{self.device}/TestApp/io-control/site{site}/request"

    @property
    def any_program(self) -> str:
        return f"ate/{self.device}/TestApp/#"

    @property
    def heard_program_cmd(self) -> tuple[str, ...]:
        """Every topic that commands to test programs may come on; they are sent on :attr:`program_cmd`."""
        return (self.program_cmd,)

    @property
    def heard_program(self) -> tuple[str, ...]:
        """Filters for everything that test programs say."""
        return (self.any_program,)

    def canonical(self, topic: str) -> str:
        """``topic`` as this class spells it."""
        return topic

    def master_peripheral(self, peripheral: str) -> str:
        return f"ate/{self.device}/Master/{peripheral}/response"

    @property
    def any_master_peripheral(self) -> str:
        return f"ate/{self.device}/Master/+/response"

    @property
    def any_peripheral_state(self) -> str:
        return f"ate/{self.device}/Master/peripherystate/+"

    def peripheral_request(self, peripheral: str) -> str:
        return f"ate/{self.device}/{peripheral}/io-control/request"

    def peripheral_response(self, peripheral: str) -> str:
        return f"ate/{self.device}/{peripheral}/io-control/response"

    @property
    def master_status(self) -> str:
        return f"ate/{self.device}/Master/status"

    @property
    def master_cmd(self) -> str:
        return f"ate/{self.device}/Master/cmd"

    @property
    def master_response(self) -> str:
        return f"ate/{self.device}/Master/response"

    @property
    def control_cmd(self) -> str:
        return f"ate/{self.device}/Control/cmd"

    def control_status(self, site: str) -> str:
        return f"ate/{self.device}/Control/status/site{site}"

    def control_log(self, site: str) -> str:
        return f"ate/{self.device}/Control/log/site{site}"

    @property
    def any_control(self) -> str:
        return f"ate/{self.device}/Control/#"

    @property
    def handler_status(self) -> str:
        return f"ate/{self.handler}/Handler/status"


@dataclass(frozen=True, slots=True)
class PrintedTopics(Topics):
    """The topics as the sequencer specification prints them: so they are said, and both forms are heard."""

    @property
    def program_cmd(self) -> str:
        return f"{self.device}/TestApp/cmd"

    def program(self, kind: str, site: str) -> str:
        if kind == "status":
            return f"{self.device}/TestApp/status/site{site}"
        if kind == "stdf":
            return f"ate/{self.device}/TestApp/stdf/sitesite{site}"
        return Topics.program(self, kind, site)

    @property
    def heard_program_cmd(self) -> tuple[str, ...]:
        return (self.program_cmd, f"ate/{self.program_cmd}")

    @property
    def heard_program(self) -> tuple[str, ...]:
        return (f"{self.device}/TestApp/#", self.any_program)

    def canonical(self, topic: str) -> str:
        prefixed = f"ate/{topic}" if topic.startswith(f"{self.device}/TestApp/") else topic
        return prefixed.replace("/sitesite", "/site")


@lru_cache(maxsize=256)
def site_of(topic: str) -> str:
    """The site of a topic that has a level ``site<S>`` (or, as printed, ``sitesite<S>``); empty when it has none."""
    for level in topic.split("/"):
        if level.startswith("site"):
            return level.removeprefix("site").removeprefix("site")
    return ""
