"""A broker, a meter and a bare master, just enough to take one real program through its life in a test."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from amqtt.broker import Broker
from amqtt.client import MQTTClient

Message = tuple[str, dict[str, Any]]


class Bench:
    """What a test says to the program under ``ate/D`` and hears from it; peripheral calls are answered at once."""

    def __init__(self, client: MQTTClient, port: int) -> None:
        self.client, self.port = client, port
        self.heard: list[Message] = []

    async def command(self, **fields: Any) -> None:
        message = {"type": "cmd", "sites": ["0"], **fields}
        await self.client.publish("ate/D/TestApp/cmd", json.dumps(message).encode(), 2)

    async def until(self, wanted: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            message = await self.client.deliver_message()
            assert message is not None
            topic, data = message.topic, json.loads(message.data or b"{}")
            self.heard.append((topic, data))
            if topic.endswith("io-control/site0/request"):
                answer = {"type": "io-control-response", "ioctl_name": data["ioctl_name"], "result": {"status": "ok"}}
                await self.client.publish(
                    f"ate/D/Master/{data['periphery_type']}/response", json.dumps(answer).encode(), 2
                )
            if wanted(topic, data):
                return data

    async def state(self, name: str) -> None:
        await self.until(lambda topic, data: "/status/" in topic and data["state"] == name)

    async def touchdown(self, part: str, **options: Any) -> dict[str, list[dict[str, Any]]]:
        """One ``next``; returns the records of the result by type."""
        sites = [{"siteid": "0", "partid": part, "binning": -1}]
        await self.command(command="next", job_data={"sites_info": sites, **options})
        result = await self.until(lambda topic, _: "/testresult/" in topic)
        records: dict[str, list[dict[str, Any]]] = {}
        for record in result["payload"]:
            records.setdefault(record["type"], []).append(record)
        return records


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    listener = {"type": "tcp", "bind": "127.0.0.1:0"}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": listener}, "plugins": plugins})
    await broker.start()
    server = next(iter(broker._servers.values()))
    port = server.instance.sockets[0].getsockname()[1]
    client = MQTTClient(config={"auto_reconnect": False})
    await client.connect(f"mqtt://127.0.0.1:{port}/")
    await client.subscribe([("ate/D/TestApp/#", 2)])
    try:
        yield Bench(client, port)
    finally:
        await client.disconnect()
        await broker.shutdown()


@pytest.fixture(name="bench")
def bench_fixture() -> Callable[[], AbstractAsyncContextManager[Bench]]:
    return bench
