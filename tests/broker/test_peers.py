"""In-process peers and memory clients: the seam that every message passes, and links that behave as TCP does."""

from dataclasses import replace

import pytest

from drycell.sim.broker import BrokerOptions, Message, Will
from drycell.sim.errors import DrycellError
from tests.broker.support import Virtual, virtual


def test_a_publish_is_journalled_and_tapped_before_it_returns():
    async def story(w: Virtual) -> None:
        seen: list[Message] = []
        w.broker.tap("a/+", seen.append)
        w.broker.publish("master", "a/b", b"hello", 1)
        assert seen == [Message("a/b", b"hello", 1, False, "master")]
        assert w.log == [(0, "message", "master", {"topic": "a/b", "qos": 1, "retain": False, "payload": "hello"})]

    virtual(story)


def test_a_payload_that_is_not_utf8_is_journalled_as_base64():
    async def story(w: Virtual) -> None:
        w.broker.publish("m", "t", b"\xff\x00")

    assert virtual(story)[0][3]["payload_b64"] == "/wA="


def test_taps_are_called_in_order_of_registration_once_per_message_and_can_be_removed():
    async def story(w: Virtual) -> None:
        calls: list[str] = []
        w.broker.tap("#", lambda _: calls.append("first"))
        remove = w.broker.tap("a/b", lambda _: calls.append("second"))
        w.broker.tap("a/#", lambda _: calls.append("third"))
        w.broker.publish("m", "a/b", b"")
        remove()
        w.broker.publish("m", "a/b", b"")
        assert calls == ["first", "second", "third", "first", "third"]

    virtual(story)


def test_a_publish_from_within_a_tap_waits_until_the_present_message_is_complete():
    async def story(w: Virtual) -> None:
        seen: list[tuple[str, str]] = []

        def answering(message: Message) -> None:
            seen.append(("x", message.topic))
            if message.topic == "one":
                w.broker.publish("x", "two", b"")
                w.broker.publish("x", "three", b"")

        w.broker.tap("#", answering)
        w.broker.tap("#", lambda m: seen.append(("y", m.topic)))
        w.broker.publish("m", "one", b"")
        assert seen == [("x", "one"), ("y", "one"), ("x", "two"), ("y", "two"), ("x", "three"), ("y", "three")]
        assert [topic for _, _, topic in w.log.brief("message")] == ["one", "two", "three"]

    virtual(story)


def test_taps_outlive_a_stop_of_the_broker():
    async def story(w: Virtual) -> None:
        seen: list[Message] = []
        w.broker.tap("#", seen.append)
        await w.broker.stop()
        await w.broker.start()
        w.broker.publish("m", "t", b"")
        assert len(seen) == 1

    virtual(story)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_memory_client_publishes_and_another_receives(qos):
    async def story(w: Virtual) -> None:
        done: list[bool] = []
        listener = w.client("b").subscribe(("t/#", 2))
        speaker = w.client("a")
        speaker.mqtt.publish("t/1", b"x", qos, lambda: done.append(True))
        await w.settle()
        assert listener.got == [Message("t/1", b"x", qos, False)]
        assert done == [True] and listener.codes == [2] and speaker.answers == [(0, False)]
        assert speaker.mqtt.unfinished == listener.mqtt.unfinished == 0

    virtual(story)


def test_latency_counts_in_each_direction_and_keeps_the_order():
    async def story(w: Virtual) -> None:
        done: list[float] = []
        client = w.client("a", latency_ns=5_000_000).subscribe(("t", 0))
        for payload in (b"1", b"2", b"3"):
            client.mqtt.publish("t", payload, 1, lambda: done.append(w.loop.time()))
        await w.at(1)
        assert client.payloads == [b"1", b"2", b"3"]
        assert done == [0.01] * 3

    virtual(story)


def test_an_aborted_client_leaves_its_will_and_a_disconnected_one_does_not():
    async def story(w: Virtual) -> None:
        will = Will("last", b"gone", 2)
        w.client("killed", will=will).mqtt.abort()
        polite = w.client("polite", will=will)
        polite.mqtt.disconnect()
        await w.settle()
        assert polite.ended == ["disconnect"]

    log = virtual(story)
    assert log.brief("message", "disconnect") == [
        ("disconnect", "killed", "closed"),
        ("message", "killed", "last"),
        ("disconnect", "polite", "disconnect"),
    ]
    assert log.of("message")[0][3] == {"topic": "last", "qos": 2, "retain": False, "will": True, "payload": "gone"}


