"""The private folder that enters a program's PYTHONPATH, and the environment that goes with it.

Rules: the folder holds what stands in sim/inject and nothing else; programs get an allow-listed environment, so that
nothing of the machine or of the person at it reaches a program's messages.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from drycell.sim import inject

PACKAGES = {
    "shim": "drycell_shim",
    "host": "drycell_host",
    "bridge": "drycell_bridge",
    "visa": "visa/pyvisa_drycell",
}
"""Packages of sim/inject and their places; ``visa`` is on a program's path only when it has VISA resources."""
KEEP = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")
PINNED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LOGNAME": "drycell",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "USER": "drycell",
}


def private_folder() -> Path:
    """The folder with what enters programs, made once per version of it under the user's cache folder."""
    files = dict(_injected(Path(inject.__file__).parent))
    digest = hashlib.sha256()
    for place, file in files.items():
        digest.update(place.encode() + b"\0" + file.read_bytes() + b"\0")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "drycell" / "inject" / digest.hexdigest()[:16]
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent))
        for place, file in files.items():
            (draft / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, draft / place)
        try:
            draft.rename(target)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)  # another run was faster
    return target


def _injected(source: Path) -> Iterator[tuple[str, Path]]:
    """Place in the private folder -> file, in a fixed order."""
    yield "sitecustomize.py", source / "sitecustomize.py"
    for folder, name in PACKAGES.items():
        for file in sorted((source / folder).glob("*.py")):
            yield f"{name}/{file.name}", file


def visa_environment(resources: Mapping[str, str]) -> dict[str, str]:
    """What leads a program's PyVISA to instruments; ``resources``: VISA resource name -> ``host:port``."""
    return {
        "PYTHONPATH": str(private_folder()),
        "PYVISA_LIBRARY": "@drycell",
        "DRYCELL_RESOURCES": json.dumps(resources),
    }


def pinned_environment(base: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: allow-listed names of ``base``, fixed values, then ``extra``."""
    kept = {name: base[name] for name in KEEP if name in base}
    return kept | PINNED | dict(extra or {})
