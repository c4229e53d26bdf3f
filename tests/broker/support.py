"""What the broker's tests share: a tiny virtual loop, journals as lists, and a raw MQTT client over TCP."""

import asyncio
import logging
import selectors
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from amqtt.broker import Broker as Stock
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

from drycell.sim.broker import Broker, BrokerOptions, codec
from drycell.sim.broker.messages import Will


class _JumpingSelector(selectors.EpollSelector):
    """Where the loop would wait for its next timer, the clock jumps there.

    ``grace_s``: real time given to loopback sockets before a jump; 0 for stories without sockets.
    """

    loop: "VirtualLoop"
    grace_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0 if timeout == 0 else self.grace_s)
        if not ready and timeout is None:
            raise AssertionError("nothing will ever happen again: the test waits for something that does not come")
        if not ready and timeout and timeout > 0:
            self.loop.jump()
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is simulated, in integer nanoseconds."""

    def __init__(self, grace_s: float = 0.0) -> None:
        self.now = 0
        selector = _JumpingSelector()
        selector.grace_s = grace_s
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-12

    def time(self) -> float:
        return self.now / 1e9

    def jump(self) -> None:
        self.now = max(self.now, round(self._scheduled[0]._when * 1e9))


class Log(list):
    """A journal: (t_ns, kind, actor, fields) in order."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        super().__init__()
        self._now_ns = now_ns
        self._awaited: dict[str, asyncio.Event] = {}

    async def next(self, kind: str) -> None:
        """Wait for the next event of a kind."""
        self._awaited[kind] = asyncio.Event()
        await self._awaited[kind].wait()

    def record(self, kind: str, actor: str, **fields: object) -> None:
        if kind in self._awaited:
            self._awaited.pop(kind).set()
        if len(str(fields.get("payload", ""))) > 10_000:
            fields["payload"] = "long"
        self.append((self._now_ns(), kind, actor, fields))

    def of(self, *kinds: str) -> list[tuple[int, str, str, dict[str, Any]]]:
        return [event for event in self if event[1] in kinds]

    def brief(self, *kinds: str) -> list[tuple[str, str, str]]:
        return [
            (k, a, f.get("topic") or f.get("topic_filter") or f.get("cause") or "") for _, k, a, f in self.of(*kinds)
        ]


class Virtual:
    """A broker without TCP on a virtual loop."""

    def __init__(self, loop: VirtualLoop, options: BrokerOptions) -> None:
        self.loop = loop
        self.log = Log(lambda: loop.now)
        self.broker = Broker(now_ns=lambda: loop.now, record=self.log.record, tcp=False, options=options)

    async def at(self, seconds: float) -> None:
        """Wait until a simulated instant is complete."""
        await asyncio.sleep(seconds - self.loop.time())
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that is due at this instant."""
        for _ in range(8):
            await asyncio.sleep(0)

    def client(self, name: str, **fields: Any) -> "Peer":
        return Peer(self.broker, name, **fields)


class Peer:
    """A memory client that notes what it gets."""

    def __init__(self, broker: Broker, name: str, **fields: Any) -> None:
        self.got: list[Any] = []
        self.codes: list[int] = []
        self.ended: list[str] = []
        self.answers: list[tuple[int, bool]] = []
        fields.setdefault("on_message", self.got.append)
        self.mqtt = broker.connect(
            name, on_connect=lambda *answer: self.answers.append(answer), on_close=self.ended.append, **fields
        )

    def subscribe(self, *filters: tuple[str, int]) -> "Peer":
        self.mqtt.subscribe(list(filters), self.codes.extend)
        return self

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.got]


def virtual(story: Callable[[Virtual], Awaitable[None]], options: BrokerOptions | None = None) -> Log:
    """Run a story on a virtual loop with a started broker; nothing may be left behind."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_told(loop, story, options or BrokerOptions()))
    finally:
        loop.close()


async def _told(loop: VirtualLoop, story: Callable[[Virtual], Awaitable[None]], options: BrokerOptions) -> Log:
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    world = Virtual(loop, options)
    await world.broker.start()
    try:
        await asyncio.wait_for(story(world), 1e6)
    finally:
        await world.broker.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not problems, problems
    return world.log


