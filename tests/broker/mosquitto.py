"""Mosquitto from Debian, for tests that compare with it or use its clients; installed by the test when it can."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import debian

PACKAGES = {
    "mosquitto": "mosquitto",
    "mosquitto_passwd": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "mosquitto_sub": "mosquitto-clients",
}


def program(name: str) -> str:
    """Path of a program of mosquitto; Debian's package is installed when it is missing."""
    return debian.program(name, PACKAGES[name])


@contextmanager
def mosquitto(folder: Path, *settings: str, port: int = 0) -> Iterator[int]:
    """A mosquitto broker on a port of loopback, 0 for a free one."""
    executable = program("mosquitto")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    configuration = folder / "mosquitto.conf"
    configuration.write_text("\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", *settings]) + "\n")
    process = subprocess.Popen(
        [executable, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await_port(process, port)
        yield port
    finally:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"mosquitto ended with {process.returncode}")
        time.sleep(0.01)
    raise RuntimeError("mosquitto does not listen")
