"""Puts the shim in place, in the one order that works: before the standard library, then the wire, then the rest."""

from __future__ import annotations

import os
import sys
import time

from . import baton, children, clocks, control, debugger, entropy, escapes, locks, names, polling, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Modules that keep references to what is replaced; a .pth file may have imported them before us.
_KEEPERS = (
    "threading", "queue", "socket", "selectors", "subprocess", "random", "tempfile", "datetime", "_datetime",
    "concurrent.futures", "asyncio", "logging", "functools", "uuid", "secrets", "_strptime", "sched", "signal",
    "multiprocessing",
)  # fmt: skip


def _watched() -> list[tuple[str, object]]:
    """The real functions that nothing imported earlier may keep."""
    clock_names = ("time", "monotonic", "sleep", "perf_counter", "time_ns", "monotonic_ns")
    return [(f"time.{name}", getattr(time, name)) for name in clock_names]


def install() -> None:
    """Replace the C layer, report to the simulator and stop until it says RUN."""
    entropy.fix_addresses()
    wish = os.environ.get(debugger.VARIABLE)
    if wish:
        debugger.keep()
    early = [name for name in _KEEPERS if name in sys.modules]
    for name in early:
        del sys.modules[name]
    kept = _watched()  # alive until the search below, so that no id is used twice
    escapes.install_alarms()
    locks.install()
    clocks.install()
    polling.install()
    children.install()
    environ = os.environ
    warm = "DRYCELL_WARM" in environ
    settings = _provisional() if warm else _attach(environ)
    sockets.install()
    names.install(str(settings.get("hostname", "")))
    baton.tick = int(settings["tick_ns"])
    clocks.epoch_ns = int(settings["epoch_ns"])
    clocks.uptime_ns = int(settings["uptime_ns"])
    entropy.install(settings)
    clocks.install_datetime()
    control.install()
    if not warm:
        control.offer_stacks()
    escapes.install({id(function): name for name, function in kept})
    if not warm:
        control.first_run()
    if wish:
        import json

        debugger.enter(json.loads(wish))


def _attach(environ: Mapping[str, str]) -> dict[str, Any]:
    return control.connect(
        environ["DRYCELL_LOCKSTEP"], environ.get("DRYCELL_TOKEN", ""), environ.get("DRYCELL_NAME", "")
    )


def _provisional() -> dict[str, Any]:
    from . import forkserver

    return forkserver.provisional()
