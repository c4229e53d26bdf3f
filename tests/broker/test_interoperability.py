"""Behaviours of MQTT 3.1.1 that a broker must show, written from the specification; over TCP, on simulated time."""

import asyncio
import functools

import pytest

from drycell.sim.broker import AccessRules, BrokerOptions, Role, Will, codec
from drycell.sim.broker.codec import encode_ack, encode_publish, encode_subscribe, encode_unsubscribe
from tests.broker.support import Raw, on_virtual_tcp, serving

ACKS = {codec.PUBREC: codec.PUBREL, codec.PUBREL: codec.PUBCOMP}


def over_tcp(story=None, *, options=None):
    """Run the story with a broker as its first argument."""
    if story is None:
        return functools.partial(over_tcp, options=options)

    @functools.wraps(story)
    def test(**arguments):
        async def told():
            async with serving(options) as broker:
                await story(broker, **arguments)

        on_virtual_tcp(told())

    names = story.__code__.co_varnames[1 : story.__code__.co_argcount]
    import inspect

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    test.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return test


async def received(client: Raw, *, acknowledge: bool = True) -> list[tuple[str, bytes, int, bool]]:
    """Everything published to the client until now, completing the QoS 1 and 2 flows in order."""
    got = []
    for _ in range(3):
        await asyncio.sleep(0.05)
        for first, body in await client.ping():
            kind = first >> 4
            if kind == codec.PUBLISH:
                topic, payload, qos, retain, mid = codec.decode_publish(first, body)
                got.append((topic, payload, qos, retain))
                if qos and acknowledge:
                    client.send(encode_ack(codec.PUBACK if qos == 1 else codec.PUBREC, mid))
            elif kind == codec.PUBREL and acknowledge:
                client.send(encode_ack(codec.PUBCOMP, codec.decode_ack(body)))
    return got


async def publish(
    client: Raw, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False, mid: int = 1
) -> None:
    """Publish and complete the flow."""
    client.send(encode_publish(topic, payload, qos, retain, mid))
    if qos == 1:
        assert await client.packet() == (0x40, mid.to_bytes(2, "big"))
    elif qos == 2:
        assert await client.packet() == (0x50, mid.to_bytes(2, "big"))
        client.send(encode_ack(codec.PUBREL, mid))
        assert await client.packet() == (0x70, mid.to_bytes(2, "big"))
    else:
        await client.ping()


@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("sent", [0, 1, 2])
@over_tcp
async def test_a_message_arrives_once_at_the_lower_qos(broker, sent, granted):
    listener, speaker = await Raw.connected(broker.port, "l"), await Raw.connected(broker.port, "s")
    assert await listener.subscribe("a/+", granted) == [granted]
    await publish(speaker, "a/b", b"x", sent)
    assert await received(listener) == [("a/b", b"x", min(sent, granted), False)]


@over_tcp
async def test_retained_messages_come_on_subscribe_with_the_flag_and_are_cleared_by_an_empty_payload(broker):
    speaker = await Raw.connected(broker.port, "s")
    for qos in (0, 1, 2):
        await publish(speaker, f"r/{qos}", b"%d" % qos, qos, retain=True)
    listener = await Raw.connected(broker.port, "l")
    await listener.subscribe("r/#", 2)
    assert sorted(await received(listener)) == [(f"r/{qos}", b"%d" % qos, qos, True) for qos in (0, 1, 2)]
    await publish(speaker, "r/1", b"new", 1, retain=True)
    assert await received(listener) == [("r/1", b"new", 1, False)], "to a present subscription the flag is 0"
    for qos in (0, 1, 2):
        await publish(speaker, f"r/{qos}", b"", 0, retain=True)
    later = await Raw.connected(broker.port, "later")
    await later.subscribe("r/#", 2)
    assert await received(later) == []


@over_tcp
async def test_a_second_subscribe_to_the_same_filter_repeats_the_retained_messages(broker):
    client = await Raw.connected(broker.port, "a")
    await publish(client, "r", b"x", 0, retain=True)
    for _ in range(2):
        await client.subscribe("r", 0)
        assert await received(client) == [("r", b"x", 0, True)]


@over_tcp
async def test_an_empty_client_id_gets_a_name_only_with_a_clean_session(broker):
    first, second = await Raw.connected(broker.port, ""), await Raw.connected(broker.port, "")
    await first.ping()
    await second.ping()
    assert [actor for _, _, actor, _ in broker.log.of("connect")] == ["auto-1", "auto-2"]
    refused = await Raw.open(broker.port)
    refused.send(codec.encode_connect(codec.Connect("", clean=False)))
    assert await refused.packet() == (0x20, b"\0\2") and await refused.closed()


