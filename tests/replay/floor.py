"""What the tests of a live floor share: captures, in this process and in one of their own, and a load of messages."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drycell.sim.broker.external import Address
from drycell.sim.replay import open_recording
from drycell.sim.replay.attention import Attention
from drycell.sim.replay.capture import Capture, Plan

ROOT = Path(__file__).resolve().parents[2]
ROOMY = ("max_queued_messages 0",)
"""Mosquitto forgets what waits beyond 1,000 messages for a client; a machine under load may stop us for so long."""
_PATIENCE_S = 120


@contextmanager
def capturing(port: int, folder: Path, **more: object) -> Iterator[Capture]:
    """A capture in a thread of this process, from the moment it listens; in order at its end."""
    attention, listens = Attention(), threading.Event()
    plan = Plan(Address.parse(f"mqtt://127.0.0.1:{port}"), folder, **more)  # type: ignore[arg-type]
    capture = Capture(plan, attention, lambda said: listens.set() if said.startswith("listening") else None)
    thread = threading.Thread(target=capture.run)
    thread.start()
    try:
        assert listens.wait(_PATIENCE_S)
        yield capture
    finally:
        attention.end()
        thread.join(_PATIENCE_S)
        attention.close()


class CaptureProcess:
    """``drycell capture`` of a broker on ``port`` into ``folder``, once it listens."""

    def __init__(self, port: int, folder: Path, *options: str, scheme: str = "mqtt") -> None:
        drycell = Path(sys.executable).with_name("drycell")
        command = [drycell, "capture", "--broker", f"{scheme}://127.0.0.1:{port}", "-o", folder, "--json", *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.await_line("listening as")

    def __enter__(self) -> "CaptureProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def await_line(self, beginning: str) -> None:
        """Wait until it says a line that begins so."""
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line.rstrip())
            if line.startswith(beginning):
                return
        raise AssertionError(f"it never said {beginning!r}: {said}")

    def kill(self) -> None:
        """As the operating system or a person in a hurry does."""
        self.process.kill()
        self.process.communicate()

    def end(self, patience_s: float = _PATIENCE_S) -> dict[str, object]:
        """End it as Ctrl-C does; returns its summary."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=patience_s)
        assert self.process.returncode == 0, err
        return dict(json.loads(out))


class Load:
    """Publishes messages with numbers from 0 on, QoS 0 to 2 in turn, in a process of its own."""

    def __init__(self, port: int, count: int, per_second: int) -> None:
        words = [sys.executable, Path(__file__).with_name("load.py"), port, count, per_second]
        self._process = subprocess.Popen(
            list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def all(self) -> int:
        """Wait until all are published; returns how many."""
        assert self._process.stdout is not None
        return int(self._process.stdout.read())

    def end(self) -> int:
        """Publish no more; returns how many there were."""
        return int(self._process.communicate("", timeout=60)[0])


def numbers(folder: Path) -> Counter[int]:
    """How often each numbered message was recorded."""
    return Counter(int(entry.payload.split(b".")[0]) for entry in open_recording(folder) if entry.kind == "publish")