# ----------------------------------------------------------------------------------------------------------- TCP
class Raw:
    """One TCP connection that speaks packets as the test wants them."""

    kept: ClassVar[list["Raw"]] = []  # a dropped reader would close its connection

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.kept.append(self)
        self.reader = reader
        self.writer = writer
        self._framer = codec.Framer()
        self._packets: list[tuple[int, bytes]] = []

    @classmethod
    async def open(cls, port: int) -> "Raw":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def connected(
        cls, port: int, name: str, *, clean: bool = True, keepalive_s: int = 0, will: Will | None = None
    ) -> "Raw":
        raw = await cls.open(port)
        raw.send(codec.encode_connect(codec.Connect(name, clean, keepalive_s, will)))
        first, body = await raw.packet()
        assert first == 0x20 and body[1] == 0, (first, body)
        raw.present = bool(body[0])
        return raw

    present = False

    def send(self, *raw: bytes) -> None:
        self.writer.write(b"".join(raw))

    async def packet(self, within_s: float = 2.0) -> tuple[int, bytes]:
        """The next packet; EOFError at the end of the stream, TimeoutError when none comes."""
        while not self._packets:
            data = await asyncio.wait_for(self.reader.read(1 << 16), within_s)
            if not data:
                raise EOFError
            self._packets += self._framer.feed(data)
        return self._packets.pop(0)

    async def ping(self, within_s: float = 2.0) -> list[tuple[int, bytes]]:
        """Ping, and return everything that came before the answer."""
        self.send(codec.PINGREQ_BYTES)
        came = []
        while (packet := await self.packet(within_s))[0] != 0xD0:
            came.append(packet)
        return came

    async def subscribe(self, topic_filter: str, qos: int) -> list[int]:
        self.send(codec.encode_subscribe(1, [(topic_filter, qos)]))
        while True:
            first, body = await self.packet()
            if first == 0x90:
                return codec.decode_suback(body)[1]
            self._packets.append((first, body))

    async def closed(self, within_s: float = 2.0) -> bool:
        """Whether the other end closes within the time."""
        try:
            while True:
                await self.packet(within_s)
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def serving(options: BrokerOptions | None = None) -> Any:
    """Our broker on TCP, on the running loop and its clock; the journal is its attribute ``log``."""
    loop = asyncio.get_running_loop()

    def now_ns() -> int:
        return round(loop.time() * 1e9)

    log = Log(now_ns)
    broker = Broker(now_ns=now_ns, record=log.record, options=options or BrokerOptions())
    await broker.start()
    broker.log = log  # type: ignore[attr-defined]
    try:
        yield broker
    finally:
        await broker.stop()


ANONYMOUS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
OPEN = {"tests.broker.support.OpenAuth": {}}


class OpenAuth(BaseAuthPlugin):  # type: ignore[misc]
    """Lets everybody in without making the session anonymous."""

    async def authenticate(self, *, session: Any) -> bool:
        return True


class OpenTopics(BaseTopicPlugin):  # type: ignore[misc]
    """Allows everything but topics that end in ``boom``, on which it fails."""

    async def topic_filtering(self, *, session: Any = None, topic: Any = None, action: Any = None) -> bool:
        if topic.endswith("boom"):
            raise RuntimeError("boom")
        return True


@asynccontextmanager
async def stock_serving(plugins: dict[str, Any]) -> Any:
    """A stock amqtt broker on a free port; its attribute ``port`` is the real one."""
    logging.getLogger("amqtt").setLevel(logging.CRITICAL + 1)
    logging.getLogger("transitions").setLevel(logging.CRITICAL + 1)
    stock = Stock({"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}, "plugins": plugins})
    await stock.start()
    stock.port = stock._servers["default"].instance.sockets[0].getsockname()[1]
    mine = asyncio.current_task()
    try:
        yield stock
    finally:  # not stock's shutdown, which may hang
        for server in stock._servers.values():
            server.instance.close()
        for raw in Raw.kept:
            raw.close()
        await asyncio.sleep(0.1)
        tasks = asyncio.all_tasks() - {mine, *_waiting_for(mine)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _waiting_for(task: Any) -> list[Any]:
    """Tasks that wait for ``task`` (as wait_for's caller does)."""
    return [other for other in asyncio.all_tasks() if other.get_name() == "story"]


def on_virtual_tcp(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a story with TCP sockets on simulated time: waiting costs nothing."""
    loop = VirtualLoop(grace_s=0.004)
    loop.set_exception_handler(lambda _, context: print(context))
    try:
        task = loop.create_task(story, name="story")
        return loop.run_until_complete(task)
    finally:
        for raw in Raw.kept:
            raw.close()
        Raw.kept.clear()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a story on an ordinary loop."""
    return asyncio.run(story)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
