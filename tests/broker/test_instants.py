"""Wills, keepalive, take-over, delays and expiry happen at exactly the simulated instants that the rules give."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from drycell.sim.broker import Broker, BrokerOptions, Message, Will
from drycell.sim.kernel import Event, Kernel, ns
from tests.broker.support import Peer, Raw

LAST = Will("last", b"gone", 2)


class Cell:
    """A kernel, a broker on it, and the journal of both."""

    def __init__(self, options: BrokerOptions, tcp: bool) -> None:
        self.kernel = Kernel()
        self.events: list[Event] = []
        self.kernel.journal.watch(self.events.append)
        now_ns = lambda: self.kernel.now_ns  # noqa: E731
        self.broker = Broker(now_ns=now_ns, record=self.kernel.journal.record, tcp=tcp, options=options)

    def at(self, seconds: float, action: Callable[[], Any]) -> None:
        self.kernel.later(ns(seconds) - self.kernel.now_ns, action)

    async def until(self, seconds: float) -> None:
        done = self.kernel.loop.create_future()
        self.at(seconds, lambda: done.set_result(None))
        await done

    def when(self, kind: str, **fields: Any) -> list[int]:
        return [
            e.t_ns for e in self.events if e.kind == kind and fields.items() <= {"actor": e.actor, **e.fields}.items()
        ]


def told(story: Callable[[Cell], Awaitable[None]], options: BrokerOptions | None = None, tcp: bool = False) -> Cell:
    cell = Cell(options or BrokerOptions(), tcp)

    async def main() -> None:
        await cell.broker.start()
        await story(cell)
        await cell.broker.stop()

    cell.kernel.run(main())
    cell.kernel.close()
    return cell


def test_a_silent_client_goes_one_and_a_half_keepalives_after_its_last_packet_to_the_nanosecond():
    async def story(cell: Cell) -> None:
        peer = Peer(cell.broker, "a", keepalive_s=60, will=LAST)
        cell.at(2.600000007, lambda: peer.mqtt.publish("t", b""))
        cell.at(2.600000008, peer.mqtt.cut)
        await cell.until(200)

    cell = told(story)
    assert cell.when("disconnect", cause="keepalive") == [ns(92.600000007)]
    assert cell.when("message", will=True) == [ns(92.600000007)]


def test_an_odd_keepalive_is_not_rounded():
    async def story(cell: Cell) -> None:
        Peer(cell.broker, "a", keepalive_s=1).mqtt.cut()
        peer = Peer(cell.broker, "b", keepalive_s=1)
        cell.at(0.5, peer.mqtt.freeze)
        await cell.until(5)

    assert told(story).when("disconnect") == [ns(1.5)]


def test_a_killed_client_leaves_its_will_at_the_instant_of_the_kill_plus_the_latency():
    async def story(cell: Cell) -> None:
        near = Peer(cell.broker, "near", will=LAST)
        far = Peer(cell.broker, "far", will=LAST, latency_ns=37_000_001)
        cell.at(6, near.mqtt.abort)
        cell.at(6, far.mqtt.abort)
        await cell.until(10)

    cell = told(story)
    assert cell.when("message", actor="near") == [ns(6)]
    assert cell.when("message", actor="far") == [ns(6.037000001)]


def test_a_takeover_ends_the_old_connection_at_the_instant_of_the_new_connect():
    async def story(cell: Cell) -> None:
        old = Peer(cell.broker, "a", will=LAST)
        cell.at(3.000000001, lambda: Peer(cell.broker, "a"))
        await cell.until(5)
        assert old.ended == ["closed"]

    cell = told(story)
    kinds = [(e.t_ns, e.kind) for e in cell.events if e.t_ns]
    assert kinds == [(ns(3.000000001), kind) for kind in ("disconnect", "message", "connect")]


def test_a_persistent_session_expires_at_its_instant_and_lives_on_when_the_client_returns():
    async def story(cell: Cell) -> None:
        Peer(cell.broker, "a", clean=False).subscribe(("t", 1)).mqtt.disconnect()
        await cell.until(9.999999999)
        back = Peer(cell.broker, "a", clean=False)
        cell.at(12, back.mqtt.disconnect)
        await cell.until(22)
        late = Peer(cell.broker, "a", clean=False)
        await cell.until(23)
        assert back.answers == [(0, True)] and late.answers == [(0, False)]

    told(story, BrokerOptions(session_expiry_s=10))


def test_a_connection_without_connect_ends_at_the_connect_timeout():
    async def story(cell: Cell) -> None:
        raw = await Raw.open(cell.broker.port)
        assert await raw.closed(100)
        raw.close()

    cell = told(story, BrokerOptions(connect_timeout_s=7.5), tcp=True)
    assert cell.when("refused", detail="no CONNECT within 7.5 s") == [ns(7.5)]


def test_a_delayed_message_comes_at_its_instant_and_not_after_a_stop():
    async def story(cell: Cell) -> None:
        cell.broker.message_fault = lambda m: [(ns(31), m)]
        seen: list[tuple[int, Message]] = []
        cell.broker.tap("#", lambda m: seen.append((cell.kernel.now_ns, m)))
        cell.broker.publish("m", "t", b"")
        await cell.until(40)
        cell.broker.publish("m", "t", b"")
        assert [t for t, _ in seen] == [ns(31)]

    assert told(story).when("message") == [ns(31)]


def test_the_wall_clock_is_never_asked(monkeypatch):
    def forbidden(*_: object) -> float:
        raise AssertionError("the wall clock was read")

    async def story(cell: Cell) -> None:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
            monkeypatch.setattr(time, name, forbidden)
        peer = Peer(cell.broker, "a", clean=False, will=LAST, keepalive_s=5).subscribe(("#", 2))
        cell.broker.publish("m", "t", b"", 2, True)
        await cell.until(20)
        peer.mqtt.cut()
        await cell.until(40)
        Peer(cell.broker, "a", clean=False).mqtt.disconnect()
        await cell.until(60)
        monkeypatch.undo()

    assert len(told(story, BrokerOptions(session_expiry_s=15)).when("connect")) == 2


def test_the_same_story_gives_the_same_journal():
    async def story(cell: Cell) -> None:
        peers = [Peer(cell.broker, f"p{n}", will=LAST, latency_ns=n * 1000).subscribe(("#", 2)) for n in range(8)]
        for n, peer in enumerate(peers):
            cell.at(1, lambda n=n, peer=peer: peer.mqtt.publish(f"t/{n}", b"x", n % 3))
            cell.at(2, peer.mqtt.abort if n % 2 else peer.mqtt.disconnect)
        await cell.until(3)

    assert len({told(story).kernel.journal.sha256 for _ in range(5)}) == 1
