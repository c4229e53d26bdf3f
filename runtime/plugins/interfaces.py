"""What the objects behind the hooks can do: base classes for plugins, with the rules they must keep.

Sources: the plugin document of ATE.org for importers, exporters, testers and configuration; the published packages
1.0.17 for ``do_init_state``, ``pulse_trigger_out``, ``run_pattern``, ``apply_configuration`` and the timeout of
``get_site_states``.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar


class Configurable:
    """An object with options. ``OPTIONS``: key -> value before anything was set, all texts."""

    OPTIONS: ClassVar[Mapping[str, str]] = {}
    _set: Mapping[str, str] = {}  # replaced, never changed

    def option(self, key: str) -> str:
        """The present value."""
        return self._set.get(key, self.OPTIONS[key])

    def set_configuration_values(self, values: Mapping[str, str]) -> None:
        """Set all of ``values`` or, for an unknown key, none: ValueError names it. They hold from the next call."""
        unknown = [key for key in values if key not in self.OPTIONS]
        if unknown:
            known = ", ".join(self.OPTIONS) or "none"
            raise ValueError(f"{type(self).__name__} has no option {unknown[0]!r}; it has {known}")
        together = {**self.OPTIONS, **self._set, **values}
        self.check(together)
        self._set = together

    def apply_configuration(self, values: Mapping[str, str]) -> None:
        """What the published packages call :meth:`set_configuration_values`."""
        self.set_configuration_values(values)

    def check(self, values: Mapping[str, str]) -> None:
        """Raise ValueError if ``values`` together cannot be. They are not set yet."""


class ImporterBase(Configurable, ABC):
    """Brings data in. Nothing is raised: a failed import is None, and the reason can be asked."""

    _reason = ""

    @abstractmethod
    def read(self) -> Any:
        """The data. Raise anything, with the reason as text, when it cannot be had."""

    def do_import(self) -> Any:
        """The data, None when it failed or was cancelled."""
        self._reason = ""
        try:
            return self.read()
        except Exception as error:
            self._reason = str(error) or type(error).__name__
            return None

    def get_abort_reason(self) -> str:
        """Why the last import came to nothing; empty when it did not."""
        return self._reason


class ExporterBase(Configurable, ABC):
    """Writes data out. Nothing is raised: a failed export is False, and the reason can be asked."""

    _reason = ""

    @abstractmethod
    def write(self, data: Any) -> None:
        """Write the data. Raise anything, with the reason as text, when that cannot be done."""

    def do_export(self, data: Any) -> bool:
        """Whether the data was written."""
        self._reason = ""
        try:
            self.write(data)
        except Exception as error:
            self._reason = str(error) or type(error).__name__
            return False
        return True

    def get_abort_reason(self) -> str:
        """Why the last export came to nothing; empty when it did not."""
        return self._reason


class TesterInterface(Configurable, ABC):
    """A test program's side of a tester. Sites count from 0, timeouts are seconds, pulse widths milliseconds.

    Code generators make testers only to learn ``SITE_COUNT``: the constructor touches no hardware, ``setup`` does.
    """

    SITE_COUNT: ClassVar[int] = -1

    def __init__(self, logger: Any = None) -> None:
        self.logger = logger

    def get_sites_count(self) -> int:
        """How many sites it has. Raises NotImplementedError when the class does not declare ``SITE_COUNT``."""
        if self.SITE_COUNT == -1:
            raise NotImplementedError(f"{type(self).__name__} must declare the class variable SITE_COUNT")
        return self.SITE_COUNT

    def get_site_count(self) -> int:
        """The other printed spelling of :meth:`get_sites_count`."""
        return self.get_sites_count()

    @abstractmethod
    def do_request(self, site_id: int, timeout: int) -> bool:
        """Ask to be released for the next test, and wait. False after ``timeout`` s: the caller makes it an error."""

    @abstractmethod
    def test_in_progress(self, site_id: int) -> None:
        """The site is busy with a test."""

    @abstractmethod
    def test_done(self, site_id: int, timeout: int) -> None:
        """The site has finished the test."""

    def do_init_state(self, site_id: int) -> None:
        """A program has come up on the site; once per program, before ``setup``."""

    def setup(self) -> None:
        """Start the hardware."""

    def teardown(self) -> None:
        """Shut the hardware down."""

    def pulse_trigger_out(self, pulse_width_ms: int) -> None:
        """Pulse the trigger output."""

    def run_pattern(self, pattern_name: str, start_label: str = "", stop_label: str = "", timeout: int = 1000) -> int:
        """Run a digital pattern, at most ``timeout`` ms; the number of the failing vector, 0 for none, -1: cannot."""
        return -1


class TesterMasterInterface(ABC):
    """The master's side of a tester."""

    @abstractmethod
    def get_sites_count(self) -> int:
        """How many sites it has."""

    @abstractmethod
    def get_site_states(self, timeout: float = 0) -> Sequence[int] | Awaitable[Sequence[int]]:
        """1 for each site that asks to be released, else 0; after at most ``timeout`` s."""

    @abstractmethod
    def release_test_execution(self, sites: Sequence[int]) -> None:
        """Let these sites go on with their next test."""

    @abstractmethod
    def get_strategy_type(self) -> str:
        """``simple``: whoever asks is released at once; ``default``: in the stages of the execution strategy."""
