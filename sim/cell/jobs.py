"""Jobs: what the master must know to load a lot. The counterpart of the real master's XML job files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One lot. ``bin_table``: hard bin -> soft bins; ``params``: what control needs to start the program.

    ``tests``: the test instances to run; none: all.
    """

    lot: str
    bin_table: Mapping[int, tuple[int, ...]]
    script: str
    cwd: str
    args: tuple[str, ...] = ("--verbose",)
    part_type: str = ""
    program_name: str = ""
    bin_names: Mapping[int, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()

    def testapp_params(self) -> dict[str, Any]:
        """The payload of ``loadTest``."""
        return {
            "testapp_script_path": self.script,
            "testapp_script_args": list(self.args),
            "cwd": self.cwd,
            "bin_table": {str(hard): [str(soft) for soft in softs] for hard, softs in self.bin_table.items()},
        }