def test_a_cut_cable_is_found_by_both_ends_through_the_keepalive():
    async def story(w: Virtual) -> None:
        client = w.client("a", keepalive_s=10, will=Will("last", b""))
        await w.at(3)
        client.mqtt.publish("t", b"")
        await w.at(4)
        client.mqtt.cut()
        await w.at(40)
        assert client.ended == ["keepalive"]

    log = virtual(story)
    assert [(t, k) for t, k, _, _ in log.of("disconnect", "message")][1:] == [
        (18_000_000_000, "disconnect"),
        (18_000_000_000, "message"),
    ]


def test_an_idle_client_pings_and_lives():
    async def story(w: Virtual) -> None:
        client = w.client("a", keepalive_s=10)
        await w.at(1000)
        assert client.mqtt.connected and not client.ended

    assert virtual(story).of("disconnect") == []


def test_a_frozen_client_is_expelled_and_handles_what_waited_when_it_thaws():
    async def story(w: Virtual) -> None:
        client = w.client("a", keepalive_s=10).subscribe(("t", 0))
        await w.at(1)
        client.mqtt.freeze()
        w.broker.publish("m", "t", b"while frozen")
        await w.at(60)
        assert client.got == [] and client.ended == []
        client.mqtt.thaw()
        await w.settle()
        assert client.payloads == [b"while frozen"] and client.ended == ["closed"]

    log = virtual(story)
    assert [(t, f["cause"]) for t, _, _, f in log.of("disconnect")] == [(15_000_000_000, "keepalive")]


def test_a_message_fault_drops_doubles_delays_and_changes():
    async def story(w: Virtual) -> None:
        rules = {
            "drop": lambda m: [],
            "double": lambda m: [(0, m), (0, m)],
            "late": lambda m: [(2_000_000_000, m)],
            "change": lambda m: [(0, replace(m, payload=b"changed"))],
        }
        w.broker.message_fault = lambda m: rules[m.topic](m)
        client = w.client("a").subscribe(("#", 0))
        await w.settle()
        for topic in rules:
            w.broker.publish("m", topic, b"as sent")
        await w.at(5)
        assert [(m.topic, m.payload) for m in client.got] == [
            ("double", b"as sent"),
            ("double", b"as sent"),
            ("change", b"changed"),
            ("late", b"as sent"),
        ]

    assert [t for t, *_ in virtual(story).of("message")] == [0, 0, 0, 2_000_000_000]


def test_a_packet_fault_sees_each_packet_of_both_directions_and_can_delay_it_in_order():
    async def story(w: Virtual) -> None:
        seen: list[tuple[str, str, int]] = []

        def fault(link, direction, packet):
            seen.append((link.client_id, direction, packet[0] >> 4))
            return [(1_000_000_000 if direction == "in" and packet[0] >> 4 == 3 else 0, packet)]

        w.broker.packet_fault = fault
        client = w.client("a").subscribe(("t", 0))
        client.mqtt.publish("t", b"1", 2)
        client.mqtt.unsubscribe(["other"])
        await w.at(5)
        assert client.payloads == [b"1"]
        assert seen == [
            ("", "in", 1), ("a", "out", 2), ("a", "in", 8), ("a", "out", 9), ("a", "in", 3), ("a", "in", 10),
            ("a", "out", 5), ("a", "out", 11), ("a", "in", 6), ("a", "out", 3), ("a", "out", 7),
        ]  # fmt: skip

    assert virtual(story).of("message")[0][0] == 1_000_000_000


def test_a_delayed_connect_holds_back_what_was_sent_behind_it():
    async def story(w: Virtual) -> None:
        w.broker.packet_fault = lambda _, way, p: [(3_000_000_000 if way == "in" and p[0] >> 4 == 1 else 0, p)]
        client = w.client("a").subscribe(("t", 0))
        client.mqtt.publish("t", b"x")
        await w.at(5)
        assert client.answers == [(0, False)] and client.payloads == [b"x"]

    assert [t for t, *_ in virtual(story)] == [3_000_000_000] * 3


