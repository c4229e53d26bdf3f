"""Start and stop, addresses and TLS, limits, the gate for the lockstep kernel."""

import asyncio
import gc
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from drycell.sim.broker import AccessRules, Broker, BrokerOptions, Role, TcpLink, Tls, Will, codec
from drycell.sim.errors import DrycellError
from tests.broker.support import OPEN, Peer, Raw, Virtual, on_virtual_tcp, run, serving, stock_serving, virtual


def broker(**fields) -> Broker:
    return Broker(now_ns=lambda: 0, record=lambda *_, **__: None, **fields)


def test_an_occupied_port_is_one_clear_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DrycellError, match=rf"can not listen on 127.0.0.1 port {port}: another program has it"):
            run(broker(port=port).start())


@pytest.mark.parametrize("fields", [{"port": 70000}, {"port": -1}, {"host": "192.0.2.1", "options": "exposed"}])
def test_an_impossible_address_is_one_clear_sentence(fields, certificate):
    if fields.get("options"):
        fields = {**fields, "options": exposed(certificate)}
    with pytest.raises(DrycellError, match="can not listen on"):
        run(broker(**fields).start())


def test_a_host_name_is_not_taken():
    with pytest.raises(DrycellError, match=r"'broker\.lab' is not an IP address"):
        broker(host="broker.lab")


def exposed(certificate: Tls) -> BrokerOptions:
    rules = AccessRules((Role("any", ("#",), ("#",), ("#",)),), {"a": ("user", b"secret")})
    return BrokerOptions(tls=certificate, access=rules, expose=True)


