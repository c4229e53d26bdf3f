"""aiomqtt: python aiomqtt_client.py PORT."""

import asyncio
import sys

import aiomqtt

PORT = int(sys.argv[1])


async def main():
    async with aiomqtt.Client("127.0.0.1", PORT) as listener, aiomqtt.Client("127.0.0.1", PORT) as speaker:
        await listener.subscribe("t/#", qos=2)
        for qos in (0, 1, 2):
            await speaker.publish(f"t/{qos}", b"%d" % qos, qos=qos)
        got = []
        async for message in listener.messages:
            got.append((str(message.topic), message.payload, message.qos))
            if len(got) == 3:
                break
        assert sorted(got) == [(f"t/{qos}", b"%d" % qos, qos) for qos in (0, 1, 2)], got
    print("ok")


asyncio.run(asyncio.wait_for(main(), 20))
