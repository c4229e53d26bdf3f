"""What lets a debugger into one program: where debugpy is, which port it listens on, where the user's files are."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from drycell.sim.errors import DrycellError

VARIABLE = "DRYCELL_DEBUG"
HOST = "127.0.0.1"
DEFAULT_PORT = 5678


@dataclass(frozen=True, slots=True)
class DebugWish:
    """The program of ``site`` waits for a debugger on loopback ``port`` when it starts."""

    site: int
    port: int = DEFAULT_PORT

    @property
    def address(self) -> str:
        """Where a debugger attaches."""
        return f"{HOST}:{self.port}"

    def check(self) -> None:
        """Raises DrycellError when debugpy is not installed or the port is taken."""
        _debugpy()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise DrycellError(
                    f"--debug: port {self.port} of {HOST} cannot be used ({error.strerror}); name another one, "
                    f"such as --debug {self.site}:{self.port + 1}"
                ) from None

    def environment(self, folder: Path, paths: Sequence[tuple[Path, Path]]) -> dict[str, str]:
        """Variables for the program. ``folder`` gets a link to debugpy alone; ``paths``: (the user's, what runs)."""
        link = folder / "debugger" / "debugpy"
        if not link.is_symlink():
            link.parent.mkdir()
            link.symlink_to(_debugpy(), target_is_directory=True)
        pairs = [[str(theirs), str(ours)] for theirs, ours in paths]
        return {VARIABLE: json.dumps({"port": self.port, "folder": str(link.parent), "paths": pairs})}


def _debugpy() -> Path:
    spec = find_spec("debugpy")
    if spec is None or spec.origin is None:
        raise DrycellError("--debug needs debugpy, which is not installed: pip install 'drycell[debug]'")
    return Path(spec.origin).parent
