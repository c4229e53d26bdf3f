"""What a program finds beside the clock: the bridge to testers and instruments of the cell, and PyVISA's backend."""

import os
import sys


def open_doors(folder: str) -> None:
    """Let the program find what its environment names; ``folder`` is the private folder."""
    if os.environ.get("DRYCELL_BRIDGE"):
        import drycell_bridge.install  # type: ignore[import-not-found]

        drycell_bridge.install.install()
    if "DRYCELL_RESOURCES" in os.environ:
        sys.path.append(os.path.join(folder, "visa"))  # where PyVISA finds the backend
