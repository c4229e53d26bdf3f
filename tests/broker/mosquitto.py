"""Mosquitto from Debian, for tests that compare with it or use its clients; installed by the test when it can."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PACKAGES = {"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients", "mosquitto_sub": "mosquitto-clients"}


def program(name: str) -> str:
    """Path of a program of mosquitto; installs the Debian package when allowed to, else the test fails."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", PACKAGES[name]]):
            subprocess.run(command, env=environment, capture_output=True, check=False, timeout=240)
        found = shutil.which(name, path=path)
    if found is None:
        pytest.fail(f"{name} is not installed; the Debian package {PACKAGES[name]} has it")
    return found


@contextmanager
def mosquitto(folder: Path, *settings: str) -> Iterator[int]:
    """A mosquitto broker on a free port of loopback."""
    executable = program("mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
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
