"""Environments for programs that tests and measurements start: made once, cached, safe to ask for in parallel.

A foreign program never shares an interpreter with drycell: it gets a virtual environment of its own, known by a hash
of the interpreter, its requirements and its further steps.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(
    name: str, requirements: Sequence[str], python: str | None = None, steps: Sequence[Sequence[str]] = ()
) -> Path:
    """The interpreter of a virtual environment called ``name`` that has ``requirements``; made on first use.

    ``python`` makes it (this interpreter when None); ``steps`` are argument lists that its interpreter is run with
    after the installation. Raises ``RuntimeError`` with what the failing command said.
    """
    base = python or sys.executable
    version = _run([base, "-c", "import sys; print(sys.version)"])
    lines = [version, *requirements, *("\0".join(step) for step in steps)]
    key = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drycell" / "envs"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{key}"
    interpreter = folder / "bin" / "python"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run([base, "-m", "venv", str(folder)])
            if requirements:
                pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                _run([str(interpreter), *pip, *requirements])
            for step in steps:
                _run([str(interpreter), *step])
            (folder / "complete").touch()
    return interpreter


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr or done.stdout}")
    return done.stdout
