"""What a run ran on: versions and machine, for ``environment.json`` and ``drycell doctor``."""

import os
import platform
import sys
from importlib import metadata
from typing import Any

from drycell import __version__

_PARTS = ("amqtt", "numpy", "orjson", "pluggy", "pydantic", "rich", "ruamel.yaml", "simpy")


def versions() -> dict[str, str]:
    """Component -> version: drycell, Python, and the libraries a run depends on."""
    found = {"drycell": __version__, "python": platform.python_version()}
    for name in _PARTS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, Any]:
    """The environment record of a run."""
    return {
        "versions": versions(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "wsl": is_wsl(),
        "cpus": os.cpu_count(),
        "interpreter": sys.executable,
    }


def is_wsl() -> bool:
    """Whether this is the Windows Subsystem for Linux, by the kernel's release name."""
    return "microsoft" in platform.release().lower()
