"""On a bench: the program as a process of its own, on a broker that is not ours, at the pace of the wall clock."""

import contextlib
import json
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker.mosquitto import mosquitto
from tests.program.worlds import CMD, command, next_part

PROGRAM = """
import time
from drycell.runtime.program import Context, Limit, Program

program = Program(bins={1: {1: "Good"}, 2: {11: "Bad"}})


@program.test(Limit(0, 1, "V"), bin=11)
def volts(ctx: Context) -> float:
    ctx.get_proxy("Chamber").heat()
    ctx.sleep(0.01)
    return 0.5


@program.on
def program_teardown(ctx: Context) -> None:
    print("torn down", flush=True)


if __name__ == "__main__":
    program.main()
"""
WAIT_S = 30.0


class Floor:
    """A master of few words: everything that is said, and a way to say something."""

    def __init__(self, port: int) -> None:
        self._heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, message: self._heard.put((message.topic, bytes(message.payload)))
        subscribed: queue.Queue[int] = queue.Queue()
        self._client.on_connect = lambda client, *_: client.subscribe("ate/#", 2)
        self._client.on_subscribe = lambda *_: subscribed.put(1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        subscribed.get(timeout=WAIT_S)

    def say(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=2)

    def hears(self, *wanted: str) -> bytes:
        """Wait for a message whose topic and payload hold all of ``wanted``."""
        while True:
            topic, payload = self._heard.get(timeout=WAIT_S)
            if all(text in f"{topic} {payload.decode()}" for text in wanted):
                return payload

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with mosquitto(tmp_path) as port:
        yield port


@pytest.fixture
def floor(port: int) -> Iterator[Floor]:
    floor = Floor(port)
    yield floor
    floor.close()


@contextlib.contextmanager
def started(folder: Path, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    path = folder / "on_bench.py"
    path.write_text(PROGRAM, "utf-8")
    words = [sys.executable, str(path), "--device-id", "cell", "--site_id", "0", "--broker-host", "127.0.0.1"]
    words += ["--broker_port", str(port), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer(floor: Floor, **result: Any) -> None:
    request = json.loads(floor.hears("io-control/site0/request"))
    response = {"type": "io-control-response", "ioctl_name": request["ioctl_name"], "result": result}
    floor.say("ate/cell/Master/Chamber/response", json.dumps(response).encode())


@pytest.mark.row("SEQ-03", "SEQ-10", "SEQ-55", "SEQ-57")
@pytest.mark.parametrize(
    ("dialect", "result", "farewell"),
    [("specification", "/stdf/site0", "Shutdown"), ("semi-ate", "/testresult/site0", "terminated")],
)
def test_a_whole_life(tmp_path: Path, port: int, floor: Floor, dialect: str, result: str, farewell: str) -> None:
    with started(tmp_path, port, "--dialect", dialect) as process:
        floor.hears("status/site0", '"idle"')
        for part in ("1", "2"):
            floor.say(CMD, next_part(part).payload)
            floor.hears("status/site0", '"testing"')
            answer(floor, status="ok")
            floor.hears(result)
        floor.say(CMD, command("terminate").payload)
        floor.hears("status/site0", f'"{farewell}"')
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out, err) == (0, "torn down\n", "")


@pytest.mark.row("SEQ-08")
def test_it_does_not_outlive_its_parent(tmp_path: Path, port: int, floor: Floor) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with started(tmp_path, port, "--parent-pid", str(parent.pid)) as process:
        floor.hears("status/site0", '"idle"')
        parent.kill()
        parent.wait()
        _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 3 and f"its parent, process {parent.pid}, has ended" in err


@pytest.mark.row("SEQ-53", "SEQ-54")
def test_a_killed_program_leaves_its_will_and_no_teardown(tmp_path: Path, port: int, floor: Floor) -> None:
    with started(tmp_path, port) as process:
        floor.hears("status/site0", '"idle"')
        process.send_signal(signal.SIGSEGV)
        floor.hears("status/site0", '"crash"')
        assert process.communicate(timeout=WAIT_S)[0] == ""


def test_ctrl_c_tears_the_program_down(tmp_path: Path, port: int, floor: Floor) -> None:
    with started(tmp_path, port) as process:
        floor.hears("status/site0", '"idle"')
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out, err) == (130, "torn down\n", "")
