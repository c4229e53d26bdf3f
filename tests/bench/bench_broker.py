"""How the broker compares with stock amqtt and mosquitto, side by side in one run; ratios first.

Brokers run in processes of their own, the load comes from this one. Ratios and CPU per message say more than messages per
second, which depend on the machine. What is not there (mosquitto, the Semi-ATE packages) is left out and said so.

    python -m tests.bench.bench_broker            the whole table
    python -m tests.bench.bench_broker host ours  one broker, as the other parts start it
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from struct import pack

import pytest

from drycell.sim.broker import Broker, Message, codec
from drycell.sim.broker.codec import encode_publish
from drycell.sim.kernel import Kernel
from tests.broker.mosquitto import mosquitto
from tests.broker.support import stock_serving
from tests.environments import environment

TICKS = os.sysconf("SC_CLK_TCK")
PAYLOAD = bytes(200)
WINDOW = 32
OPEN_AUTH = {"tests.broker.support.OpenAuth": {}}


# --------------------------------------------------------------------------------------- brokers in own processes
async def host(kind: str) -> None:
    """Run one broker, print its port, end with standard input."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(sys.stdin, done.set)
    if kind == "ours":
        broker = Broker(now_ns=time.monotonic_ns, record=lambda *_, **__: None)
        await broker.start()
        print(broker.port, flush=True)
        await done.wait()
        await broker.stop()
        return
    async with stock_serving(OPEN_AUTH) as stock:
        print(stock.port, flush=True)
        await done.wait()


@contextmanager
def hosted(kind: str) -> Iterator[tuple[int, Callable[[], float]]]:
    """(port, CPU seconds used so far) of a broker in its own process."""
    with ExitStack() as stack:
        if kind == "mosquitto":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = ("set_tcp_nodelay true", "max_queued_messages 0", "max_inflight_messages 0", "log_type none")
            port = stack.enter_context(mosquitto(folder, *settings))
            pid = _listener_pid(port)
        else:
            command = [sys.executable, "-m", "tests.bench.bench_broker", "host", kind]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            port, pid = int(process.stdout.readline()), process.pid
        yield port, lambda: _cpu_s(pid)


def _listener_pid(port: int) -> int:
    wanted = f"{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inode = next(
        line.split()[9] for line in lines if line.split()[1].endswith(f":{wanted}") and line.split()[3] == "0A"
    )
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(fd.readlink()) == f"socket:[{inode}]":
                return int(fd.parts[2])
        except OSError:
            continue
    raise RuntimeError(f"nobody listens on port {port}")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ------------------------------------------------------------------------------------------------------ the load
class Wire:
    """A blocking connection that counts bytes instead of parsing packets: all packets here have known sizes."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(20)
        self.send(codec.encode_connect(codec.Connect(name)))
        assert self.take(4)[3] == 0

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def take(self, size: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < size:
            data = self.socket.recv(size - len(pieces))
            if not data:
                raise EOFError("the broker closed the connection")
            pieces += data
        return bytes(pieces)


def load(port: int, qos: int, batches: int) -> float:
    """Messages per second of one publisher and one subscriber with a window of 32."""
    listener, speaker = Wire(port, "listener"), Wire(port, "speaker")
    listener.send(codec.encode_subscribe(1, [("bench/t", qos)]))
    listener.take(5)
    size = len(encode_publish("bench/t", PAYLOAD, qos, False, 1))
    batch = b"".join(encode_publish("bench/t", PAYLOAD, qos, False, n + 1) for n in range(WINDOW))
    ids = [pack("!H", n + 1) for n in range(WINDOW)]
    place = size - len(PAYLOAD) - 2

    def answers(first: bytes, taken: bytes, step: int, at: int) -> bytes:
        return b"".join(first + taken[n * step + at : n * step + at + 2] for n in range(WINDOW))

    def once() -> None:
        speaker.send(batch)
        if qos == 2:
            speaker.take(4 * WINDOW)
            speaker.send(b"".join(b"\x62\x02" + packet_id for packet_id in ids))
        taken = listener.take(size * WINDOW)
        if qos == 1:
            listener.send(answers(b"\x40\x02", taken, size, place))
        if qos == 2:
            listener.send(answers(b"\x50\x02", taken, size, place))
            released = listener.take(4 * WINDOW)
            listener.send(answers(b"\x70\x02", released, 4, 2))
        if qos:
            speaker.take(4 * WINDOW)

    for _ in range(max(5, batches // 10)):
        once()
    started = time.perf_counter()
    for _ in range(batches):
        once()
    return batches * WINDOW / (time.perf_counter() - started)


BATCHES = {0: 400, 1: 250, 2: 150}


def throughput() -> None:
    """Messages per second and CPU per message at QoS 0, 1 and 2."""
    print("\none publisher, one subscriber, 200 bytes, window 32")
    print(
        f"{'QoS':>4} {'broker':10} {'msg/s':>8} {'CPU us/msg':>11} {'rate : stock':>13} {'CPU : stock':>12} {'CPU : mosq':>11}"
    )
    for qos, batches in BATCHES.items():
        found: dict[str, tuple[float, float]] = {}
        for kind in _available("stock", "ours", "mosquitto"):
            factor = 1 if kind == "stock" else 4
            with hosted(kind) as (port, cpu_s):
                before = cpu_s()
                rate = load(port, qos, batches * factor)
                used = cpu_s() - before
            messages = WINDOW * (batches * factor + max(5, batches * factor // 10))
            found[kind] = rate, used / messages * 1e6
        for kind, (rate, cpu_us) in found.items():
            ratios = f"{rate / found['stock'][0]:13.2f} {cpu_us / found['stock'][1]:12.2f}"
            versus = f"{cpu_us / found['mosquitto'][1]:11.1f}" if "mosquitto" in found else f"{'-':>11}"
            print(f"{qos:4} {kind:10} {rate:8.0f} {cpu_us:11.1f} {ratios} {versus}")


def _available(*kinds: str) -> list[str]:
    """Those brokers that can be had here."""
    found = []
    for kind in kinds:
        try:
            with hosted(kind):
                found.append(kind)
        except pytest.skip.Exception as missing:
            print(f"left out: {missing}")
    return found


# ----------------------------------------------------------------------------------------------- paho round trips
PAHO = """
import statistics, sys, threading, time
import paho.mqtt.client as mqtt
port, qos, rounds = map(int, sys.argv[1:])
def make(name):
    return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
