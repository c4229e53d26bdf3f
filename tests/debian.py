"""Programs from Debian that tests and measurements use: installed on first use, safe to ask for in parallel.

Two apt-get at once refuse each other, and tests run in several processes; so one lock goes around the whole errand.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / f"drycell-debian-{os.getuid()}.lock"
ERRANDS = (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends"])


def program(name: str, package: str) -> str:
    """Path of the program ``name``; installs Debian's ``package`` when it is missing.

    Raises RuntimeError, which fails the test, when that is not possible.
    """
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = shutil.which(name, path=path) or _installed(name, package, path)
    return found


def _installed(name: str, package: str, path: str) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for errand, words in zip(ERRANDS, ([], [package]), strict=True):
        command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *errand, *words]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise RuntimeError(f"{name} is missing; Debian's package {package} has it") from None
        if done.returncode:
            raise RuntimeError(f"{name} is missing, and {' '.join(command)} fails: {done.stderr.strip()}")
    found = shutil.which(name, path=path)
    if found is None:
        raise RuntimeError(f"the package {package} brought no {name}")
    return found
