"""An external broker in the place of the embedded one: the same seam, as far as a stranger's broker allows.

Rules that hold here:
* Only at pace real (or xF, when the peers' timeouts bear it): a broker outside does not know simulated time.
* One observer connection subscribes to everything. A message is journalled and tapped when it comes back from the
  broker, so the journal has the broker's order; ``publish`` returns before that.
* Who sent a message is known only of our own peers; the sender of any other is "external".
* What needs the inside of a broker (faults, gate, byte counters, connect and disconnect events of strangers) is
refused.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from drycell.sim.broker import codec
from drycell.sim.broker.client import MemoryClient, OnClose, OnConnect, OnMessage
from drycell.sim.broker.clock import Clock, Exchange
from drycell.sim.broker.messages import Message, Will
from drycell.sim.broker.router import Record, Router
from drycell.sim.errors import DrycellError

STRANGER = "external"
_OBSERVER = "drycell-observer"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PENDING_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Address:
    """Where an external broker is: parsed from ``mqtt[s]://[user:password@]host[:port]``."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: bytes | None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises DrycellError when ``url`` is not of this form."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise DrycellError(f"{url!r} is not the address of a broker; mqtt://host:1883 would be right")
        username = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password).encode()
        return cls(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "mqtts", username, password)


class _Line(asyncio.Protocol):
    """The client's end of a TCP connection, with the methods of ``MemoryLink`` that a client uses."""

    def __init__(self) -> None:
        self.client: MemoryClient | None = None
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._silent = False
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for raw in self._early:
            self._transport.write(raw)
        if self._finished:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self.client is not None and not self._silent:
            self.client.receive(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.client is not None and not self._silent and not self._finished:
            self.client.ended("closed")

    def to_broker(self, packet: bytes | codec.Value) -> None:
        if self._silent or self._finished:
            return
        raw = codec.as_bytes(packet)
        if self._transport is None:
            self._early.append(raw)
        else:
            self._transport.write(raw)

    def fin(self) -> None:
        self._finished = True
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        self._silent = True


class ExternalBroker:
    """The seam of ``Broker`` on a broker that runs elsewhere. ``ca``: PEM file of the authority of an mqtts one."""

    def __init__(self, url: str, *, now_ns: Callable[[], int], record: Record, ca: Path | None = None) -> None:
        self._address = Address.parse(url)
        self._now_ns = now_ns
        self._router = Router(record)
        self._ca = ca
        self._clock: Clock | None = None
        self._exchange: Exchange | None = None
        self._observer: MemoryClient | None = None
        self._where: tuple[str, int] | None = None
        self._context: ssl.SSLContext | None = None
        self._lines: dict[asyncio.Task[None], _Line] = {}
        self._pending: deque[tuple[str, bytes, str]] = deque(maxlen=_PENDING_LIMIT)

    async def start(self) -> None:
        """Connect the observer. Raises DrycellError when the broker can not be reached or refuses it."""
        loop = asyncio.get_running_loop()
        address = self._address
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)  # no thread on this loop
            self._context = ssl.create_default_context(cafile=self._ca) if address.tls else None
        except OSError as error:
            raise DrycellError(f"the broker {address.host} can not be used: {error}") from None
        self._where = found[0][4][0], address.port  # type: ignore[assignment]
        self._clock = self._router.clock = Clock(self._now_ns, loop)
        self._router.fan_out = lambda _: None
        self._exchange = Exchange(self._clock)
        ready: asyncio.Future[str | None] = loop.create_future()

        def settle(problem: str | None) -> None:
            if not ready.done():
                ready.set_result(problem)

        def connected(code: int, _: bool) -> None:
            if code:
                settle(f"refuses the connection with code {code}")
            else:
                observer.subscribe([("#", 2)], lambda codes: settle(None if codes == [2] else "refuses the filter #"))

        observer = self._connect(_OBSERVER, self._returned, connected, lambda _: settle("closed the connection"))
        observer.start(self._line(observer, settle), None, True, address.username, address.password)
        problem = await ready
        if problem is not None:
            await self.stop()
            raise DrycellError(f"the broker at {address.host} port {address.port} {problem}")
        self._observer = observer

    async def stop(self) -> None:
        """Close all connections."""
        self._observer = None
        for line in self._lines.values():
            line.fin()
        tasks = list(self._lines)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.clear()
        self._router.reset()
        await asyncio.sleep(0)

    @property
    def running(self) -> bool:
        """Whether the observer is connected."""
        return self._observer is not None

    @property
    def host(self) -> str:
        """Where clients find the broker."""
        return self._address.host

    @property
    def port(self) -> int:
        """Its TCP port."""
        return self._address.port

    def publish(self, sender: str, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> None:
        """Publish through the observer's connection; journal and taps get it when it comes back."""
        if self._observer is None:
            raise DrycellError("the external broker is not connected")
        self._pending.append((topic, payload, sender))
        self._observer.publish(topic, payload, qos, retain=retain)

    def tap(self, topic_filter: str, callback: Callable[[Message], object]) -> Callable[[], None]:
        """As ``Broker.tap``."""
        return self._router.tap(topic_filter, callback)

    def connect(
        self,
        client_id: str,
        *,
        will: Will | None = None,
        clean: bool = True,
        keepalive_s: int = 60,
        on_message: OnMessage | None = None,
        on_connect: OnConnect | None = None,
        on_close: OnClose | None = None,
        latency_ns: int = 0,
        username: str | None = None,
        password: bytes | None = None,
    ) -> MemoryClient:
        """As ``Broker.connect``, over TCP; the latency is that of the network, so ``latency_ns`` must be 0."""
        if latency_ns:
            raise DrycellError("an external broker's latency can not be chosen; latency_ns must be 0")
        client = self._connect(client_id, on_message, on_connect, on_close, keepalive_s)
        username = username if username is not None else self._address.username
        password = password if password is not None else self._address.password
        client.start(self._line(client, lambda _: client.ended("closed")), will, clean, username, password)
        return client

    @property
    def message_fault(self) -> None:
        """None: an external broker can not be made to misbehave."""
        return None

    @message_fault.setter
    def message_fault(self, _: object) -> None:
        raise _untouchable("on messages or packets")

    packet_fault = message_fault

    def drop(self, client_id: str, *, silent: bool = False) -> bool:
        """Refused with DrycellError: connections of an external broker are not ours to break."""
        raise _untouchable("on a connection")

    def keep_port(self) -> None:
        """Refused with DrycellError: an external broker is not ours to restart."""
        raise _untouchable("on the broker")

    def _connect(
        self,
        client_id: str,
        on_message: OnMessage | None,
        on_connect: OnConnect | None,
        on_close: OnClose | None,
        keepalive_s: int = 60,
    ) -> MemoryClient:
        if self._clock is None or self._exchange is None:
            raise DrycellError("the external broker is not connected")
        return _Known(
            client_id,
            clock=self._clock,
            exchange=self._exchange,
            keepalive_s=keepalive_s,
            on_message=on_message,
            on_connect=on_connect,
            on_close=on_close,
            pending=self._pending,
        )

    def _line(self, client: MemoryClient, failed: Callable[[str], object]) -> _Line:
        line = _Line()
        line.client = client
        loop = asyncio.get_running_loop()
        assert self._where is not None
        name = self._address.host if self._context else None

        async def open_line() -> None:
            assert self._where is not None
            try:
                await loop.create_connection(lambda: line, *self._where, ssl=self._context, server_hostname=name)
            except OSError as error:
                failed(f"can not be reached: {error}")

        self._lines[loop.create_task(open_line())] = line
        return line

    def _returned(self, message: Message) -> None:
        sender = STRANGER
        for index, (topic, payload, who) in enumerate(self._pending):
            if topic == message.topic and payload == message.payload:
                sender = who
                del self._pending[index]
                break
        self._router.submit(Message(message.topic, message.payload, message.qos, message.retain, sender))


class _Known(MemoryClient):
    """A client whose messages we recognise when they come back."""

    __slots__ = ("_pending",)

    def __init__(self, client_id: str, *, pending: "deque[tuple[str, bytes, str]]", **fields: object) -> None:
        super().__init__(client_id, **fields)  # type: ignore[arg-type]
        self._pending = pending

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        on_done: Callable[[], object] | None = None,
        *,
        retain: bool = False,
    ) -> None:
        """As ``MemoryClient.publish``."""
        if self.client_id != _OBSERVER:
            self._pending.append((topic, payload, self.client_id))
        super().publish(topic, payload, qos, on_done, retain=retain)


def _untouchable(where: str) -> DrycellError:
    return DrycellError(f"a fault {where} needs the embedded broker; run without --broker")