asker, answerer, ready, back = make("asker"), make("answerer"), threading.Semaphore(0), threading.Event()
answerer.on_message = lambda c, u, m: c.publish("answer", m.payload, qos)
asker.on_message = lambda c, u, m: back.set()
for client, topic in ((asker, "answer"), (answerer, "ask")):
    client.on_subscribe = lambda *a: ready.release()
    client.on_connect = lambda c, *a, topic=topic: c.subscribe(topic, qos)
    client.connect("127.0.0.1", port)
    client.loop_start()
ready.acquire(); ready.acquire()
times = []
for n in range(rounds + 3):
    back.clear(); start = time.perf_counter()
    asker.publish("ask", b"x" * 50, qos)
    assert back.wait(10)
    times.append(time.perf_counter() - start)
    time.sleep(0.002)
print(statistics.median(times[3:]) * 1e3)
"""


def paho_round_trips() -> None:
    """Request and response between two default paho clients, against stock amqtt and mosquitto."""
    python = environment("paho-mqtt", ["paho-mqtt==2.1.0"])
    print("\nrequest and response of two default paho 2.1.0 clients, median ms")
    print(f"{'QoS':>4} {'ours':>8} {'stock':>8} {'mosquitto':>10} {'stock : ours':>13} {'mosquitto : ours':>17}")
    for qos in (0, 1, 2):
        found = {}
        for kind in _available("ours", "stock", "mosquitto"):
            with hosted(kind) as (port, _):
                command = [python, "-c", PAHO, str(port), str(qos), "200" if kind == "ours" else "40"]
                found[kind] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        mosq = found.get("mosquitto", float("nan"))
        print(f"{qos:4} {found['ours']:8.2f} {found['stock']:8.2f} {mosq:10.2f} "
              f"{found['stock'] / found['ours']:13.1f} {mosq / found['ours']:17.1f}")  # fmt: skip


# ------------------------------------------------------------------------------------------------------ in process
async def in_process() -> None:
    """Cost of taps, in-process publishes, start and stop, and of unrelated filters."""
    broker = Broker(now_ns=time.monotonic_ns, record=lambda *_, **__: None)
    await broker.start()
    count = 20_000

    def publish_cost_us(topic: str) -> float:
        started = time.process_time()
        for _ in range(count):
            broker.publish("bench", topic, PAYLOAD)
        return (time.process_time() - started) / count * 1e6

    seen: list[object] = []
    plain = statistics.median(publish_cost_us("tapped/t") for _ in range(5))
    removers = [broker.tap("tapped/#", seen.append) for _ in range(10)]
    tapped = statistics.median(publish_cost_us("tapped/t") for _ in range(5))
    for remove in removers:
        remove()
    seen.clear()
    print("\nin this process")
    print(f"  publish without a subscriber {plain:.2f} us; one tap more {(tapped - plain) / 10:.2f} us (required: 2)")
    client = broker.connect("many")
    client.subscribe([(f"other/{n}/+/x", 0) for n in range(5000)] + [(f"tapped/{n}", 0) for n in range(5000)])
    await asyncio.sleep(0.05)
    crowded = statistics.median(publish_cost_us("tapped/t") for _ in range(5))
    print(f"  publish beside 10,000 unrelated filters {crowded:.2f} us, ratio {crowded / plain:.2f}")
    await broker.stop()

    async def cycle() -> float:
        started = time.perf_counter()
        fresh = Broker(now_ns=time.monotonic_ns, record=lambda *_, **__: None)
        await fresh.start()
        await fresh.stop()
        return (time.perf_counter() - started) * 1e3

    times = [await cycle() for _ in range(100)]
    print(f"  start plus stop {statistics.median(times):.2f} ms (required: 2)")


def modelled_lot() -> None:
    """CPU of the broker's part of a modelled lot: 1000 touchdowns on 2 sites, 7 QoS 2 messages per site and touchdown."""
    kernel = Kernel()
    broker = Broker(now_ns=lambda: kernel.now_ns, record=lambda *_, **__: None, tcp=False)

    async def lot() -> tuple[int, float]:
        await broker.start()
        seen: list[Message] = []
        broker.tap("ate/D/#", seen.append)
        for site in range(2):
            _modelled_program(kernel, broker, site)
        await asyncio.sleep(0.1)
        started = time.process_time()
        for _ in range(1000):
            broker.publish("master", "ate/D/TestApp/cmd", b'{"type":"cmd","command":"next"}', 2)
            await asyncio.sleep(3)
        used = time.process_time() - started
        await broker.stop()
        return len(seen), used

    count, used = kernel.run(lot())
    kernel.close()
    print(
        f"  modelled lot of 1000 touchdowns x 2 sites: {count} messages, {used:.2f} s CPU, {used / count * 1e6:.1f} us each"
    )


