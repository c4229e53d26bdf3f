"""What a plugin does outside of its process, as far as the interpreter tells: connections, processes, devices."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WATCHED = ("socket.connect", "socket.bind", "socket.sendto", "subprocess.Popen", "os.system", "os.exec", "os.fork")
_HARMLESS = ("/dev/null", "/dev/urandom")
LIMIT = 100
touched: list[str] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if len(touched) >= LIMIT:
        return
    if event in _WATCHED:
        detail = arguments[1] if event.startswith("socket") and len(arguments) > 1 else arguments[:1]
        touched.append(f"{event} {detail!r}"[:200])
    elif (
        event == "open"
        and str(arguments[0]).startswith("/dev/")
        and arguments[0] not in ("/dev/null", "/dev/urandom")
    ):
        touched.append(f"open {arguments[0]}"[:200])


def watch() -> None:
    """From now on, keep what is touched."""
    sys.addaudithook(_audit)


def taken() -> list[str]:
    """What was touched since the last call."""
    seen = list(touched)
    touched.clear()
    return seen
