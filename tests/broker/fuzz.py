"""Random byte strings on connections: no crash, bounded memory, other clients undisturbed.

Strings are pure noise, mutated valid packets, and random sequences of valid packets, in pieces of any size, before
and after CONNECT, on in-memory links (the same code as on TCP, above the socket). Meanwhile a child process measures
the round trip of a message over TCP, and the ratio of its p99 to that of a quiet broker is printed.

    python -m tests.broker.fuzz --count 1000000 [--seed 1]
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from drycell.sim.broker import Broker, BrokerOptions, Will, codec
from drycell.sim.broker.codec import encode_ack, encode_publish, packet
from drycell.sim.broker.link import MemoryLink
from tests.broker.test_malformed import BAD_CONNECTS, MALFORMED

CONNECT = codec.encode_connect(codec.Connect("fuzz", will=Will("last", b"gone", 1, True)))
VALID = [
    CONNECT,
    codec.encode_connect(codec.Connect("fuzz", clean=False, keepalive_s=60)),
    codec.encode_connect(codec.Connect("", username="u", password=b"p")),
    *(encode_publish("f/t", b"payload", qos, retain, 1) for qos in (0, 1, 2) for retain in (False, True)),
    *(encode_ack(kind, 1) for kind in (codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP)),
    codec.encode_subscribe(1, [("f/#", 2), ("+/t", 0)]),
    codec.encode_unsubscribe(2, ["f/#"]),
    codec.PINGREQ_BYTES,
    codec.DISCONNECT_BYTES,
    *MALFORMED.values(),
    *BAD_CONNECTS.values(),
]
OPTIONS = BrokerOptions(max_queued_messages=100, max_queued_bytes=1_000_000, max_packet_bytes=100_000)


def byte_string(rng: random.Random) -> bytes:
    """One string; a pure function of the generator's state."""
    kind = rng.random()
    if kind < 0.2:
        return rng.randbytes(rng.randint(1, 40))
    raw = bytearray(b"".join(rng.choice(VALID) for _ in range(rng.choice((1, 1, 1, 2, 4)))))
    if kind < 0.4:
        return bytes(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw))
        match rng.randrange(5):
            case 0:
                raw[at] ^= 1 << rng.randrange(8)
            case 1:
                raw[at] = rng.randrange(256)
            case 2:
                raw[at:at] = rng.randbytes(rng.randint(1, 3))
            case 3 if len(raw) > 2:
                del raw[at]
            case _:
                raw = raw[: max(1, at)]
    if rng.random() < 0.1:
        return packet(rng.choice((0x30, 0x32, 0x34, 0x82, 0xA2, 0x10)), bytes(raw))
    return bytes(raw)


class Target:
    """A connection that is opened again whenever the broker has closed it."""

    def __init__(self, broker: Broker, rng: random.Random) -> None:
        self.broker, self.rng = broker, rng
        self.opened = 0
        self.open = False
        self._open()

    def _open(self) -> None:
        core = self.broker._running()
        self.link = MemoryLink(core.clock, core.exchange, 0, lambda _: None, self._ended)
        self.link.attach(core.attach(self.link))
        self.open = True
        self.opened += 1
        if self.rng.random() < 0.8:
            self.link.to_broker(CONNECT)

    def _ended(self, _: str) -> None:
        self.open = False

    def send(self, data: bytes) -> None:
        """Send in one to three pieces."""
        if not self.open or self.rng.random() < 0.01:
            self.link.fin()
            self._open()
        cuts = sorted(self.rng.randrange(len(data) + 1) for _ in range(self.rng.choice((0, 0, 1, 2))))
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if stop > start:
                self.link.to_broker(data[start:stop])


@dataclass
class Outcome:
    """What a run showed."""

    strings: int
    connections: int
    problems: list[str]
    held_bytes: int
    grown_mb: float
    quiet_ms: dict[str, float]
    fuzzed_ms: dict[str, float]
    seconds: float


