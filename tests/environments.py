"""Virtual environments for programs that tests start: made once, kept in the user's cache, safe to share.

An environment is known by its name and a hash of interpreter and requirements, so another set of versions is another
environment. Two test runs that want the same one at the same time wait for each other (a file lock).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def environment(name: str, requirements: list[str], python: str | None = None) -> Path:
    """The folder of a virtual environment with ``requirements``; its interpreter is ``bin/python`` in it.

    ``python``: interpreter to build it with, by default the running one. Raises RuntimeError with what pip said.
    """
    python = python or sys.executable
    version = subprocess.run([python, "-VV"], check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256("\n".join([version, *requirements]).encode()).hexdigest()[:12]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drycell" / "envs"
    base.mkdir(parents=True, exist_ok=True)
    home = base / f"{name}-{digest}"
    with (base / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            _must([python, "-m", "venv", str(home)])
            if requirements:
                pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                _must([*pip, *requirements])
            (home / ".ready").touch()
    return home


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr or done.stdout}")
