"""Random packet scripts against our broker and mosquitto, compared step by step and client by client.

A script has three clients and some twenty steps. After each step all clients are quiesced: every connected client
pings until nothing new has come for a whole round, acknowledging deliveries meanwhile unless it is "deaf". What each
client saw in a step must be equal on both brokers; a difference is either explained by one of ``EXPLAINED``, or a
finding.

    python -m tests.broker.differential --count 20000 [--seed 1]
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drycell.sim.broker import Will, codec
from drycell.sim.broker.codec import encode_ack, encode_publish, packet
from drycell.sim.broker.topics import matches
from tests.broker.mosquitto import mosquitto
from tests.broker.support import serving
from tests.broker.test_malformed import MALFORMED

SETTINGS = (
    "set_tcp_nodelay true",
    "max_queued_messages 0",
    "max_inflight_messages 0",
    "sys_interval 0",
    "log_type none",
)
LEVELS = ("a", "b", "")
Step = tuple[Any, ...]

ODD = {
    **{f"malformed: {name}": raw for name, raw in MALFORMED.items()},
    "unknown PUBREL": encode_ack(codec.PUBREL, 999),
    "unknown PUBACK": encode_ack(codec.PUBACK, 999),
    "unknown PUBREC": encode_ack(codec.PUBREC, 999),
    "unknown PUBCOMP": encode_ack(codec.PUBCOMP, 999),
    "misplaced #": packet(0x82, b"\0\7\0\3a/#"[:-1] + b"#b\0"),
    "misplaced +": packet(0x82, b"\0\7\0\2a+\0"),
    "publish on $SYS": encode_publish("$SYS/x", b"", 1, False, 77),
}


# ------------------------------------------------------------------------------------------------------- scripts
def script(seed: int) -> list[Step]:
    """A random script; a pure function of its seed."""
    rng = random.Random(seed)
    steps: list[Step] = [("connect", c, True, None) for c in range(3)]
    for _ in range(rng.randint(8, 22)):
        steps.append(_step(rng))
    return steps


def _topic(rng: random.Random, root: str = "") -> str:
    return root + "/".join(rng.choice(LEVELS) for _ in range(rng.randint(1, 3)))


def _filter(rng: random.Random) -> str:
    levels = [rng.choice((*LEVELS, "+")) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.35:
        levels.append("#")
    return "/".join(levels)


def _payload(rng: random.Random, *, maybe_empty: bool = True) -> bytes:
    return b"" if maybe_empty and rng.random() < 0.2 else b"%x" % rng.getrandbits(32)


def _step(rng: random.Random) -> Step:
    client, qos = rng.randrange(3), rng.randrange(3)
    kind = rng.choices(
        ("publish", "subscribe", "unsubscribe", "connect", "half", "release", "deaf", "disconnect", "abort", "odd"),
        (34, 18, 5, 14, 5, 5, 4, 4, 6, 3),
    )[0]
    if kind == "publish":
        return (kind, client, _topic(rng), _payload(rng), qos, rng.random() < 0.3)
    if kind == "subscribe":
        return (kind, client, [(_filter(rng), rng.randrange(3)) for _ in range(rng.choice((1, 1, 1, 2, 3)))])
    if kind == "unsubscribe":
        return (kind, client, [_filter(rng) for _ in range(rng.choice((1, 2)))])
    if kind == "connect":
        will = Will(_topic(rng), _payload(rng), qos, rng.random() < 0.3) if rng.random() < 0.5 else None
        return (kind, client, rng.random() < 0.4, will)
    if kind == "half":
        return (kind, client, _topic(rng), _payload(rng, maybe_empty=False))
    if kind == "odd":
        return (kind, client, rng.choice(list(ODD)))
    return (kind, client)


# ------------------------------------------------------------------------------------------------------- running
class Client:
    """One client of a script: raw packets, and what it saw."""

    def __init__(self, port: int, name: str, root: str) -> None:
        self.port, self.name, self.root = port, name, root
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.framer = codec.Framer()
        self.deaf = False
        self.seen: list[tuple[Any, ...]] = []
        self.pongs = 0
        self.last_id = 0
        self.halves: list[int] = []
        self.packets: list[tuple[int, bytes]] = []

    @property
    def alive(self) -> bool:
        return self.writer is not None

    async def open(self, clean: bool, will: Will | None) -> None:
        self.drop()
        self.framer, self.deaf, self.packets = codec.Framer(), False, []
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        if will is not None:
            will = Will(self.root + will.topic, will.payload, will.qos, will.retain)
        self.send(codec.encode_connect(codec.Connect(self.name, clean, 0, will)))

    def send(self, raw: bytes) -> None:
        if self.writer is not None:
            self.writer.write(raw)

    def drop(self) -> None:
        """Close with FIN."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    async def ping(self) -> int:
        """Ping and take everything that comes before the answer; returns how many packets that was."""
        self.send(codec.PINGREQ_BYTES)
        count = 0
        while self.reader is not None:
            while self.packets:
                first, body = self.packets.pop(0)
                if first == 0xD0:
                    return count
                count += 1
                self.take(first, body)
            try:
                data = await asyncio.wait_for(self.reader.read(65536), 5)
            except ConnectionError:
                data = b""
            except TimeoutError:
                raise RuntimeError(f"{self.name}: no answer to a ping") from None
            if not data:
                self.seen.append(("closed",))
                self.drop()
                return count + 1
            self.packets += self.framer.feed(data)
        return count

    def take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == codec.PUBLISH:
            topic, payload, qos, retain, mid = codec.decode_publish(first & 0xF7 if not first & 6 else first, body)
            self.seen.append(("publish", topic.removeprefix(self.root), payload, qos, retain, bool(first & 8)))
            if qos and not self.deaf:
                self.send(encode_ack(codec.PUBACK if qos == 1 else codec.PUBREC, mid))
        elif kind == codec.PUBREL:
            self.seen.append(("PUBREL",))
            if not self.deaf:
                self.send(encode_ack(codec.PUBCOMP, codec.decode_ack(body)))
        elif kind == codec.PUBREC:
            self.seen.append(("PUBREC",))
            mid = codec.decode_ack(body)
            if mid not in self.halves:
                self.send(encode_ack(codec.PUBREL, mid))
        elif kind == codec.CONNACK:
            self.seen.append(("CONNACK", body[1], bool(body[0])))
        elif kind == codec.SUBACK:
            self.seen.append(("SUBACK", body[2:]))
        else:
            self.seen.append((codec.PACKET_NAMES[kind],))