@over_tcp
async def test_messages_for_an_absent_persistent_client_wait_in_order(broker):
    client = await Raw.connected(broker.port, "a", clean=False)
    await client.subscribe("t/#", 2)
    client.send(codec.DISCONNECT_BYTES)
    assert await client.closed()
    speaker = await Raw.connected(broker.port, "s")
    for n in range(30):
        await publish(speaker, f"t/{n % 3}", b"%d" % n, n % 3)
    again = await Raw.connected(broker.port, "a", clean=False)
    assert again.present
    assert await received(again) == [(f"t/{n % 3}", b"%d" % n, n % 3, False) for n in range(30) if n % 3]


@over_tcp
async def test_a_clean_session_forgets(broker):
    client = await Raw.connected(broker.port, "a", clean=False)
    await client.subscribe("t", 1)
    client.close()
    clean = await Raw.connected(broker.port, "a", clean=True)
    assert not clean.present
    clean.close()
    again = await Raw.connected(broker.port, "a", clean=False)
    await publish(again, "t", b"x", 1)
    assert not again.present and await received(again) == []


@over_tcp
async def test_overlapping_subscriptions_give_one_copy_at_the_highest_qos(broker):
    client = await Raw.connected(broker.port, "a")
    client.send(encode_subscribe(1, [("o/#", 1), ("o/+", 2), ("o/x", 0)]))
    assert await client.packet() == (0x90, b"\0\1\1\2\0")
    await publish(await Raw.connected(broker.port, "s"), "o/x", b"x", 2)
    assert await received(client) == [("o/x", b"x", 2, False)]


@over_tcp(options=BrokerOptions(overlap_copies=True))
async def test_overlapping_subscriptions_give_one_copy_per_filter_when_asked(broker):
    client = await Raw.connected(broker.port, "a")
    client.send(encode_subscribe(1, [("o/#", 1), ("o/x", 0)]))
    await client.packet()
    await publish(await Raw.connected(broker.port, "s"), "o/x", b"x", 2)
    assert await received(client) == [("o/x", b"x", 1, False), ("o/x", b"x", 0, False)]


@over_tcp
async def test_keepalive_closes_after_one_and_a_half_times_and_pings_prevent_it(broker):
    watcher = await Raw.connected(broker.port, "w")
    await watcher.subscribe("last", 0)
    client = await Raw.connected(broker.port, "a", keepalive_s=4, will=Will("last", b"gone"))
    for _ in range(5):
        await asyncio.sleep(5.5)
        await client.ping()
    assert await received(watcher) == []
    await asyncio.sleep(6.1)
    assert await client.closed() and await received(watcher) == [("last", b"gone", 0, False)]


@pytest.mark.parametrize("qos", [1, 2])
@over_tcp
async def test_what_was_not_acknowledged_is_repeated_with_dup_and_the_same_id(broker, qos):
    client = await Raw.connected(broker.port, "a", clean=False)
    await client.subscribe("t", qos)
    speaker = await Raw.connected(broker.port, "s")
    for n in (1, 2, 3):
        await publish(speaker, "t", b"%d" % n, qos)
    before = await client.ping()
    client.close()
    again = await Raw.connected(broker.port, "a", clean=False)
    after = await again.ping()
    assert [(first | 8, body) for first, body in before] == after and len(after) == 3


@over_tcp
async def test_a_qos_2_flow_is_resumed_at_pubrel(broker):
    client = await Raw.connected(broker.port, "a", clean=False)
    await client.subscribe("t", 2)
    await publish(await Raw.connected(broker.port, "s"), "t", b"x", 2)
    first, body = await client.packet()
    mid = codec.decode_publish(first, body)[4]
    client.send(encode_ack(codec.PUBREC, mid))
    assert await client.packet() == (0x62, mid.to_bytes(2, "big"))
    client.close()
    again = await Raw.connected(broker.port, "a", clean=False)
    assert await again.packet() == (0x62, mid.to_bytes(2, "big"))
    again.send(encode_ack(codec.PUBCOMP, mid))
    assert await again.ping() == []


@over_tcp
async def test_a_repeated_qos_2_publish_is_delivered_once_also_across_a_reconnect(broker):
    listener = await Raw.connected(broker.port, "l")
    await listener.subscribe("t", 0)
    client = await Raw.connected(broker.port, "a", clean=False)
    client.send(encode_publish("t", b"x", 2, False, 9), encode_publish("t", b"x", 2, False, 9, dup=True))
    assert [await client.packet(), await client.packet()] == [(0x50, b"\0\x09")] * 2
    assert await received(listener) == [], "delivered onward at PUBREL, not before"
    client.close()
    again = await Raw.connected(broker.port, "a", clean=False)
    again.send(encode_publish("t", b"x", 2, False, 9, dup=True))
    assert await again.packet() == (0x50, b"\0\x09")
    for _ in range(2):
        again.send(encode_ack(codec.PUBREL, 9))
        assert await again.packet() == (0x70, b"\0\x09")
    assert await received(listener) == [("t", b"x", 0, False)]


PICKY = AccessRules((Role("any", ("#",), ("#",), ("allowed/#",)),))