def test_a_corrupted_packet_closes_the_connection_as_on_a_real_link():
    async def story(w: Virtual) -> None:
        w.broker.packet_fault = lambda _, way, p: [(0, b"\x36" + p[1:] if way == "in" and p[0] >> 4 == 3 else p)]
        client = w.client("a")
        client.mqtt.publish("t", b"1")
        await w.settle()
        assert client.ended == ["closed"]

    assert "QoS 3" in virtual(story).of("disconnect")[0][3]["detail"]


@pytest.mark.parametrize(("topic", "size"), [("a/+", 1), ("", 1), ("t\0", 1), ("t", 101)])
def test_a_publish_that_no_bytes_could_carry_closes_the_connection_of_a_client_in_memory_too(topic, size):
    async def story(w: Virtual) -> None:
        client = w.client("a")
        await w.settle()
        client.mqtt.publish(topic, bytes(size))
        await w.settle()
        assert client.ended == ["closed"]

    log = virtual(story, options=BrokerOptions(max_packet_bytes=100))
    assert log.brief("disconnect") == [("disconnect", "a", "protocol error")] and not log.of("message")


@pytest.mark.parametrize(
    "garbage",
    [b"\x36\x05\0\1t\0\1", b"\x30\x01t", b"\x10\0", b"\xd1\0", b"\x40\1x", b"\x30\xff\xff\xff\xff\1", b"\0\0"],
)
def test_a_client_that_gets_garbage_closes_the_connection(garbage):
    async def story(w: Virtual) -> None:
        client = w.client("a").subscribe(("t", 0))
        await w.settle()
        w.broker.packet_fault = lambda _, way, p: [(0, garbage if way == "out" else p)]
        w.broker.publish("m", "t", b"x")
        await w.settle()
        assert client.ended == ["protocol error"] and client.got == []

    assert virtual(story).brief("disconnect") == [("disconnect", "a", "closed")]


def test_a_failing_tap_is_reported_to_the_loop_and_the_message_goes_on():
    async def story(w: Virtual) -> None:
        told: list[dict[str, object]] = []
        handler = w.loop.get_exception_handler()
        w.loop.set_exception_handler(lambda _, context: told.append(context))
        seen: list[Message] = []
        w.broker.tap("#", lambda _: 1 / 0)
        w.broker.tap("#", seen.append)
        w.broker.publish("m", "t", b"")
        w.loop.set_exception_handler(handler)
        assert len(seen) == 1 and isinstance(told[0]["exception"], ZeroDivisionError)

    virtual(story)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0"])
def test_a_bad_topic_is_refused_in_one_sentence(topic):
    async def story(w: Virtual) -> None:
        with pytest.raises(DrycellError, match="can not be published on"):
            w.broker.publish("m", topic, b"")

    virtual(story)


def test_sessions_filters_and_retained_messages_have_limits_that_are_told():
    async def story(w: Virtual) -> None:
        first = w.client("a").subscribe(("x", 0), ("y", 0), ("z", 0)).subscribe(("x", 1))
        w.client("b")
        third = w.client("c")
        await w.settle()
        assert first.codes == [0, 0, 0x80, 1] and third.answers == [(3, False)]
        for topic in ("r1", "r2", "r1", "x"):
            w.broker.publish("m", topic, b"kept", 0, True)
        await w.settle()
        assert first.payloads == [b"kept"], "delivered, though not retained"

    log = virtual(story, BrokerOptions(max_sessions=2, max_filters=2, max_retained=2))
    assert log.brief("refused", "dropped") == [
        ("refused", "a", "z"),
        ("refused", "c", "refused"),
        ("dropped", "m", "x"),
    ]


def test_a_consumer_that_does_not_acknowledge_gets_no_more_than_the_window_and_the_queue():
    async def story(w: Virtual) -> None:
        client = w.client("a", keepalive_s=0).subscribe(("t", 1))
        await w.settle()
        client.mqtt.freeze()
        for number in range(10):
            w.broker.publish("m", "t", b"%d" % number, 1)
        await w.settle()
        client.mqtt.thaw()
        await w.settle()
        assert client.payloads == [b"0", b"1", b"2", b"3", b"4"]

    log = virtual(story, BrokerOptions(max_inflight=2, max_queued_messages=3))
    assert log.brief("dropped") == [("dropped", "a", "t")] * 5