async def fuzz(count: int, seed: int, *, watch: bool = True, per_second: int | None = None) -> Outcome:
    """Send ``count`` strings, as fast as it goes or ``per_second``; ``watch``: measure a TCP client's round trips."""
    loop = asyncio.get_running_loop()
    problems: list[str] = []
    loop.set_exception_handler(lambda _, context: problems.append(str(context)))
    broker = Broker(now_ns=time.monotonic_ns, record=lambda *_, **__: None, options=OPTIONS)
    await broker.start()
    quiet = await _round_trips(broker.port, 1.0) if watch else {}
    rng = random.Random(seed)
    targets = [Target(broker, rng) for _ in range(4)]
    watcher = asyncio.create_task(_round_trips(broker.port, 0.0)) if watch else None
    started = time.perf_counter()
    early_mb = 0.0
    for number in range(count):
        rng.choice(targets).send(byte_string(rng))
        await asyncio.sleep(0 if per_second is None else started + number / per_second - time.perf_counter())
        if number == count // 10:
            early_mb = _rss_mb()
        if problems:
            break
    seconds = time.perf_counter() - started
    fuzzed = await _stop(watcher) if watcher is not None else {}
    held, grown_mb = _held_bytes(broker), _rss_mb() - early_mb
    await broker.stop()
    opened = sum(target.opened for target in targets)
    return Outcome(count, opened, problems, held, grown_mb, quiet, fuzzed, seconds)


def _rss_mb() -> float:
    """Present memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _held_bytes(broker: Broker) -> int:
    """Bytes of messages that the broker holds: retained, queued, in flight."""
    core = broker._running()
    held = sum(len(kept.data) + len(topic) for topic, kept in core.retained_messages.items())
    for session, _ in core.sessions.values():
        held += sum(len(message.payload) for message in session.inflight_in.values())
        held += sum(len(delivery.data) for delivery in session.inflight_out.values())
    return held


# --------------------------------------------------------------------------------------------- the other client
PROBE = """
import json, socket, sys, time
port, seconds = int(sys.argv[1]), float(sys.argv[2])
s = socket.create_connection(("127.0.0.1", port))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.sendall(bytes.fromhex(sys.argv[3])); s.recv(4)
s.sendall(bytes.fromhex(sys.argv[4])); s.recv(5)
message, times, end = bytes.fromhex(sys.argv[5]), [], time.perf_counter() + (seconds or 1e9)
sys.stdout.write("ready\\n"); sys.stdout.flush()
try:
    while time.perf_counter() < end:
        start = time.perf_counter(); s.sendall(message)
        got = 0
        while got < len(message):
            data = s.recv(4096)
            if not data: raise SystemExit("the broker closed the probe's connection")
            got += len(data)
        times.append(time.perf_counter() - start)
        time.sleep(0.0005)
except KeyboardInterrupt:
    pass
times.sort()
print(json.dumps({"p50": times[len(times) // 2] * 1e3, "p99": times[len(times) * 99 // 100] * 1e3, "n": len(times)}))
"""


async def _round_trips(port: int, seconds: float) -> dict[str, float]:
    """Round trips of a message to itself over TCP; without ``seconds`` until ``_stop``."""
    arguments = (
        codec.encode_connect(codec.Connect("probe")).hex(),
        codec.encode_subscribe(1, [("probe", 0)]).hex(),
        encode_publish("probe", b"x" * 100, 0, False, 0).hex(),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROBE, str(port), str(seconds), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        return dict(json.loads(await process.stdout.readline()))
    except asyncio.CancelledError:
        process.send_signal(2)
        return dict(json.loads(await process.stdout.readline()))
    finally:
        await process.wait()


async def _stop(watcher: "asyncio.Task[dict[str, float]]") -> dict[str, float]:
    watcher.cancel()
    return await watcher


def _print_round_trips(text: str, outcome: Outcome) -> None:
    quiet, fuzzed = outcome.quiet_ms, outcome.fuzzed_ms
    print(f"  {text:20} quiet p50 {quiet['p50']:.2f} p99 {quiet['p99']:.2f}; "
          f"fuzzed p50 {fuzzed['p50']:.2f} p99 {fuzzed['p99']:.2f}; p99 ratio {fuzzed['p99'] / quiet['p99']:.1f}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    outcome = asyncio.run(fuzz(options.count, options.seed))
    print(f"{outcome.strings} strings on {outcome.connections} connections in {outcome.seconds:.0f} s; "
          f"problems: {len(outcome.problems)}; held at the end: {outcome.held_bytes} bytes of messages; "
          f"memory grew {outcome.grown_mb:.1f} MB since the first tenth")  # fmt: skip
    print("round trip of another client over TCP, ms")
    _print_round_trips("as fast as it goes", outcome)
    _print_round_trips("2,000 strings/s", asyncio.run(fuzz(20_000, options.seed, per_second=2000)))
    for problem in outcome.problems[:5]:
        print(problem)
    return bool(outcome.problems)


if __name__ == "__main__":
    sys.exit(main())
