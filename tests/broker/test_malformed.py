"""Malformed packets close the connection, with the broken rule in the journal; the other clients do not notice."""

import asyncio

import pytest

from drycell.sim.broker import Will, codec
from drycell.sim.broker.codec import encode_publish, packet
from tests.broker.support import OPEN, Raw, on_virtual_tcp, serving, stock_serving

MALFORMED = {
    "PUBLISH with QoS 3": packet(0x36, b"\0\1t\0\1x"),
    "PUBLISH on an empty topic": packet(0x30, b"\0\0x"),
    "PUBLISH on a topic with U+0000": packet(0x30, b"\0\3a\0bx"),
    "PUBLISH on a topic with #": packet(0x30, b"\0\3a/#x"),
    "PUBLISH on a topic with +": packet(0x30, b"\0\3a/+x"),
    "PUBLISH on a topic that is not UTF-8": packet(0x30, b"\0\2\xc3\x28x"),
    "PUBLISH on a topic with a surrogate": packet(0x30, b"\0\3\xed\xa0\x80x"),
    "PUBLISH with packet id 0": packet(0x32, b"\0\1t\0\0x"),
    "PUBLISH shorter than its topic": packet(0x30, b"\0\x09t"),
    "PUBLISH of QoS 1 without packet id": packet(0x32, b"\0\1t"),
    "PUBLISH of QoS 0 with DUP": packet(0x38, b"\0\1tx"),
    "SUBSCRIBE with QoS 3": packet(0x82, b"\0\1\0\1t\3"),
    "SUBSCRIBE without filter": packet(0x82, b"\0\1"),
    "SUBSCRIBE with packet id 0": packet(0x82, b"\0\0\0\1t\0"),
    "SUBSCRIBE with wrong flags": packet(0x80, b"\0\1\0\1t\0"),
    "SUBSCRIBE to an empty filter": packet(0x82, b"\0\1\0\0\0"),
    "SUBSCRIBE cut off in the filter": packet(0x82, b"\0\1\0\x09t"),
    "UNSUBSCRIBE without filter": packet(0xA2, b"\0\1"),
    "UNSUBSCRIBE with wrong flags": packet(0xA0, b"\0\1\0\1t"),
    "PUBREL with wrong flags": packet(0x60, b"\0\1"),
    "PUBACK too short": packet(0x40, b"\1"),
    "PUBACK too long": packet(0x40, b"\0\1\0"),
    "PINGREQ with contents": packet(0xC0, b"x"),
    "PINGREQ with wrong flags": packet(0xC1, b""),
    "DISCONNECT with wrong flags": packet(0xE1, b""),
    "a second CONNECT": codec.encode_connect(codec.Connect("again")),
    "CONNACK from a client": packet(0x20, b"\0\0"),
    "SUBACK from a client": packet(0x90, b"\0\1\0"),
    "PINGRESP from a client": packet(0xD0, b""),
    "reserved type 0": packet(0x00, b""),
    "reserved type 15": packet(0xF0, b""),
    "remaining length of five bytes": b"\x30\x80\x80\x80\x80\x01",
}

BAD_CONNECTS = {
    "wrong protocol name": packet(0x10, b"\0\4MQTX\4\2\0\0\0\1a"),
    "reserved flag": packet(0x10, b"\0\4MQTT\4\3\0\0\0\1a"),
    "will QoS without will": packet(0x10, b"\0\4MQTT\4\x0a\0\0\0\1a"),
    "will retain without will": packet(0x10, b"\0\4MQTT\4\x22\0\0\0\1a"),
    "will QoS 3": packet(0x10, b"\0\4MQTT\4\x1e\0\0\0\1a\0\1w\0\0"),
    "will on an empty topic": packet(0x10, b"\0\4MQTT\4\6\0\0\0\1a\0\0\0\0"),
    "password without user name": packet(0x10, b"\0\4MQTT\4\x42\0\0\0\1a\0\1p"),
    "client id that is not UTF-8": packet(0x10, b"\0\4MQTT\4\2\0\0\0\1\xff"),
    "too short": packet(0x10, b"\0\4MQTT\4\2\0\0\0\x09a"),
    "too long": packet(0x10, b"\0\4MQTT\4\2\0\0\0\1axx"),
    "wrong flags": packet(0x11, b"\0\4MQTT\4\2\0\0\0\1a"),
    "larger than any CONNECT": b"\x10\xff\xff\xff\x7f",
    "random bytes": b"\x47\x45\x54 / HTTP/1.1\r\n\r\n",
}

