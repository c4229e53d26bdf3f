"""The same conversation as ``sequencer_like.py``, on gmqtt. Arguments: site, port, number of cycles."""

import asyncio
import json
import sys
import time

import gmqtt

site, port, cycles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main():
    answers, subscribed, finished = asyncio.Queue(), asyncio.Event(), asyncio.Event()
    client = gmqtt.Client(f"site{site}")

    async def work(number):
        wall, monotonic = time.time_ns(), time.monotonic_ns()
        await asyncio.sleep(2.5)
        slept = time.time_ns() - wall, time.monotonic_ns() - monotonic
        client.publish(f"ask/{site}", json.dumps({"n": number}), qos=2)
        await asyncio.wait_for(answers.get(), 15)
        result = {"n": number, "ok": True, "slept": slept, "now": time.time_ns()}
        client.publish(f"result/{site}", json.dumps(result), qos=2)
        if number + 1 == cycles:
            finished.set()

    tasks = []

    def on_message(client, topic, payload, qos, properties):
        if topic.startswith("command"):
            tasks.append(asyncio.ensure_future(work(json.loads(payload)["n"])))
        else:
            answers.put_nowait(True)
        return 0

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", port, version=gmqtt.constants.MQTTv311)
    client.subscribe([gmqtt.Subscription(f"command/{site}", 2), gmqtt.Subscription(f"answer/{site}", 2)])
    await subscribed.wait()
    client.publish(f"status/{site}", "idle", qos=2)
    await finished.wait()
    await asyncio.sleep(1)
    await client.disconnect()


asyncio.run(main())