@over_tcp(options=BrokerOptions(access=PICKY))
async def test_a_refused_filter_gets_0x80_and_the_others_are_granted(broker):
    client = await Raw.connected(broker.port, "a")
    client.send(
        encode_subscribe(1, [("allowed/x", 2), ("secret", 1), ("#", 0), ("allowed/#", 1), ("$share/g/allowed", 0)])
    )
    assert await client.packet() == (0x90, b"\0\1\2\x80\x80\1\x80")
    assert [f["topic_filter"] for *_, f in broker.log.of("refused")] == ["secret", "#", "$share/g/allowed"]


@pytest.mark.parametrize("topic_filter", ["a#", "a/#/b", "#/a", "a+", "+a/b", "a/+b"])
@over_tcp
async def test_a_misplaced_wildcard_gets_0x80(broker, topic_filter):
    client = await Raw.connected(broker.port, "a")
    assert await client.subscribe(topic_filter, 0) == [0x80]
    await client.ping()


@over_tcp
async def test_dollar_topics_are_not_matched_by_a_leading_wildcard(broker):
    client = await Raw.connected(broker.port, "a")
    client.send(encode_subscribe(1, [("#", 0), ("+/x", 0), ("$lab/#", 0)]))
    await client.packet()
    broker.publish("bench", "$lab/x", b"1")
    broker.publish("bench", "$other/x", b"2")
    assert await received(client) == [("$lab/x", b"1", 0, False)]


@over_tcp
async def test_unsubscribe_is_answered_and_ends_the_delivery(broker):
    client = await Raw.connected(broker.port, "a")
    client.send(encode_subscribe(1, [("x", 2), ("y", 2)]))
    await client.packet()
    client.send(encode_unsubscribe(7, ["x", "never"]))
    assert await client.packet() == (0xB0, b"\0\7")
    speaker = await Raw.connected(broker.port, "s")
    await publish(speaker, "x", b"", 2)
    await publish(speaker, "y", b"", 2)
    assert [topic for topic, *_ in await received(client)] == ["y"]


MATCHES = [
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/#", "sport", True),
    ("#", "a/b", True),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("+/tennis/#", "x/tennis", True),
    ("A", "a", False),
    ("/", "/", True),
    ("a//b", "a//b", True),
    ("a/+/b", "a//b", True),
    ("#", "$SYS/x", False),
    ("+/monitor", "$SYS/monitor", False),
    ("$SYS/#", "$SYS/monitor", True),
    ("$SYS/+", "$SYS/monitor", True),
]


@pytest.mark.parametrize(("topic_filter", "topic", "expected"), MATCHES)
@over_tcp
async def test_filters_match_as_section_4_7_says(broker, topic_filter, topic, expected):
    client = await Raw.connected(broker.port, "a")
    await client.subscribe(topic_filter, 0)
    broker.publish("bench", topic, b"x")
    assert [t for t, *_ in await received(client)] == [topic] * expected


@over_tcp
async def test_order_is_kept_per_publisher_and_equal_for_all_subscribers(broker):
    listeners = [await Raw.connected(broker.port, f"l{n}") for n in range(3)]
    for n, listener in enumerate(listeners):
        await listener.subscribe("t/#", n)
    speakers = [await Raw.connected(broker.port, f"s{n}") for n in range(4)]
    for n in range(50):
        for s, speaker in enumerate(speakers):
            speaker.send(encode_publish(f"t/{s}", b"%d" % n, 1, False, n + 1))
        await asyncio.sleep(0)
    orders = [[(topic, payload) for topic, payload, *_ in await received(listener)] for listener in listeners]
    assert orders[0] == orders[1] == orders[2] and len(orders[0]) == 200
    for s in range(4):
        assert [payload for topic, payload in orders[0] if topic == f"t/{s}"] == [b"%d" % n for n in range(50)]


@over_tcp(options=BrokerOptions(max_inflight=3))
async def test_the_window_of_unacknowledged_messages_is_kept_and_moves_on(broker):
    client = await Raw.connected(broker.port, "a")
    await client.subscribe("t", 1)
    for n in range(10):
        broker.publish("bench", "t", b"%d" % n, 1)
    assert [payload for _, payload, *_ in await received(client, acknowledge=False)] == [b"0", b"1", b"2"]
    client.send(encode_ack(codec.PUBACK, 1), encode_ack(codec.PUBACK, 2), encode_ack(codec.PUBACK, 3))
    got = []
    for _ in range(4):
        got += [payload for _, payload, *_ in await received(client)]
    assert got == [b"%d" % n for n in range(3, 10)]


@over_tcp(options=BrokerOptions(access=AccessRules((Role("site", ("s",), ("mine",), ()),))))
async def test_a_publish_on_a_refused_topic_closes_the_connection_and_is_not_delivered(broker):
    client = await Raw.connected(broker.port, "s")
    client.send(encode_publish("mine", b"", 2, False, 1))
    assert await client.packet() == (0x50, b"\0\1")
    client.send(encode_publish("yours", b"", 2, False, 2))
    assert await client.closed()
    assert broker.log.brief("refused", "message") == [("refused", "s", "yours")]
