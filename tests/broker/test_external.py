"""An external broker takes the place of the embedded one: the same seam, on mosquitto and on another of ours."""

import asyncio
import time

import pytest

from drycell.sim.broker import Message, Will
from drycell.sim.broker.external import Address, ExternalBroker
from drycell.sim.errors import DrycellError
from tests.broker.mosquitto import mosquitto
from tests.broker.support import Log, free_port, run, serving


async def story(port: int) -> Log:
    log = Log(time.monotonic_ns)
    external = ExternalBroker(f"mqtt://127.0.0.1:{port}", now_ns=time.monotonic_ns, record=log.record)
    seen: list[Message] = []
    external.tap("#", seen.append)
    await external.start()
    got: asyncio.Queue[Message] = asyncio.Queue()
    granted: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    client = external.connect("a", on_message=got.put_nowait, will=Will("last", b"gone", 1))
    client.subscribe([("t/#", 2)], granted.set_result)
    assert await asyncio.wait_for(granted, 5) == [2]
    external.publish("master", "t/1", b"from a peer", 2)
    assert (await asyncio.wait_for(got.get(), 5)).payload == b"from a peer"
    client.publish("t/2", b"from a client", 1)
    assert (await asyncio.wait_for(got.get(), 5)).payload == b"from a client"
    will = log.next("message")
    while len(seen) < 2:
        await asyncio.wait_for(will, 5)
        will = log.next("message")
    client.abort()
    await asyncio.wait_for(will, 5)
    await external.stop()
    await asyncio.sleep(0)
    assert [(m.sender, m.topic) for m in seen] == [("master", "t/1"), ("a", "t/2"), ("external", "last")]
    return log


def test_the_seam_works_on_mosquitto(tmp_path):
    with mosquitto(tmp_path) as port:
        log = run(story(port))
    assert log.brief("message") == [
        ("message", "master", "t/1"),
        ("message", "a", "t/2"),
        ("message", "external", "last"),
    ]


def test_the_seam_works_on_another_broker_of_ours_and_leaves_nothing_there():
    async def both() -> None:
        async with serving() as broker:
            await story(broker.port)
            await asyncio.sleep(0.05)
            assert list(broker.connections()) == [] and broker.links() == ()

    run(both())


def test_a_broker_that_is_not_there_is_one_clear_sentence():
    async def nobody() -> None:
        broker = ExternalBroker(f"mqtt://127.0.0.1:{free_port()}", now_ns=lambda: 0, record=print)
        with pytest.raises(DrycellError, match="can not be reached"):
            await broker.start()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(nobody())


@pytest.mark.parametrize("url", ["broker", "http://x", "mqtt://", "mqtt://x:port", "mqtt://x:99999", "mqtt://x/path"])
def test_a_bad_address_is_one_clear_sentence(url):
    with pytest.raises(DrycellError, match="is not the address of a broker"):
        Address.parse(url)


def test_addresses_are_understood():
    assert Address.parse("mqtt://lab") == Address("lab", 1883, False, None, None)
    assert Address.parse("mqtts://u:p%40ss@[::1]:9") == Address("::1", 9, True, "u", b"p@ss")


def test_what_needs_the_inside_of_a_broker_is_refused():
    broker = ExternalBroker("mqtt://lab", now_ns=lambda: 0, record=print)
    with pytest.raises(DrycellError, match="external broker"):
        broker.connect("a", latency_ns=1)
    with pytest.raises(DrycellError, match="needs the embedded broker"):
        broker.message_fault = lambda m: []
