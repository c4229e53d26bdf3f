"""Random byte strings do no harm; the long run is ``python -m tests.broker.fuzz --count 1000000``."""

import asyncio
import random

from drycell.sim.broker.codec import Framer, ProtocolError, decode_connect, decode_publish, decode_subscribe
from tests.broker.fuzz import OPTIONS, byte_string, fuzz


def test_five_thousand_strings_do_not_crash_the_broker_and_leave_little_behind():
    outcome = asyncio.run(fuzz(5000, 1, watch=False))
    assert outcome.problems == []
    assert outcome.connections > 500
    assert outcome.held_bytes < 2 * OPTIONS.max_queued_bytes


def test_the_codec_knows_only_packets_and_protocol_errors():
    rng = random.Random(2)
    raised = 0
    for _ in range(5000):
        framer = Framer(100_000)
        for first, body in framer.feed(byte_string(rng)):
            for decode in (decode_connect, lambda raw, first=first: decode_publish(first, raw), decode_subscribe):
                try:
                    decode(body)
                except ProtocolError:
                    raised += 1
    assert raised > 1000


def test_a_stream_is_cut_the_same_way_in_whatever_pieces_it_comes():
    rng = random.Random(3)
    for _ in range(300):
        stream = b"".join(byte_string(rng) for _ in range(5))
        whole, pieces = Framer(100_000), Framer(100_000)
        expected = whole.feed(stream)
        got = [packet for byte in stream for packet in pieces.feed(bytes((byte,)))]
        assert got[: len(expected)] == expected and whole.error == pieces.error
