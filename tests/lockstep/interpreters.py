"""Other CPython versions on this machine, for tests over versions."""

import os
import subprocess
import sys
from pathlib import Path


def interpreter(version: str) -> str | None:
    """A CPython of ``version`` (as "3.12") on this machine, or None: this one, PATH, or pyenv's folder."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    roots = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [root / f"python{version}" for root in roots if "shims" not in root.parts]
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for candidate in candidates:
        if (
            candidate.is_file()
            and not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode
        ):
            return str(candidate)
    return None
