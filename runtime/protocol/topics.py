"""Topics of dialect ``semi-ate``. ``device`` is the device id, ``handler`` the handler id, site a decimal string."""

from dataclasses import dataclass

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


def site_of(topic: str) -> str:
    """The site of a topic that has a level ``site<S>``; empty when it has none."""
    for level in topic.split("/"):
        if level.startswith("site"):
            return level.removeprefix("site")
    return ""
