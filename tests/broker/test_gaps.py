"""What stock amqtt 0.12.1 gets wrong, one check per gap: it holds on our broker and fails on the stock one.

Each check talks raw MQTT over TCP, on simulated time, and returns whether the broker did what MQTT 3.1.1 says.
"""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest

from drycell.sim.broker import BrokerOptions, Will, codec
from drycell.sim.broker.codec import encode_ack, encode_publish
from tests.broker.support import ANONYMOUS, OPEN, Raw, on_virtual_tcp, serving, stock_serving

PUBLISHED = 3


def publishes(packets: list[tuple[int, bytes]]) -> list[tuple[str, bytes, int, bool, int]]:
    return [codec.decode_publish(first, body) for first, body in packets if first >> 4 == PUBLISHED]


def payloads(packets: list[tuple[int, bytes]]) -> list[bytes]:
    return [payload for _, payload, *_ in publishes(packets)]


async def silent_client_is_expelled_and_its_will_published(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("#", 0)
    await Raw.connected(port, "silent", keepalive_s=10, will=Will("last", b"gone"))
    await asyncio.sleep(16)
    return payloads(await watcher.ping()) == [b"gone"]


async def delivery_qos_is_the_lower_of_publish_and_subscription(port: int) -> bool:
    client = await Raw.connected(port, "a")
    await client.subscribe("t", 2)
    client.send(encode_publish("t", b"x", 0, False, 0))
    await asyncio.sleep(0.1)
    return [qos for *_, qos, _, _ in publishes(await client.ping())] == [0]


async def a_will_is_capped_by_the_subscription(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("last", 0)
    (await Raw.connected(port, "a", will=Will("last", b"gone", 2))).close()
    await asyncio.sleep(0.1)
    return [qos for *_, qos, _, _ in publishes(await watcher.ping())] == [0]


async def a_consumer_may_acknowledge_late(port: int) -> bool:
    client = await Raw.connected(port, "a")
    await client.subscribe("t", 2)
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 2, False, 1), encode_ack(codec.PUBREL, 1))
    first, body = await client.packet()
    assert first >> 4 == PUBLISHED
    await asyncio.sleep(20)
    client.send(encode_ack(codec.PUBREC, codec.decode_publish(first, body)[4]))
    return codec.PUBREL in [kind >> 4 for kind, _ in await client.ping()]


async def unacknowledged_messages_are_repeated_after_reconnect(port: int) -> bool:
    client = await Raw.connected(port, "a", clean=False)
    await client.subscribe("t", 1)
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 1, False, 1))
    assert (await client.packet())[0] >> 4 == PUBLISHED
    client.close()
    await asyncio.sleep(1.5)
    again = await Raw.connected(port, "a", clean=False)
    await asyncio.sleep(0.1)
    came = await again.ping()
    return [first & 8 for first, _ in came] == [8] and payloads(came) == [b"x"]


async def takeover_of_a_clean_session_closes_the_old_connection_with_will(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("last", 0)
    old = await Raw.connected(port, "a", will=Will("last", b"gone"))
    await Raw.connected(port, "a")
    return await old.closed() and payloads(await watcher.ping()) == [b"gone"]


async def takeover_of_a_persistent_session_leaves_the_new_connection_hearing(port: int) -> bool:
    old = await Raw.connected(port, "a", clean=False)
    await old.subscribe("t", 0)
    new = await Raw.connected(port, "a", clean=False)
    await asyncio.sleep(0.5)
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 0, False, 0))
    await asyncio.sleep(0.1)
    return payloads(await new.ping()) == [b"x"]


async def nobody_gets_retained_messages_of_topics_that_others_subscribed(port: int) -> bool:
    other = await Raw.connected(port, "other")
    await other.subscribe("t", 0)
    other.send(encode_publish("t", b"x", 0, True, 0))
    await other.ping()
    client = await Raw.connected(port, "a")
    await asyncio.sleep(0.1)
    return payloads(await client.ping()) == []