async def perform(client: Client, step: Step) -> None:
    """Do one step; on a client that is not connected most steps do nothing."""
    kind, root = step[0], client.root
    if kind == "connect":
        await client.open(step[2], step[3])
        client.halves = [] if step[2] else client.halves
    elif not client.alive:
        return
    elif kind == "publish":
        _, _, topic, payload, qos, retain = step
        client.send(encode_publish(root + topic, payload, qos, retain, client.next_id()))
    elif kind == "half":
        mid = client.next_id()
        client.halves.append(mid)
        client.send(encode_publish(root + step[2], step[3], 2, False, mid))
    elif kind == "release":
        if client.halves:
            client.send(encode_ack(codec.PUBREL, client.halves.pop(0)))
    elif kind == "subscribe":
        client.send(codec.encode_subscribe(client.next_id(), [(root + f, qos) for f, qos in step[2]]))
    elif kind == "unsubscribe":
        client.send(codec.encode_unsubscribe(client.next_id(), [root + f for f in step[2]]))
    elif kind == "deaf":
        client.deaf = True
    elif kind == "disconnect":
        client.send(codec.DISCONNECT_BYTES)
        client.drop()
    elif kind == "abort":
        client.drop()
    elif kind == "odd":
        client.send(ODD[step[2]])


Seen = list[list[list[tuple[Any, ...]]]]


async def run_script(port: int, steps: list[Step], root: str) -> Seen:
    """What each client saw in each step."""
    clients = [Client(port, f"{root}{n}", root) for n in range(3)]
    seen: Seen = []
    for step in steps:
        await perform(clients[step[1]], step)
        actor_first = [clients[step[1]], *(c for c in clients if c is not clients[step[1]])]
        while sum([await client.ping() for client in actor_first if client.alive]):
            pass
        seen.append([client.seen for client in clients])
        for client in clients:
            client.seen = []
    await _clean(port, clients, root)
    return seen


async def _clean(port: int, clients: list[Client], root: str) -> None:
    """Leave no session and no retained message behind."""
    for client in clients:
        await client.open(True, None)
        await client.ping()
    sweeper = clients[0]
    sweeper.deaf = True
    sweeper.send(codec.encode_subscribe(1, [(root + "#", 0)]))
    await sweeper.ping()
    for topic in [item[1] for item in sweeper.seen if item[0] == "publish"]:
        sweeper.send(encode_publish(root + topic, b"", 0, True, 0))
    await sweeper.ping()
    for client in clients:
        client.send(codec.DISCONNECT_BYTES)
        client.drop()


# ----------------------------------------------------------------------------------------------------- comparing
@dataclass
class Context:
    """One difference: where, and what each broker showed."""

    steps: list[Step]
    index: int
    client: int
    ours: list[tuple[Any, ...]]
    theirs: list[tuple[Any, ...]]

    @property
    def step(self) -> Step:
        return self.steps[self.index]


EXPLAINED: dict[str, Callable[[Context], bool]] = {}


def explain(reason: str) -> Callable[[Callable[[Context], bool]], Callable[[Context], bool]]:
    def add(check: Callable[[Context], bool]) -> Callable[[Context], bool]:
        EXPLAINED[reason] = check
        return check

    return add


