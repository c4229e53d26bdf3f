"""The test options of one ``next``, as the program obeys them.

Rules (sequencer specification): options come with every ``next`` and may differ each time; a missing option is off,
whatever it was before; they are read once, at the start of a cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drycell.runtime.protocol import specification


@dataclass(frozen=True, slots=True)
class Options:
    """``trigger_before_test``: the index, from 0, of the test just before which the trigger pulses.

    ``test_sequence``: the only tests to run, by name; empty for all. ``given``: all of them as they came, also those
    that have no meaning for a program (``single_step``, ``stop_on_test``, ``trigger_site_specific`` and any other).
    """

    stop_on_fail: bool = False
    trigger_on_fail: bool = False
    trigger_before_test: int | None = None
    test_sequence: tuple[str, ...] = ()
    given: Mapping[str, specification.Option] = field(default_factory=dict)

    @classmethod
    def read(cls, job_data: Mapping[str, Any]) -> "Options":
        """From the ``job_data`` of a ``next``. Raises ValueError in words for an option of another shape."""
        found = specification.read_options(job_data)
        before = found["trigger_on_test"]
        sequence = job_data.get("test_sequence") or ()
        if not isinstance(sequence, list | tuple) or not all(isinstance(name, str) for name in sequence):
            raise ValueError(f"test_sequence is {sequence!r}; it must be a list of test names")
        return cls(
            stop_on_fail=found["stop_on_fail"].active,
            trigger_on_fail=found["trigger_on_fail"].active,
            trigger_before_test=before.value if before.active else None,
            test_sequence=tuple(sequence),
            given=MappingProxyType(found),
        )
