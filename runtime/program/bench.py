"""The world of a program on a bench, or in a process of its own in the cell: MQTT by paho, threads, the wall clock.

Rules
- paho's thread only puts what it hears into a queue; everything else happens on the program's own thread.
- What was published while the connection was gone is sent by paho when it is back, in order.
- A program whose parent (``--parent-pid``) has ended does not outlive it.
"""

import os
import queue
import socket
import time
from collections.abc import Mapping
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from drycell.runtime.instruments.transports import TCPTransport, Transport
from drycell.runtime.program.errors import ProgramError
from drycell.runtime.program.world import Heard, Link

LOOK_AT_PARENT_S = 5.0
FAREWELL_S = 10.0
"""How long a program that ends waits for the broker to take its last messages."""
RECONNECT_S = (1, 120)


class Bench:
    """A :class:`~drycell.runtime.program.world.World`. ``environment`` holds the addresses of instruments."""

    def __init__(
        self, host: str, port: int, *, parent_pid: int | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._host, self._port = host, port
        self._environment = environment
        self._parent_pid = parent_pid if parent_pid is not None and _is_alive(parent_pid) else None
        self._inbox: queue.SimpleQueue[Heard | str] = queue.SimpleQueue()
        self._client: mqtt.Client
        self._last: mqtt.MQTTMessageInfo | None = None

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def connect(self, link: Link) -> None:
        client = self._client = mqtt.Client(CallbackAPIVersion.VERSION2, link.client_id, clean_session=True)
        client.will_set(link.will_topic, link.will, qos=2)
        client.reconnect_delay_set(*RECONNECT_S)
        filters = [(name, 2) for name in link.filters]

        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                self._inbox.put(f"the broker at {self._host}:{self._port} refuses this program: {reason}")
            else:
                client.subscribe(filters)

        client.on_connect = connected
        client.on_subscribe = lambda *_: self._inbox.put(Heard("", b""))
        client.on_message = lambda _client, _data, message: self._inbox.put(
            Heard(message.topic, bytes(message.payload))
        )
        client.on_socket_open = lambda _client, _data, opened: _send_at_once(opened)
        try:
            client.connect(self._host, self._port)
        except OSError as error:
            raise ProgramError(f"no broker at {self._host}:{self._port} ({error})") from None
        client.loop_start()

    def publish(self, topic: str, payload: bytes) -> None:
        self._last = self._client.publish(topic, payload, qos=2)

    def receive(self, timeout_s: float | None) -> Heard | None:
        while True:
            wait_s = LOOK_AT_PARENT_S if timeout_s is None else timeout_s
            try:
                heard = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            except queue.Empty:
                if timeout_s is not None:
                    return None
                if self._parent_pid is not None and not _is_alive(self._parent_pid):
                    raise ProgramError(f"its parent, process {self._parent_pid}, has ended") from None
                continue
            if isinstance(heard, str):
                raise ProgramError(heard)
            return heard

    def instrument(self, name: str) -> Transport:
        variable = f"DRYCELL_{name.upper()}"
        host, colon, port = self._environment.get(variable, "").rpartition(":")
        if not colon or not port.isdigit():
            raise ProgramError(f"instrument {name} has no address; set {variable}=host:port")
        return TCPTransport(host, int(port))

    def note(self, kind: str, **facts: object) -> None:
        """Nobody records a bench."""

    def close(self) -> None:
        if self._last is not None:
            try:
                self._last.wait_for_publish(FAREWELL_S)
            except (ValueError, RuntimeError):  # paho's queue is full, or the connection is gone for good
                pass
        self._client.disconnect()
        self._client.loop_stop()


def _send_at_once(opened: Any) -> None:
    """Without Nagle's delay: each QoS 2 handshake is two small writes in a row."""
    if isinstance(opened, socket.socket):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, but not ours
    return True