def ordered(seen: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """New messages in order, retained ones in any order, answers in order; these may interleave freely (4.6)."""
    fresh = [item for item in seen if item[0] == "publish" and not item[4]]
    retained = sorted(item for item in seen if item[0] == "publish" and item[4])
    return fresh, retained, [item for item in seen if item[0] != "publish"]


LENIENT = (
    *("PINGREQ with contents", "PINGREQ with wrong flags", "PINGRESP from a client", "SUBACK from a client"),
    *("CONNACK from a client", "PUBLISH of QoS 0 with DUP", "DISCONNECT with wrong flags", "PUBACK too long"),
)


@explain("mosquitto 2.0.11 overlooks this malformed packet; we close the connection")
def _lenient(c: Context) -> bool:
    return c.step[0] == "odd" and c.step[2] in [f"malformed: {name}" for name in LENIENT] and ("closed",) in c.ours


@explain("a second CONNECT: both close, but mosquitto 2.0.11 forgets will and session, against 3.1.2.4 and 3.1.2.5")
def _second_connect(c: Context) -> bool:
    return any(step[0] == "odd" and step[2] == "malformed: a second CONNECT" for step in c.steps[: c.index + 1])


@explain("a misplaced wildcard: mosquitto closes the connection, we answer 0x80 (both are allowed)")
def _misplaced(c: Context) -> bool:
    return c.step[0] == "odd" and c.step[2].startswith("misplaced") and c.ours == [("SUBACK", b"\x80")]


@explain(
    "a publish on a $ topic: mosquitto answers and drops it, we close the connection (section 3.3.5 allows both)"
)
def _reserved(c: Context) -> bool:
    return c.step == ("odd", c.client, "publish on $SYS") and ("closed",) in c.ours


@explain("overlapping filters: we deliver at the highest QoS [MQTT-3.3.5-1], mosquitto at that of one filter")
def _overlap(c: Context) -> bool:
    filters = [f for step in c.steps[: c.index] if step[:2] == ("subscribe", c.client) for f, _ in step[2]]
    ours, theirs = ([item for item in seen if item[0] == "publish"] for seen in (c.ours, c.theirs))
    rest = [[item for item in seen if item[0] not in ("publish", "PUBREL")] for seen in (c.ours, c.theirs)]
    if len(ours) != len(theirs) or ours == theirs or rest[0] != rest[1]:
        return False
    return all(
        mine == other
        or (mine[:3] == other[:3] and mine[3] > other[3] and sum(matches(mine[1], f) for f in set(filters)) > 1)
        for mine, other in zip(ours, theirs, strict=True)
    )


def differences(steps: list[Step], ours: Seen, theirs: Seen) -> Iterator[Context]:
    """All differences, in order of steps; within a step the client that acted first, as its end causes the others'."""
    for index, step in enumerate(steps):
        for client in sorted(range(3), key=lambda client: client != step[1]):
            mine, other = ours[index][client], theirs[index][client]
            if ordered(mine) != ordered(other):
                yield Context(steps, index, client, mine, other)


@dataclass
class Tally:
    """Outcome of many scripts."""

    scripts: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, Context]] = field(default_factory=list)


def judge(tally: Tally, seed: int, steps: list[Step], ours: Seen, theirs: Seen) -> bool:
    """Sort the first difference of a script; what follows it may be its consequence. False for a finding."""
    for context in differences(steps, ours, theirs):
        reason = next((reason for reason, check in EXPLAINED.items() if check(context)), None)
        if reason is None:
            tally.findings.append((seed, context))
            return False
        tally.explained[reason] += 1
        return True
    return True


ONCE = "seen once, gone when the script was repeated: when a broker notices the end of a socket is not ours to choose"


async def compare(count: int, seed: int, port: int, progress: bool = False) -> Tally:
    """Run ``count`` scripts against a fresh broker of ours and the mosquitto on ``port``."""
    tally = Tally()
    async with serving() as broker:
        for number in range(seed, seed + count):
            steps = script(number)
            for repeated in (False, True):
                ours = await run_script(broker.port, steps, f"s{number}/")
                theirs = await run_script(port, steps, f"s{number}/")
                if repeated:
                    tally.findings.pop()
                good = judge(tally, number, steps, ours, theirs)
                tally.explained[ONCE] += good and repeated
                if good or repeated:
                    break
            tally.scripts += 1
            broker.log.clear()
            if progress and tally.scripts % 1000 == 0:
                done = f"{tally.scripts} scripts, {sum(tally.explained.values())} explained"
                print(f"{done}, {len(tally.findings)} findings", file=sys.stderr, flush=True)
    return tally


def report(tally: Tally) -> str:
    """The outcome as text."""
    lines = [f"{tally.scripts} scripts, {len(tally.findings)} unexplained differences; explained:"]
    lines += [f"  {count:6} {reason}" for reason, count in tally.explained.most_common() if count]
    for seed, context in tally.findings[:10]:
        lines += [f"seed {seed} step {context.index} {context.step} client {context.client}",
                  f"   ours   {context.ours}", f"   theirs {context.theirs}"]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder), *SETTINGS) as port:
        tally = asyncio.run(compare(options.count, options.seed, port, progress=True))
    print(report(tally))
    return bool(tally.findings)


if __name__ == "__main__":
    sys.exit(main())
