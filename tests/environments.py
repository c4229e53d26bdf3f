"""Environments for programs under test, made once and cached: real interpreters with real client libraries."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(name: str, requirements: Sequence[str], python: str | None = None) -> Path:
    """The python of a virtual environment called ``name`` that has ``requirements``; made on first use.

    ``python``: the interpreter to make it with, this one when None.
    """
    base = python or sys.executable
    version = subprocess.check_output([base, "-c", "import sys; print(sys.version)"], text=True)
    key = hashlib.sha256("\0".join([version, *requirements]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drycell" / "envs"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{key}"
    with (cache / f"{name}-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([base, "-m", "venv", str(folder)], check=True)
            if requirements:
                pip = [
                    str(folder / "bin" / "python"),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ]
                subprocess.run([*pip, *requirements], check=True)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def interpreter(version: str) -> str | None:
    """A CPython of ``version`` (as "3.12") on this machine, or None: this one, PATH, or pyenv's folder."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    roots = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [root / f"python{version}" for root in roots if "shims" not in root.parts]
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for candidate in candidates:
        if not candidate.is_file():
            continue
        asked = subprocess.run([candidate, "-c", "pass"], capture_output=True, check=False)
        if asked.returncode == 0:
            return str(candidate)
    return None