async def a_refused_topic_leaves_no_zombie(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("t", 0)
    client = await Raw.connected(port, "a")
    client.send(encode_publish("$SYS/x", b"x", 0, False, 0))
    await asyncio.sleep(0.1)
    if await client.closed(0.5):
        return True
    client.send(encode_publish("t", b"y", 0, False, 0))
    await asyncio.sleep(0.1)
    return payloads(await watcher.ping()) == [b"y"]


async def a_second_subscribe_replaces_the_qos(port: int) -> bool:
    client = await Raw.connected(port, "a")
    await client.subscribe("t", 0)
    await client.subscribe("t", 1)
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 1, False, 1))
    await asyncio.sleep(0.1)
    return [qos for *_, qos, _, _ in publishes(await client.ping())] == [1]


async def a_retained_message_keeps_its_qos_0(port: int) -> bool:
    other = await Raw.connected(port, "other")
    other.send(encode_publish("t", b"x", 0, True, 0))
    await other.ping()
    client = await Raw.connected(port, "a")
    await client.subscribe("t", 2)
    await asyncio.sleep(0.1)
    return [(qos, retain) for *_, qos, retain, _ in publishes(await client.ping())] == [(0, True)]


async def what_waited_for_a_client_is_not_marked_retained(port: int) -> bool:
    client = await Raw.connected(port, "a", clean=False)
    await client.subscribe("t", 1)
    client.send(codec.DISCONNECT_BYTES)
    await client.closed()
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 1, False, 1))
    await asyncio.sleep(0.1)
    again = await Raw.connected(port, "a", clean=False)
    await asyncio.sleep(0.1)
    return [retain for *_, retain, _ in publishes(await again.ping())] == [False]


async def what_waited_for_an_anonymous_client_is_kept(port: int) -> bool:
    client = await Raw.connected(port, "a", clean=False)
    await client.subscribe("t", 1)
    client.send(codec.DISCONNECT_BYTES)
    await client.closed()
    await asyncio.sleep(3)
    (await Raw.connected(port, "b")).send(encode_publish("t", b"x", 1, False, 1))
    await asyncio.sleep(0.1)
    again = await Raw.connected(port, "a", clean=False)
    await asyncio.sleep(0.1)
    return again.present and payloads(await again.ping()) == [b"x"]


async def an_unknown_pubrel_is_completed(port: int) -> bool:
    client = await Raw.connected(port, "a")
    client.send(encode_ack(codec.PUBREL, 4711))
    await asyncio.sleep(0.1)
    return await client.ping() == [(0x70, b"\x12\x67")]


async def a_resumed_session_takes_the_new_wills_retain_flag(port: int) -> bool:
    first = await Raw.connected(port, "a", clean=False, will=Will("last", b"one", 0, False))
    first.send(codec.DISCONNECT_BYTES)
    await first.closed()
    (await Raw.connected(port, "a", clean=False, will=Will("last", b"two", 0, True))).close()
    await asyncio.sleep(0.1)
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("last", 0)
    await asyncio.sleep(0.1)
    return payloads(await watcher.ping()) == [b"two"]