def test_another_address_than_loopback_needs_tls_credentials_and_the_flag():
    with pytest.raises(DrycellError, match="missing: TLS, credentials, the expose flag"):
        broker(host="0.0.0.0")
    rules = AccessRules((), {"a": ("user", b"x")}, enforce=False)
    with pytest.raises(DrycellError, match=r"missing: TLS, credentials$"):
        broker(host="::", options=BrokerOptions(access=rules, expose=True))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Tls:
    """A certificate of its own, made by the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return Tls(cert, key)


@pytest.mark.parametrize(("password", "code"), [(b"secret", 0), (b"wrong", 4), (None, 4)])
def test_tls_and_credentials_let_the_right_client_in(certificate, password, code):
    async def story() -> None:
        log = []
        listening = Broker(
            now_ns=lambda: 0,
            record=lambda *event, **fields: log.append((*event, fields)),
            host="0.0.0.0",
            options=exposed(certificate),
        )
        await listening.start()
        trusted = ssl.create_default_context(cafile=certificate.certificate)
        raw = Raw(*await asyncio.open_connection("127.0.0.1", listening.port, ssl=trusted))
        raw.send(codec.encode_connect(codec.Connect("a", username="user" if password else None, password=password)))
        assert await raw.packet() == (0x20, bytes((0, code)))
        if code:
            assert await raw.closed() and "bad user name or password" in log[0][2]["detail"]
        else:
            assert await raw.ping() == []
        half = socket.create_connection(("127.0.0.1", listening.port))  # stays in the TLS handshake
        await asyncio.sleep(0.02)
        await asyncio.wait_for(listening.stop(), 5)
        half.close()
        raw.close()

    run(story())


def test_a_certificate_that_can_not_be_read_is_one_clear_sentence(tmp_path):
    options = BrokerOptions(tls=Tls(tmp_path / "no.pem", tmp_path / "no.key"))
    with pytest.raises(DrycellError, match="can not be used"):
        run(broker(options=options).start())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


AWKWARD = {
    "silent": b"",
    "half a CONNECT": b"\x10\x20\0\4MQ",
    "garbage": b"\x47garbage",
    "connected": codec.encode_connect(codec.Connect("a")),
}


async def awkward_connections(port: int) -> list[socket.socket]:
    """Connections that hinder a stop; plain sockets, as tasks and transports of the test would hide a leak."""
    loop = asyncio.get_running_loop()
    peers = []
    for name, sent in AWKWARD.items():
        peer = socket.socket()
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", port))
        peer.send(sent.replace(b"a", name[:1].encode()) if name == "connected" else sent)
        peers.append(peer)
    await asyncio.sleep(0.05)
    late = socket.socket()  # connected to the system, not yet accepted by the loop
    late.connect(("127.0.0.1", port))
    return [*peers, late]


def test_stop_never_hangs_and_leaves_no_task_and_no_descriptor_whatever_the_peers_do():
    async def story() -> None:
        gc.collect()
        before = open_descriptors()
        async with serving() as running:
            lazy = await Raw.connected(running.port, "lazy")
            await lazy.subscribe("t", 0)
            lazy.writer.transport.pause_reading()
            for _ in range(20):
                running.publish("bench", "t", bytes(1_000_000))
            peers = await awkward_connections(running.port)
            await asyncio.wait_for(running.stop(), 5)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        lazy.close()
        Raw.kept.clear()
        for peer in peers:
            peer.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert open_descriptors() == before

    run(story())


def test_stock_amqtt_leaves_tasks_behind_or_hangs_in_the_same_situation():
    async def story() -> bool:
        async with stock_serving(OPEN) as stock:
            peers = await awkward_connections(stock.port)
            try:
                await asyncio.wait_for(stock.shutdown(), 2)
                clean = asyncio.all_tasks() == {asyncio.current_task()}
            except TimeoutError:
                clean = False
            for peer in peers:
                peer.close()
            return clean

    loop = asyncio.new_event_loop()
    task = loop.create_task(story(), name="story")
    try:
        assert loop.run_until_complete(task) is False
    finally:
        loop.close()


def test_500_starts_and_stops_leak_nothing():
    async def story() -> None:
        async def cycle() -> None:
            async with serving() as running:
                Peer(running, "a", will=Will("w", b"")).subscribe(("#", 2))
                running.publish("bench", "t", b"x", 2)
                await asyncio.sleep(0)

        await cycle()
        gc.collect()
        before = len(gc.get_objects()), open_descriptors(), threading.active_count()
        for _ in range(500):
            await cycle()
        gc.collect()
        after = len(gc.get_objects()), open_descriptors(), threading.active_count()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert after[1:] == before[1:] and after[0] - before[0] < 100

    run(story())


def test_what_is_asked_of_a_broker_that_does_not_run_is_refused_in_one_sentence():
    stopped = broker()
    with pytest.raises(DrycellError, match="not started"):
        stopped.publish("m", "t", b"")
    with pytest.raises(DrycellError, match="has no port"):
        _ = stopped.port
    with pytest.raises(DrycellError, match="stands alone"):
        stopped.tap("a/#/b", print)


def test_counters_agree_with_both_ends_and_name_the_connection_by_its_ports():
    async def story() -> None:
        async with serving() as running:
            raw = await Raw.connected(running.port, "a")
            await raw.subscribe("t", 0)
            await raw.ping()
            [link] = running.links()
            peer_port = raw.writer.get_extra_info("sockname")[1]
            sent = len(codec.encode_connect(codec.Connect("a"))) + len(codec.encode_subscribe(1, [("t", 0)])) + 2
            assert (link.key, link.received, link.sent) == ((running.port, peer_port), sent, 4 + 5 + 2)
            raw.close()
            await asyncio.sleep(0.05)
            assert running.links() == () and link.eof and link.closed

    on_virtual_tcp(story())


def test_a_gated_broker_reads_only_what_it_is_told_to_in_the_order_of_the_caller():
    async def story() -> None:
        async with serving() as running:
            running.gated = True
            first, second = await Raw.open(running.port), await Raw.open(running.port)
            for name, raw in (("first", first), ("second", second)):
                raw.send(codec.encode_connect(codec.Connect(name)))
            await asyncio.sleep(1)
            assert running.log == []
            links = {link.key[1]: link for link in running.links()}
            for raw in (second, first):
                assert links[raw.writer.get_extra_info("sockname")[1]].read_available() > 0
            assert [actor for _, _, actor, _ in running.log.of("connect")] == ["second", "first"]
            first.close()
            await asyncio.sleep(1)
            assert running.log.of("disconnect") == []
            for link in running.links():
                link.read_available()
            assert [actor for _, _, actor, _ in running.log.of("disconnect")] == ["first"]
            running.gated = False
            assert await second.packet() == (0x20, b"\0\0") and await second.ping() == []

    on_virtual_tcp(story())


def test_a_fault_drops_a_connection_with_fin_or_silently():
    async def story() -> None:
        async with serving() as running:
            loud = await Raw.connected(running.port, "loud", will=Will("w", b"1"))
            mute = await Raw.connected(running.port, "mute", keepalive_s=10, will=Will("w", b"2"))
            assert running.drop("loud") and running.drop("mute", silent=True) and not running.drop("nobody")
            assert await loud.closed()
            mute.send(codec.PINGREQ_BYTES)
            await asyncio.sleep(20)
            assert running.log.brief("disconnect") == [
                ("disconnect", "loud", "closed"),
                ("disconnect", "mute", "keepalive"),
            ]

    on_virtual_tcp(story())


class NotingSocket:
    """Notes which options are set."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="this platform has no quick acknowledgement")
@pytest.mark.parametrize(("quick_ack", "expected"), [(True, 3), (False, 0)])
def test_quick_acknowledgement_is_armed_again_after_each_read(quick_ack, expected):
    class Transport(asyncio.Transport):
        noting = NotingSocket()

        def get_extra_info(self, name: str, default: object = None) -> object:
            return self.noting if name == "socket" else default

        def get_write_buffer_size(self) -> int:
            return 0

        def write(self, data: object) -> None:
            pass

        def close(self) -> None:
            pass

    async def story(w: Virtual) -> None:
        link, transport = TcpLink(w.broker._running()), Transport()
        link.connection_made(transport)
        link.data_received(codec.encode_connect(codec.Connect("a")))
        link.data_received(codec.DISCONNECT_BYTES)
        link.connection_lost(None)
        wanted = (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        assert [option for option in transport.noting.options if option == wanted] == [wanted] * expected

    virtual(story, BrokerOptions(quick_ack=quick_ack))