OF_THE_STUDY = list(MALFORMED)[:18]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_packet_closes_the_connection_and_publishes_the_will(name):
    async def story() -> None:
        async with serving() as broker:
            watcher = await Raw.connected(broker.port, "watcher")
            await watcher.subscribe("#", 0)
            client = await Raw.connected(broker.port, "a", will=Will("last", b"gone"))
            client.send(MALFORMED[name], codec.PINGREQ_BYTES)
            assert await client.closed()
            first, body = await watcher.packet()
            assert codec.decode_publish(first, body)[:2] == ("last", b"gone")
            [(_, _, actor, fields)] = broker.log.of("disconnect")
            assert actor == "a" and fields["cause"] == "protocol error" and fields["detail"]

    on_virtual_tcp(story())


@pytest.mark.parametrize("name", BAD_CONNECTS)
def test_a_bad_connect_closes_the_connection_without_an_answer(name):
    async def story() -> None:
        async with serving() as broker:
            client = await Raw.open(broker.port)
            client.send(BAD_CONNECTS[name])
            with pytest.raises((EOFError, ConnectionError)):
                await client.packet()
            assert [(actor, f["cause"]) for _, _, actor, f in broker.log.of("refused")] == [("", "protocol error")]

    on_virtual_tcp(story())


REFUSED = {
    "MQTT 3.1": (packet(0x10, b"\0\6MQIsdp\3\2\0\0\0\1a"), (0x20, b"\0\1")),
    "MQTT 5": (packet(0x10, b"\0\4MQTT\5\2\0\0\0\0\1a"), (0x20, b"\0\x84\0")),
    "level 6": (packet(0x10, b"\0\4MQTT\6\2\0\0\0\1a"), (0x20, b"\0\1")),
    "empty client id without clean session": (packet(0x10, b"\0\4MQTT\4\0\0\0\0\0"), (0x20, b"\0\2")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_connect_that_is_understood_but_not_served_gets_its_answer_and_the_journal_says_so(name):
    sent, answer = REFUSED[name]

    async def story() -> None:
        async with serving() as broker:
            client = await Raw.open(broker.port)
            client.send(sent)
            assert await client.packet() == answer and await client.closed()
            assert name.split()[0] in broker.log.of("refused")[0][3]["detail"]

    on_virtual_tcp(story())


def test_stock_amqtt_leaves_most_of_the_same_connections_open():
    async def story(name: str) -> bool:
        async with stock_serving(OPEN) as broker:
            client = await Raw.connected(broker.port, "a")
            client.send(MALFORMED[name])
            return await client.closed()

    still_open = [name for name in OF_THE_STUDY if not on_virtual_tcp(story(name))]
    assert len(still_open) >= 9, still_open


def test_packets_before_the_malformed_one_are_still_handled():
    async def story() -> None:
        async with serving() as broker:
            watcher = await Raw.connected(broker.port, "watcher")
            await watcher.subscribe("t", 0)
            client = await Raw.connected(broker.port, "a")
            client.send(encode_publish("t", b"good", 0, False, 0), b"\x30\x80\x80\x80\x80\x01")
            assert (await watcher.packet())[1] == b"\0\1tgood"
            assert await client.closed()

    on_virtual_tcp(story())


def test_a_client_may_send_on_right_behind_its_connect():
    async def story() -> None:
        async with serving() as broker:
            client = await Raw.open(broker.port)
            connect = codec.encode_connect(codec.Connect("a"))
            client.send(
                connect, codec.encode_subscribe(1, [("t", 0)]), encode_publish("t", b"x" * 1_000_000, 0, False, 0)
            )
            assert [(await client.packet())[0] for _ in range(3)] == [0x20, 0x90, 0x30]

    on_virtual_tcp(story())


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 10_000_000])
def test_every_length_of_packet_comes_through_whole_and_in_pieces(size):
    async def story() -> None:
        async with serving() as broker:
            client = await Raw.connected(broker.port, "a")
            await client.subscribe("t", 1)
            raw = encode_publish("t", b"\xa5" * size, 1, False, 1)
            for start in range(0, min(len(raw), 12), 3):
                client.send(raw[start : start + 3])
                await asyncio.sleep(0.01)
            client.send(raw[12:])
            while (packet := await client.packet())[0] >> 4 != codec.PUBLISH:
                pass
            assert codec.decode_publish(*packet)[1] == b"\xa5" * size

    on_virtual_tcp(story())