async def a_burst_before_disconnect_arrives_whole(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("t", 0)
    client = await Raw.connected(port, "a")
    client.send(*(encode_publish("t", b"%d" % n, 0, False, 0) for n in range(200)), codec.DISCONNECT_BYTES)
    await asyncio.sleep(1)
    return payloads(await watcher.ping()) == [b"%d" % n for n in range(200)]


async def subscribing_does_not_disturb_messages_under_way(port: int) -> bool:
    first, second = await Raw.connected(port, "w1"), await Raw.connected(port, "w2")
    await first.subscribe("t", 0)
    await second.subscribe("t/#", 0)
    client, busy = await Raw.connected(port, "a"), await Raw.connected(port, "busy")
    for number in range(100):
        client.send(encode_publish("t", b"x", 0, False, 0))
        busy.send(codec.encode_subscribe(1, [(f"new/{number}", 0)]))
        await asyncio.sleep(0)
    await asyncio.sleep(1)
    return [len(payloads(await watcher.ping())) for watcher in (first, second)] == [100, 100]


async def a_plugin_that_fails_has_refused(port: int) -> bool:
    watcher = await Raw.connected(port, "watcher")
    await watcher.subscribe("last", 0)
    client = await Raw.connected(port, "a", will=Will("last", b"gone"))
    client.send(encode_publish("boom", b"x", 1, False, 1))
    return await client.closed(5) and payloads(await watcher.ping()) == [b"gone"]


async def a_shared_subscription_is_refused(port: int) -> bool:
    return await (await Raw.connected(port, "a")).subscribe("$share/group/t", 1) == [0x80]


async def a_connection_without_connect_is_closed(port: int) -> bool:
    return await (await Raw.open(port)).closed(60)


async def a_first_packet_that_is_not_connect_closes(port: int) -> bool:
    client = await Raw.open(port)
    client.send(codec.PINGREQ_BYTES)
    return await client.closed(60)


async def a_packet_above_the_limit_closes(port: int) -> bool:
    client = await Raw.connected(port, "a")
    client.send(b"\x30\xff\xff\xff\x7f" + b"\0\1t")
    return await client.closed()


async def mqtt_3_1_gets_a_refusal(port: int) -> bool:
    client = await Raw.open(port)
    client.send(codec.packet(0x10, b"\0\x06MQIsdp\x03\x02\0\0\0\1a"))
    try:
        return await client.packet() == (0x20, b"\0\1") and await client.closed()
    except (EOFError, TimeoutError):
        return False


async def a_slow_consumer_does_not_fill_the_memory(port: int) -> bool:
    lazy = await Raw.connected(port, "lazy")
    await lazy.subscribe("t", 0)
    lazy.writer.transport.pause_reading()
    client = await Raw.connected(port, "a")
    tracemalloc.start()
    try:
        for _ in range(40):
            client.send(encode_publish("t", bytes(1_000_000), 0, False, 0))
            await client.ping()
        return tracemalloc.get_traced_memory()[0] < 12_000_000
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Gap:
    check: Callable[[int], Awaitable[bool]]
    plugins: dict[str, Any] | None = None
    options: BrokerOptions | None = None


TOPICS = {"tests.broker.support.OpenTopics": {}}
WITH_TOPICS = BrokerOptions(plugins=TOPICS)
GAPS = [
    Gap(silent_client_is_expelled_and_its_will_published),
    Gap(delivery_qos_is_the_lower_of_publish_and_subscription),
    Gap(a_will_is_capped_by_the_subscription),
    Gap(a_consumer_may_acknowledge_late),
    Gap(unacknowledged_messages_are_repeated_after_reconnect),
    Gap(takeover_of_a_clean_session_closes_the_old_connection_with_will),
    Gap(takeover_of_a_persistent_session_leaves_the_new_connection_hearing),
    Gap(nobody_gets_retained_messages_of_topics_that_others_subscribed),
    Gap(a_refused_topic_leaves_no_zombie),
    Gap(a_second_subscribe_replaces_the_qos),
    Gap(a_retained_message_keeps_its_qos_0),
    Gap(what_waited_for_a_client_is_not_marked_retained),
    Gap(what_waited_for_an_anonymous_client_is_kept, ANONYMOUS),
    Gap(an_unknown_pubrel_is_completed),
    Gap(a_resumed_session_takes_the_new_wills_retain_flag),
    Gap(a_burst_before_disconnect_arrives_whole, OPEN | TOPICS, WITH_TOPICS),
    Gap(subscribing_does_not_disturb_messages_under_way, OPEN | TOPICS, WITH_TOPICS),
    Gap(a_plugin_that_fails_has_refused, OPEN | TOPICS, WITH_TOPICS),
    Gap(a_shared_subscription_is_refused),
    Gap(a_connection_without_connect_is_closed),
    Gap(a_first_packet_that_is_not_connect_closes),
    Gap(a_packet_above_the_limit_closes),
    Gap(mqtt_3_1_gets_a_refusal),
    Gap(a_slow_consumer_does_not_fill_the_memory, None, BrokerOptions(max_queued_bytes=4_000_000)),
]


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: gap.check.__name__)
def test_closed_here_and_open_in_stock_amqtt(gap: Gap):
    async def ours() -> bool:
        async with serving(gap.options) as broker:
            return await gap.check(broker.port)

    async def stock() -> bool:
        async with stock_serving(gap.plugins or OPEN) as broker:
            try:
                return await gap.check(broker.port)
            except (TimeoutError, EOFError):
                return False

    assert on_virtual_tcp(ours()) is True
    assert on_virtual_tcp(stock()) is False, "stock amqtt does it right now: this gap's code may go"


def test_amqtt_is_the_version_whose_private_seams_were_read():
    assert version("amqtt") == "0.12.1", "read amqtt's broker.py and session.py again, then change this line"
