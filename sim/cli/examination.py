"""The examination behind ``drycell doctor``: each check looks at the thing itself and changes nothing.

Rules
- ``ok``: works; ``limited``: works, with less; ``missing``: something cannot be done until it is there.
- Whatever is not ``ok`` comes with what to do about it.
"""

import ctypes
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from drycell import __version__
from drycell.sim.runs.environment import is_wsl

State = Literal["ok", "limited", "missing"]
_NEWEST = (3, 13)
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_ADDR_NO_RANDOMIZE, _ASK = 0x0040000, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def examine() -> list[Finding]:
    """All findings, in the order in which they matter."""
    return [check() for check in _CHECKS]


def _drycell() -> Finding:
    return Finding("drycell", "ok", f"version {__version__}")


def _python() -> Finding:
    version = sys.version_info[:2]
    text = f"Python {version[0]}.{version[1]}.{sys.version_info[2]}"
    if version > _NEWEST:
        return Finding("Python", "limited", text, "drycell is tested on 3.11 to 3.13; use one of them")
    return Finding("Python", "ok", text)


def _platform() -> Finding:
    if not _on_linux():
        return Finding("platform", "limited", f"{sys.platform}: rung model only", "use Linux or WSL2 for more")
    return Finding("platform", "ok", "WSL2" if is_wsl() else "Linux")


def _environments() -> Finding:
    lacking = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if lacking:
        advice = "install your system's package for it, such as python3-venv"
        return Finding("venv and pip", "missing", f"this Python has no {lacking[0]}", advice)
    return Finding("venv and pip", "ok", "environments for real programs can be made")


def _semi_ate() -> Finding:
    if importlib.util.find_spec("drycell.sim.cell.semi_ate") is None:
        return Finding("Semi-ATE", "missing", "this drycell cannot make its environment", "use rung model")
    root: Path = import_module("drycell.sim.cell.semi_ate").cache_root()
    made = sorted((root / "environments").glob("*/versions.json")) if root.is_dir() else []
    if made:
        return Finding("Semi-ATE", "ok", f"environment in {made[0].parent}")
    return Finding("Semi-ATE", "missing", f"no environment in {root}", "make demo makes it; rung model needs none")


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            with socket.create_connection(server.getsockname(), timeout=5):
                server.accept()[0].close()
    except OSError as error:
        advice = "allow connections to 127.0.0.1; rung model works without"
        return Finding("loopback sockets", "missing", f"refused ({error.strerror or error})", advice)
    return Finding("loopback sockets", "ok", "127.0.0.1 can be reached")


def _supervision() -> Finding:
    name, advice = "process supervision", "use Linux or WSL2, so that no process outlives its run"
    if not _on_linux():
        return Finding(name, "missing", "this system cannot adopt orphaned processes", advice)
    value = ctypes.c_int()
    if _libc().prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0) != 0:
        return Finding(name, "missing", "prctl refuses to adopt orphaned processes", advice)
    if not Path("/proc/self/stat").exists():
        return Finding(name, "missing", "/proc is not there to find descendants", "mount /proc")
    return Finding(name, "ok", "orphaned processes can be found and ended")


def _address_space() -> Finding:
    name = "address space"
    advice = "allow the personality system call (containers: a wider seccomp profile)"
    if not _on_linux():
        return Finding(name, "limited", "randomisation stays on", "use Linux or WSL2 for equal runs of real programs")
    return (
        Finding(name, "ok", "randomisation can be switched off for programs")
        if _in_child(_switch_off_randomisation)
        else Finding(name, "limited", "randomisation cannot be switched off; real programs may differ", advice)
    )


def _switch_off_randomisation() -> bool:
    libc = _libc()
    before = libc.personality(_ASK)
    return bool(before != -1 and libc.personality(before | _ADDR_NO_RANDOMIZE) != -1)


def _in_child(question: Callable[[], bool]) -> bool:
    """Ask in a process of its own, so that a yes changes nothing here."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if question() else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _optional(name: str, programs: tuple[str, ...], use: str) -> Callable[[], Finding]:
    def check() -> Finding:
        found = next((path for program in programs if (path := shutil.which(program))), None)
        if found:
            return Finding(name, "ok", found)
        return Finding(name, "limited", "not installed", f"optional; {use}")

    return check


def _on_linux() -> bool:
    return sys.platform.startswith("linux")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


_CHECKS: tuple[Callable[[], Finding], ...] = (
    _drycell,
    _python,
    _platform,
    _environments,
    _semi_ate,
    _loopback,
    _supervision,
    _address_space,
    _optional("mosquitto", ("mosquitto",), "install it to compare brokers"),
    _optional("Chromium", ("chromium", "chromium-browser", "google-chrome"), "install it to test the screens"),
)