def _modelled_program(kernel: Kernel, broker: Broker, site: int) -> None:
    """Answers each command 2.5 s later with seven messages, one of them of 4.4 kB."""

    def answer() -> None:
        for number in range(7):
            payload = b"x" * 4400 if number == 3 else b'{"type":"status","payload":{"state":"testing"}}'
            client.publish(f"ate/D/TestApp/{number}/site{site}", payload, 2)

    client = broker.connect(f"testapp.D.{site}", on_message=lambda _: kernel.later(2_500_000_000, answer))
    client.subscribe([("ate/D/TestApp/cmd", 2)])


async def to_one_tcp_client() -> None:
    """CPU of this process per message: in-process publish to a TCP client, against TCP client to TCP client."""
    broker = Broker(now_ns=time.monotonic_ns, record=lambda *_, **__: None)
    await broker.start()
    message = encode_publish("t", PAYLOAD, 0, False, 0)
    drain = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DRAIN, str(broker.port), str(len(message)), str(WINDOW), message.hex(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert drain.stdin is not None and drain.stdout is not None
    await drain.stdout.readline()
    rounds = 300

    async def in_process_round() -> None:
        for _ in range(WINDOW):
            broker.publish("bench", "t", PAYLOAD)
        await drain.stdout.readline()  # type: ignore[union-attr]

    async def tcp_round() -> None:
        drain.stdin.write(b"send\n")  # type: ignore[union-attr]
        await drain.stdout.readline()  # type: ignore[union-attr]

    costs = {}
    for name, once in (("in process to TCP", in_process_round), ("TCP to TCP", tcp_round), ("idle", None)):
        started = time.process_time()
        for _ in range(rounds):
            if once is not None:
                await once()
            else:
                drain.stdin.write(b"echo\n")
                await drain.stdout.readline()
        costs[name] = (time.process_time() - started) / rounds / WINDOW * 1e6
    drain.kill()
    await drain.wait()
    await broker.stop()
    local, remote = (costs[name] - costs["idle"] for name in ("in process to TCP", "TCP to TCP"))
    print(f"  to one TCP client: in-process publish {local:.1f} us/msg, TCP to TCP {remote:.1f} us/msg, "
          f"ratio {local / remote:.2f} (required: 0.5)")  # fmt: skip


DRAIN = """
import socket, sys, threading
sys.path.insert(0, "")
from drycell.sim.broker import codec
port, size, window, message = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
def wire(name):
    s = socket.create_connection(("127.0.0.1", port)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(codec.encode_connect(codec.Connect(name))); s.recv(4)
    return s
listener, speaker = wire("listener"), wire("speaker")
listener.sendall(codec.encode_subscribe(1, [("t", 0)])); listener.recv(5)
print("ready", flush=True)
def drain():
    got = 0
    while True:
        data = listener.recv(1 << 20)
        if not data: return
        got += len(data)
        while got >= size * window:
            got -= size * window
            print("got", flush=True)
threading.Thread(target=drain, daemon=True).start()
for line in sys.stdin:
    if line == "send\\n":
        for _ in range(window): speaker.sendall(message)
    else:
        print("echo", flush=True)
"""


def main() -> None:
    """Print the tables."""
    asyncio.run(in_process())
    asyncio.run(to_one_tcp_client())
    modelled_lot()
    throughput()
    paho_round_trips()


if __name__ == "__main__":
    if sys.argv[1:2] == ["host"]:
        asyncio.run(host(sys.argv[2]))
    else:
        main()
